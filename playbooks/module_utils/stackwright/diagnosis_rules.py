"""All known causes of failure, in the order in which they may claim a line of evidence."""

from __future__ import annotations

from . import diagnosis_rules_engine as engine
from . import diagnosis_rules_services as services
from . import diagnosis_rules_system as system
from .diagnosis_rule import Rule

RULES: tuple[Rule, ...] = (
    *system.PORTS,
    *engine.ENGINE,
    *engine.IMAGES,
    *engine.BUILDS,
    *services.DATABASE,
    *services.CACHE,
    *services.API,
    *services.SUPERVISOR,
    *system.LIMITS,
    *services.PYTHON,
    *system.STATES,
)

"""All known causes of failure, in the order in which they may claim a line of evidence."""

from __future__ import annotations

from . import rules_engine, rules_services, rules_system
from .rule import Rule

RULES: tuple[Rule, ...] = (
    *rules_system.PORTS,
    *rules_engine.ENGINE,
    *rules_engine.IMAGES,
    *rules_engine.BUILDS,
    *rules_services.DATABASE,
    *rules_services.CACHE,
    *rules_services.API,
    *rules_services.SUPERVISOR,
    *rules_system.LIMITS,
    *rules_services.PYTHON,
    *rules_system.STATES,
)

"""The target is made once, of what plays know of an environment, and goes to its host as plain data."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from stackwright import layout
from stackwright.actions.stack_facts import current_facts, found_facts
from stackwright.environment import environment_of
from stackwright.images.references import service_images
from stackwright.settings.schema import load_schema
from stackwright.verification.target import Target, target_from, target_of

from tests.support.resolving import dev_values
from tests.unit.verification.verification_stack import SEED

SEEN = {
    "record": {
        "environment": "dev",
        "project": "desafio3",
        "runtime": "compose",
        "services": ["banco-dados", "cache-redis", "api-web"],
    },
    "now": 1.0,
    **dict.fromkeys(("running", "present", "logged", "started"), ()),
    "unknown": False,
}


def target(folder: Path, **settings: object) -> Target:
    place = layout.place_of("dev", folder, remote=False)
    values = dev_values(**settings)
    environment = environment_of(values, service_images(values, "registry"), place, "compose")
    found = found_facts(SEEN, place, "", ["db_password"])
    facts = current_facts(found, environment, values, load_schema(layout.DEFAULTS))
    assert "admin123" not in json.dumps(facts)
    return target_of(facts, [asdict(task) for task in SEED])


@pytest.mark.parametrize("with_edge", [False, True])
def test_the_host_gets_the_same_target_as_plain_data(tmp_path: Path, with_edge: bool) -> None:
    made = target(tmp_path, edge_enabled=with_edge)
    assert bool(made.edge) == with_edge
    assert target_from(json.loads(json.dumps(asdict(made)))) == target_from(asdict(made))


def test_a_target_has_what_is_verified(tmp_path: Path) -> None:
    made = target(tmp_path)
    assert (made.base_url, made.folder) == ("http://localhost:5000", str(tmp_path))
    assert [port.service for port in made.closed_ports] == ["banco-dados", "cache-redis"]
    assert [item["port"] for item in made.published] == [5000]
    assert list(made.seed_tasks) == list(SEED)
    assert list(made.log_commands) == SEEN["record"]["services"]  # type: ignore[index]

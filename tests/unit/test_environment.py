"""The computed environment: what it says of each service in each runtime, and what follows from a new entry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from stackwright import layout
from stackwright.environment import Environment, environment_of
from stackwright.images.references import Image, service_images
from stackwright.rendering.compose_file import check_schema, unprotected
from stackwright.rendering.prepare import template_context
from stackwright.rendering.templates import render_tree
from stackwright.service import Published
from stackwright.settings.conflicts import claims_of

from tests.support.production import prod_values
from tests.support.resolving import changed, dev_values

PLACE = layout.place_of("dev", "/srv/dev", remote=False)
SHARED = {
    "enabled": True,
    "needs": [],
    "host_ports": [],
    "user": "65534:65534",
    "limits": {"memory": "64m", "cpus": 0.5, "pids": 32},
    "health_test": ["CMD", "true"],
    "grace_seconds": 5,
    "secrets": [],
}
# Neither is published; one has data.
STATEFUL = SHARED | {
    "title": "Queue",
    "image": "queue:1",
    "container_ports": [5672],
    "volumes": {"queue_data": {"folder": "/var/lib/queue"}},
    "environment": {"QUEUE_PEERS": ["a", "b"], "QUEUE_FSYNC": True, "QUEUE_LICENCE": ""},
    "secrets": {"db_password": "QUEUE_PASSWORD"},
}
STATELESS = SHARED | {
    "title": "Worker",
    "image": "worker:1",
    "needs": ["queue"],
    "container_ports": [9000],
    "connections": {"QUEUE": "queue"},
    "port_variable": "WORKER_PORT",
}


def made(values: dict[str, Any], runtime: str = "compose") -> Environment:
    return environment_of(values, service_images(values, "registry"), PLACE, runtime)


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return prod_values(tmp_path_factory.mktemp("prod") / "inventories")


def extended(**changes: Any) -> dict[str, Any]:
    """Dev's settings with two more services."""
    values = dev_values(**changes)
    values["stack_services"] = values["stack_services"] | {"queue": STATEFUL, "worker": STATELESS}
    return values


def test_dev_is_the_seeds_stack() -> None:
    environment = made(dev_values())
    names = [service.name for service in environment.services]
    assert names == ["banco-dados", "cache-redis", "api-web"]
    assert environment.roles == {
        "database": "banco-dados",
        "cache": "cache-redis",
        "api": "api-web",
    }
    assert environment.url == "http://localhost:5000"
    assert environment.published == [{"service": "api-web", "port": 5000, "address": "0.0.0.0"}]
    assert environment.closed_ports == [
        {"service": "banco-dados", "port": 5432},
        {"service": "cache-redis", "port": 6379},
    ]
    assert [volume.name for volume in environment.volumes] == ["dados_postgres"]
    assert (environment["banco-dados"].host, environment["banco-dados"].port) == (
        "banco-dados",
        5432,
    )


def test_the_embedded_runtime_is_on_loopback_and_has_one_replica() -> None:
    environment = made(
        dev_values(
            api_replicas=3, api_port=5010, embedded_db_port=15010, embedded_cache_port=25010
        ),
        "embedded",
    )
    assert environment.url == "http://localhost:5010"
    assert environment.published == [
        {"service": "banco-dados", "port": 15010, "address": "127.0.0.1"},
        {"service": "cache-redis", "port": 25010, "address": "127.0.0.1"},
        {"service": "api-web", "port": 5010, "address": "127.0.0.1"},
    ]
    assert environment.closed_ports == []
    assert environment["api-web"].replicas == 1
    variables = environment["api-web"].variables()
    names = ("DB_HOST", "DB_PORT", "REDIS_HOST", "REDIS_PORT", "API_PORT")
    assert [variables[name] for name in names] == [
        "127.0.0.1",
        "15010",
        "127.0.0.1",
        "25010",
        "5010",
    ]


def test_the_edge_alone_is_published_and_the_apis_ports_are_closed(prod: dict[str, Any]) -> None:
    environment = made(prod)
    assert environment.url == "https://prod.localhost:5543"
    assert {item["service"] for item in environment.published} == {"edge"}
    closed = {(item["service"], item["port"]) for item in environment.closed_ports}
    assert closed == {
        ("banco-dados", 5432),
        ("cache-redis", 6379),
        ("api-web", 5100),
        ("api-web", 5101),
    }
    internal = {network.key for network in environment.networks if network.internal}
    assert internal == {"backend", "edge"}
    assert "edge" not in {service.name for service in made(prod, "embedded").services}
    proxied, alone = (made(prod, one)["api-web"].variables() for one in ("compose", "embedded"))
    assert proxied["TRUSTED_PROXIES"] == "edge"
    assert not alone.keys() & {"TRUSTED_PROXIES", "CLIENT_RATE", "CLIENT_BURST"}


def test_both_runtimes_give_the_api_the_same_variables_but_for_places() -> None:
    values = dev_values(
        secrets_delivery="file",
        cache_user="tasks_api",
        api_cors_origins=["https://a.example", "https://b.example"],
    )
    compose, embedded = (
        made(values, one)["api-web"].variables("/s") for one in ("compose", "embedded")
    )
    assert compose.keys() == embedded.keys()
    places = {"DB_HOST", "DB_PORT", "REDIS_HOST", "REDIS_PORT"}
    assert {name for name in compose if compose[name] != embedded[name]} == places
    assert compose["CORS_ORIGINS"] == "https://a.example https://b.example"
    assert compose["DB_PASSWORD_FILE"] == "/s/db_app_password"
    assert compose["REDIS_PASSWORD_FILE"] == "/s/cache_password"


def test_replicas_are_a_range_and_what_has_no_address_stays_on_loopback() -> None:
    api = made(dev_values(api_replicas=3))["api-web"]
    assert [str(published) for published in api.published] == ["0.0.0.0:5000-5002:5000"]
    values = extended()
    values["stack_services"]["worker"] = STATELESS | {"host_ports": [9100]}
    worker = made(values)["worker"]
    assert worker.published == (Published("127.0.0.1", 9100, 9100, 9000),)
    assert worker.closed_ports == ()


def test_it_is_plain_data_without_secrets(prod: dict[str, Any]) -> None:
    for runtime in ("compose", "embedded"):
        environment = made(prod, runtime)
        text = json.dumps(environment.as_dict()) + repr(environment)
        assert '"closed_ports"' in text
        assert prod["db_password"] not in text
        assert prod["api_token_operator"] not in text
    dev = dev_values(db_password="a secret")
    assert "a secret" not in repr(made(dev)) + json.dumps(made(dev).as_dict())


def test_the_same_settings_are_the_same_environment() -> None:
    assert made(dev_values()) == made(dev_values())
    assert made(dev_values()) != made(dev_values(api_threads=5))


def test_a_new_service_takes_an_entry_and_a_partial(tmp_path: Path) -> None:
    """Its files, volumes, closed ports and claims follow, in a strict environment too."""
    templates = Path(shutil.copytree(layout.TEMPLATES, tmp_path / "templates"))
    for name in ("queue", "worker"):
        partial = '{% extends "service.yml.j2" %}\n'
        (templates / f"services/{name}.yml.j2").write_text(partial, encoding="utf-8")
    values = extended(stack_container_prefix="shop-")
    images = service_images(values, "registry")
    environment = made(values)
    files = render_tree(template_context(values, images), templates)
    document = check_schema(files["docker-compose.yml"].content)

    assert unprotected(document, closed=False) == {}
    queue, worker = document["services"]["queue"], document["services"]["worker"]
    assert (queue["expose"], worker["expose"]) == (["5672"], ["9000"])
    assert queue["volumes"] == [
        {"type": "volume", "source": "queue_data", "target": "/var/lib/queue"}
    ]
    assert document["volumes"]["queue_data"] == {"name": "shop_queue_data"}
    assert "volumes" not in worker
    assert worker["depends_on"] == {"queue": {"condition": "service_healthy"}}
    lines = files["env/queue.env"].content.decode().splitlines()
    assert lines == ["QUEUE_FSYNC=true", "QUEUE_PASSWORD=admin123", "QUEUE_PEERS='a b'"]
    lines = files["env/worker.env"].content.decode().splitlines()
    assert lines == ["QUEUE_HOST=queue", "QUEUE_PORT=5672", "WORKER_PORT=9000"]

    closed = [(item["service"], item["port"]) for item in environment.closed_ports]
    assert closed[-2:] == [("queue", 5672), ("worker", 9000)]
    claims = claims_of("shop", values, "localhost", [])
    assert claims.names["volume queue_data of queue"] == "shop_queue_data"
    assert {"shop-queue", "shop-worker"} < claims.containers
    assert {one.name for one in made(values, "embedded").services} == {
        "banco-dados", "cache-redis", "api-web",
    }  # fmt: skip


def test_a_service_may_have_nothing_of_its_own() -> None:
    values = changed(dev_values())
    values["stack_services"] = {"idle": SHARED | {"title": "Idle", "image": "idle:1"}}
    environment = environment_of(values, {"idle": Image("idle:1")}, PLACE, "compose")
    (idle,) = environment.services
    assert (environment.url, idle.published, idle.closed_ports, idle.variables()) == (
        "",
        (),
        (),
        {},
    )

"""A registry is asked for digests as the engine would ask it, and its answer is recorded."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import yaml
from stackwright import layout
from stackwright.images.references import service_images
from stackwright.images.registry import (
    RegistryError,
    current_digest,
    manifest_address,
    registry_images,
    with_digests,
)

from tests.support.registry import Registry, registry
from tests.support.resolving import dev_values

DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture
def served() -> Iterator[Registry]:
    """A registry with nothing in it yet."""
    with registry() as state:
        yield state


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        ("redis:7", "https://registry-1.docker.io/v2/library/redis/manifests/7"),
        ("redis", "https://registry-1.docker.io/v2/library/redis/manifests/latest"),
        ("grafana/grafana:11", "https://registry-1.docker.io/v2/grafana/grafana/manifests/11"),
        ("docker.io/redis:7", "https://registry-1.docker.io/v2/library/redis/manifests/7"),
        ("ghcr.io/a/b/c:1", "https://ghcr.io/v2/a/b/c/manifests/1"),
        ("hub.example:5000/a:1", "https://hub.example:5000/v2/a/manifests/1"),
        ("127.0.0.1:5000/a:1", "http://127.0.0.1:5000/v2/a/manifests/1"),
        ("localhost:5000/a:1", "http://localhost:5000/v2/a/manifests/1"),
    ],
)
def test_a_reference_is_found_where_the_engine_finds_it(reference: str, address: str) -> None:
    assert manifest_address(reference) == address


@pytest.mark.parametrize("wants_token", [False, True])
def test_the_digest_is_what_the_registry_says_now(served: Registry, wants_token: bool) -> None:
    served.wants_token = wants_token
    first = served.add("library/redis", "7", {"a": b"1"})
    assert current_digest(f"{served.address}/library/redis:7", 5) == first
    second = served.add("library/redis", "7", {"a": b"2"})
    assert current_digest(f"{served.address}/library/redis:7", 5) == second
    assert first != second


def test_no_digest_is_an_error_with_its_reason(served: Registry) -> None:
    with pytest.raises(RegistryError, match="answers 404"):
        current_digest(f"{served.address}/redis:8", 5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(RegistryError, match="no answer"):
            current_digest(f"127.0.0.1:{port}/redis:8", 5)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(RegistryError, match="no answer .*timed out"),
    ):
        current_digest(f"127.0.0.1:{silent.getsockname()[1]}/redis:8", 0.2)


def test_what_has_a_digest_or_no_registry_is_not_asked_for() -> None:
    services = dev_values()["stack_services"]
    more = {
        "x": {**services["cache-redis"], "image": "caddy:2"},
        "y": {"enabled": False, "image": "y:1"},
    }
    values = dev_values(
        stack_services=services | more,
        python_base_image=f"python:3.11-slim@{DIGEST}",
        postgres_base_image="localhost/own:1",
    )
    assert registry_images(values) == ["redis:7", "caddy:2.11", "caddy:2"]


def test_a_recorded_digest_is_in_every_reference_and_moves_the_tags_built_on_it() -> None:
    before = service_images(dev_values(), "registry")
    pinned = dev_values(image_digests={"python:3.11-slim": DIGEST, "redis:7": DIGEST})
    after = service_images(pinned, "registry")
    assert after["api-web"].base == f"python:3.11-slim@{DIGEST}"
    assert after["cache-redis"].reference == f"redis:7@{DIGEST}"
    assert after["api-web"].reference != before["api-web"].reference
    assert after["banco-dados"] == before["banco-dados"]
    other = dev_values(image_digests={"python:3.11-slim": DIGEST.replace("ab", "cd")})
    assert service_images(other, "registry")["api-web"].reference != after["api-web"].reference


def test_the_record_keeps_its_comments_and_is_read_back_as_written() -> None:
    text = (layout.DEFAULTS / "digests.yml").read_text(encoding="utf-8")
    digests = {"redis:7": DIGEST, "127.0.0.1:5000/a:1": DIGEST}
    once = with_digests(text, digests)
    assert yaml.safe_load(once) == {"image_digests": digests}
    assert once.partition("\nimage_digests:")[0] == text.partition("\nimage_digests:")[0]
    assert with_digests(once, digests) == once
    with pytest.raises(ValueError, match="no setting image_digests"):
        with_digests("---\n", digests)

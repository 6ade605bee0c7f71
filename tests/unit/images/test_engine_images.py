"""Which images the engine has, with a real program in the docker client's place: yes, no, or nobody knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stackwright.images.references import engine_images, images_present
from stackwright.runtimes.compose import engine
from stackwright.runtimes.compose.engine import SilentEngineError

DIGEST = f"sha256:{'0' * 64}"
A = {"Id": "sha256:a", "Created": "2026-01-31T12:00:00Z", "RepoTags": ["a:1"], "RepoDigests": None}
B = {"Id": "sha256:b", "Created": "2026-02-01T12:00:00Z", "RepoTags": [],
     "RepoDigests": [f"shop.example:5000/b@{DIGEST}"]}  # fmt: skip
FACTS_A, FACTS_B = (("sha256:a", A["Created"]), ("sha256:b", B["Created"]))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the only program on PATH, ``docker``, is to be written."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "docker"


def write(client: Path, script: str) -> None:
    client.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    client.chmod(0o755)


def listing(client: Path, *images: object, code: int = 0) -> None:
    """A client that has these images and misses some if ``code`` is not 0."""
    write(client, f"echo '{json.dumps(images)}'; echo No such image: x >&2; exit {code}")


def test_those_that_are_there_are_told_by_tag_or_digest(client: Path) -> None:
    listing(client, A, B, code=1)
    wanted = ["a:1", "x:1", f"shop.example:5000/b:2@{DIGEST}"]
    assert engine_images(wanted) == {"a:1": FACTS_A, wanted[2]: FACTS_B}
    assert images_present(wanted) == {"a:1", wanted[2]}


def test_images_listed_under_another_name_count_when_all_were_found(client: Path) -> None:
    listing(client, A)
    assert engine_images(["docker.io/library/a:1"]) == {"docker.io/library/a:1": FACTS_A}


def test_more_than_a_pipe_holds_is_read_whole(client: Path) -> None:
    listing(client, {**A, "Config": "x" * 90_000})
    assert images_present(["a:1"]) == {"a:1"}


def test_without_a_client_there_are_none(client: Path) -> None:
    assert images_present(["a:1"]) == set()


def test_without_a_socket_there_are_none(client: Path) -> None:
    place = client.with_name("no.sock")
    write(
        client,
        f'case "$1" in context) echo unix://{place} ;; *) echo Cannot connect >&2; exit 1 ;; esac',
    )
    assert images_present(["a:1"]) == set()


def test_nothing_is_asked_for_nothing(client: Path) -> None:
    write(client, "exit 1")
    assert images_present([]) == set()


def test_an_engine_that_keeps_silent_is_an_error_that_says_so(
    client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ANSWER_SECONDS", 0.2)
    write(client, "exec /bin/sleep 60")
    with pytest.raises(SilentEngineError) as silent:
        images_present(["a:1"])
    assert str(silent.value).startswith(
        "which images the engine has cannot be told: the Docker engine did not answer within 0.2 s\n"
        "    fix  look at its log"
    )


def test_an_engine_that_denies_this_user_is_no_engine_without_images(client: Path) -> None:
    write(client, "echo permission denied >&2; exit 1")
    with pytest.raises(SilentEngineError, match="group docker"):
        images_present(["a:1"])

"""Bearer tokens: who may do what, in prod."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from tasks_api.config import Config, ConfigError
from tasks_api.http.auth import Token

from tests.api.servers import MakeClient

SECRETS = {scope: f"{scope}-secret-0123456789" for scope in ("read", "write", "admin")}
TOKENS = tuple(Token.of(f"the_{scope}", scope, secret) for scope, secret in SECRETS.items())
BODY = {"title": "t"}
OPEN = [("GET", "/"), ("GET", "/health"), ("GET", "/livez"), ("GET", "/openapi.json")]
READS = [("GET", "/tasks"), ("HEAD", "/tasks/1"), ("GET", "/tasks?limit=1"), ("GET", "/nowhere")]
WRITES = [("POST", "/tasks"), ("PUT", "/tasks/1"), ("DELETE", "/tasks/2"), ("PATCH", "/tasks/1")]
ADMIN = [("GET", "/cache/stats"), ("GET", "/metrics"), ("POST", "/cache/clear")]


def status(client: FlaskClient, method: str, path: str, secret: str | None = None) -> int:
    """Send a request with a token, or without; returns the status."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return client.open(path, method=method, json=BODY, headers=headers).status_code


@pytest.mark.parametrize(
    ("requests", "least"),
    [(OPEN, None), (READS, "read"), (WRITES, "write"), (ADMIN, "admin")],
    ids=["open", "reads", "writes", "admin"],
)
@pytest.mark.parametrize("ahead", [True, False])
def test_each_scope_includes_the_ones_before(
    make_client: MakeClient, requests: list[tuple[str, str]], least: str | None, ahead: bool
) -> None:
    client = make_client(tokens=TOKENS, public_reads=False, fast_path=ahead)
    client.get("/tasks", headers={"Authorization": f"Bearer {SECRETS['read']}"})  # now it is cached
    allowed = least is None
    for method, path in requests:
        assert (status(client, method, path) == 401) != allowed
    for scope, secret in SECRETS.items():
        allowed = allowed or scope == least
        for method, path in requests:
            code = status(client, method, path, secret)
            assert (code == 403) != allowed, (method, path, scope)
            assert code != 401


def test_reading_may_stay_open(make_client: MakeClient) -> None:
    client = make_client(tokens=TOKENS, public_reads=True)
    assert status(client, "GET", "/tasks") == 200
    assert status(client, "POST", "/tasks") == 401
    assert status(client, "GET", "/metrics") == 401


def test_without_tokens_everything_is_open(client: FlaskClient) -> None:
    assert status(client, "POST", "/tasks") == 201
    assert status(client, "GET", "/metrics") == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        f"Basic {SECRETS['admin']}",
        f"Bearer {SECRETS['admin']}x",
        f"Bearer {SECRETS['admin'][:-1]}",
        f"bearer\t{SECRETS['admin']}",
        "Bearer é\x80",
        "Bearer " + "x" * 5000,
    ],
)
def test_what_is_no_token(make_client: MakeClient, header: str) -> None:
    client = make_client(tokens=TOKENS)
    response = client.post("/tasks", json=BODY, headers={"Authorization": header})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json["error"]["code"] == "unauthorized"


def test_refusals_are_in_the_one_shape(make_client: MakeClient) -> None:
    client = make_client(tokens=TOKENS)
    response = client.post(
        "/tasks", json=BODY, headers={"Authorization": f"Bearer {SECRETS['read']}"}
    )
    assert response.status_code == 403
    assert response.json == {
        "error": {
            "code": "forbidden",
            "message": "The token needs the scope write.",
            "fields": {},
        }
    }
    assert 'scope="write"' in response.headers["WWW-Authenticate"]
    assert "X-Request-ID" in response.headers


def test_two_tokens_may_be_valid_while_one_replaces_the_other(make_client: MakeClient) -> None:
    tokens = (Token.of("old", "write", "o" * 20), Token.of("new", "write", "n" * 20))
    client = make_client(tokens=tokens)
    assert status(client, "POST", "/tasks", "o" * 20) == 201
    assert status(client, "POST", "/tasks", "n" * 20) == 201
    client = make_client(tokens=tokens[1:])
    assert status(client, "POST", "/tasks", "o" * 20) == 401


def test_a_browser_may_ask_without_a_token(make_client: MakeClient) -> None:
    client = make_client(tokens=TOKENS, cors_origins=("https://a.example",))
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    response = client.options("/tasks", headers=headers)
    assert response.status_code == 204
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]


def test_tokens_come_from_files(tmp_path: Path) -> None:
    for name in ("ci", "ops"):
        (tmp_path / name).write_text(f"{name}-secret-+/0123456789==\n", encoding="utf-8")
    tokens = f"ci:write:{tmp_path}/ci ops:admin:{tmp_path}/ops"
    environ = {"DB_PASSWORD": "x", "API_TOKENS_FILE": tokens, "API_PUBLIC_READS": "false"}
    config = Config.from_environment(environ)
    assert config.tokens == (
        Token.of("ci", "write", "ci-secret-+/0123456789=="),
        Token.of("ops", "admin", "ops-secret-+/0123456789=="),
    )
    assert config.public_reads is False
    assert "secret" not in repr(config)


def test_a_path_with_a_space_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "my ci").write_text("s3cret-0123456789")
    environ = {"DB_PASSWORD": "x", "API_TOKENS_FILE": f"'ci:write:{tmp_path}/my ci'"}
    (token,) = Config.from_environment(environ).tokens
    assert token == Token.of("ci", "write", "s3cret-0123456789")


@pytest.mark.parametrize(
    "tokens",
    [
        "ci",
        "ci:write",
        "ci:owner:{good}",
        "Ci:write:{good}",
        ":write:{good}",
        "ci:write:{good} ci:read:{good}",
        "ci:write:{missing}",
        "ci:write:{short}",
        "ci:write:{odd}",
        "ci:write:{spaced}",
        "ci:write:'{good}",
    ],
)
def test_wrong_tokens_end_the_start(tmp_path: Path, tokens: str) -> None:
    (tmp_path / "good").write_text("s3cret-0123456789")
    (tmp_path / "short").write_text("s3cret")
    (tmp_path / "odd").write_text("s3cret-é-0123456789")
    (tmp_path / "spaced").write_text("s3cret-0123 456789")
    files = {name: tmp_path / name for name in ("good", "short", "odd", "spaced", "missing")}
    with pytest.raises(ConfigError, match="^API_TOKENS_FILE") as caught:
        Config.from_environment({"DB_PASSWORD": "x", "API_TOKENS_FILE": tokens.format(**files)})
    assert "s3cret" not in str(caught.value)

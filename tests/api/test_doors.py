"""Which door a token opens belongs to what is behind it, not to how the path was spelled."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from tasks_api.app import create_app
from tasks_api.config import Config
from tasks_api.http.auth import Token

from tests.api.servers import ApiProcess
from tests.support.doors import SCOPES, code_of, try_all

SECRETS = {scope: f"{scope}-secret-0123456789" for scope in SCOPES}
BODIES = {"POST": {"title": "t"}, "PUT": {"title": "t"}}
# The same server, started as `python -m tasks_api` is, that leaves everything to Flask.
ALL_BY_FLASK = """
import sys
from dataclasses import replace
from tasks_api.__main__ import main
from tasks_api.config import Config
read = Config.from_environment
Config.from_environment = lambda *given: replace(read(*given), fast_path=False)
sys.exit(main())
"""


class FlaskProcess(ApiProcess):
    """The API without what answers ahead of Flask."""

    def start_only(self, **environ: str) -> None:
        self._spawn([sys.executable, "-c", ALL_BY_FLASK], self.environment(**environ))


@pytest.fixture(params=[ApiProcess, FlaskProcess], ids=["ahead", "flask"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ApiProcess]:
    """An API process, not yet started, with what is ahead of Flask and without."""
    process: ApiProcess = request.param(tmp_path)
    try:
        yield process
    finally:
        process.stop()


@pytest.mark.parametrize("public_reads", ["true", "false"])
def test_no_spelling_opens_a_door(
    guarded: ApiProcess, api_environment: dict[str, str], tmp_path: Path, public_reads: str
) -> None:
    for scope, secret in SECRETS.items():
        (tmp_path / scope).write_text(secret)
    clients = " ".join(f"the_{scope}:{scope}:{tmp_path}/{scope}" for scope in SCOPES)
    guarded.start(**api_environment, API_TOKENS_FILE=clients, API_PUBLIC_READS=public_reads)
    connection = guarded.connect()

    def ask(method: str, target: str, token: str | None) -> tuple[int, str]:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {SECRETS[token]}"
        body = BODIES.get(method.upper())
        connection.request(method, target, body and json.dumps(body), headers)
        response = connection.getresponse()
        private = response.headers["Cache-Control"] == "private, no-cache"
        assert private or not (token or response.status in (401, 403)), (method, target, token)
        return response.status, code_of(response.read())

    document = json.loads(guarded.request("GET", "/openapi.json")[1])
    assert try_all(document, ask, "api") > 1000
    connection.close()


@pytest.fixture
def application(config: Config) -> Iterator[Flask]:
    """An application that asks for tokens, with public reads."""
    tokens = tuple(Token.of(f"the_{scope}", scope, secret) for scope, secret in SECRETS.items())
    app = create_app(replace(config, tokens=tokens))
    yield app
    services = app.extensions["tasks_api"]
    services.database.close()
    services.cache.close()


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("read", 403), ("write", 403), ("admin", 200)]
)
def test_what_declares_no_scope_is_for_nobody_but_administrators(
    application: Flask, token: str | None, status: int
) -> None:
    application.add_url_rule("/forgotten", view_func=lambda: "secret")
    headers = {"Authorization": f"Bearer {SECRETS[token]}"} if token else {}
    assert application.test_client().get("/forgotten", headers=headers).status_code == status


def test_a_stranger_is_not_told_what_is_not_there(application: Flask) -> None:
    client = application.test_client()
    for method in ("GET", "POST"):
        assert client.open("/nowhere", method=method).status_code == 401
    assert client.post("/livez").status_code == 405  # it is there for everybody
    assert client.post("/metrics").status_code == 401
    known = {"Authorization": f"Bearer {SECRETS['read']}"}
    assert client.get("/nowhere", headers=known).status_code == 404
    assert client.post("/nowhere", headers=known).status_code == 403

"""What the description says of tokens and of the rate of clients, compared with what happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from tasks_api.http.auth import SCOPES, Token

from tests.api.servers import MakeClient
from tests.schema.test_description import contents, operations, validator

SECRETS = {scope: f"{scope}-secret-0123456789" for scope in SCOPES}
TOKENS = tuple(Token.of(f"the_{scope}", scope, secret) for scope, secret in SECRETS.items())
OPEN = {"/", "/health", "/livez", "/openapi.json"}


def described(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.get("/openapi.json").data)
    return found


def scope_of(operation: dict[str, Any]) -> str | None:
    (requirement,) = operation.get("security") or [{"bearer": [None]}]
    scope: str | None = requirement["bearer"][0]
    return scope


@pytest.mark.parametrize("public_reads", [True, False])
def test_each_operation_asks_for_the_scope_that_is_described(
    make_client: MakeClient, public_reads: bool
) -> None:
    client = make_client(tokens=TOKENS, public_reads=public_reads)
    document = described(client)
    schemathesis.openapi.from_dict(document).validate()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    needed = {}
    for path, method, operation in operations(document):
        needed[path, method] = scope = scope_of(operation)
        address = path.replace("{id}", "1")
        for given in (None, *SCOPES):
            headers = {"Authorization": f"Bearer {SECRETS[given]}"} if given else {}
            answer = client.open(address, method=method, headers=headers)
            enough = scope is None or (given and SCOPES.index(given) >= SCOPES.index(scope))
            expected = None if enough else 403 if given else 401
            assert (expected is None) == (answer.status_code not in (401, 403)), (method, path)
            if expected:
                assert answer.status_code == expected
                part = operation["responses"][str(expected)]
                assert set(part["headers"]) <= set(answer.headers.keys())
                code = answer.json["error"]["code"]
                assert code in part["content"]["application/json"]["examples"]
        assert ("401" in operation["responses"]) == (scope is not None)
        assert ("403" in operation["responses"]) == (scope in ("write", "admin"))
    assert {path for (path, _), scope in needed.items() if scope is None} == OPEN | (
        {"/tasks", "/tasks/{id}"} if public_reads else set()
    )
    assert needed["/tasks", "POST"] == "write"
    assert needed["/metrics", "GET"] == needed["/cache/clear", "POST"] == "admin"


def test_what_bars_clients_has_examples_that_fit(make_client: MakeClient) -> None:
    document = described(make_client(tokens=TOKENS, client_rate=1000, client_burst=1000))
    for place, content in contents(document):
        for example in content.get("examples", {}).values():
            problems = list(validator(document, content["schema"]).iter_errors(example["value"]))
            assert not problems, (place, problems)


def test_a_client_that_asks_too_often_is_answered_as_described(make_client: MakeClient) -> None:
    client = make_client(client_rate=1, client_burst=1)
    document = described(client)
    assert all("429" in operation["responses"] for _, _, operation in operations(document))
    answer = client.get("/tasks")
    part = document["paths"]["/tasks"]["get"]["responses"]["429"]
    assert answer.status_code == 429
    assert set(part["headers"]) <= set(answer.headers.keys())
    (example,) = part["content"]["application/json"]["examples"].values()
    assert answer.json == example["value"]


def test_without_barriers_none_is_described(document: dict[str, Any]) -> None:
    assert "securitySchemes" not in document["components"]
    for _, _, operation in operations(document):
        assert "security" not in operation
        assert not {"401", "403", "429"} & operation["responses"].keys()

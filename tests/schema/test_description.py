"""/openapi.json: a valid document that leaves nothing out and says nothing untrue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from jsonschema_rs import ValidationError

Document = dict[str, Any]


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Return path, method and description of each operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def contents(document: Document) -> Iterator[tuple[str, Document]]:
    """Return every JSON body and answer of the description, and where it is."""
    for path, method, operation in operations(document):
        bodies = {"body": operation["requestBody"]} if "requestBody" in operation else {}
        for place, part in (bodies | operation["responses"]).items():
            if content := part.get("content", {}).get("application/json"):
                yield f"{method} {path} {place}", content


def validator(document: Document, schema: Document) -> Draft202012Validator:
    """Return a validator of `schema`, which may refer to the document's components."""
    return Draft202012Validator({**schema, "components": document["components"]})


def test_document_is_valid_openapi(document: Document) -> None:
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    del document["paths"]["/tasks"]["get"]["responses"]["200"]["description"]
    with pytest.raises(ValidationError, match="description"):
        schemathesis.openapi.from_dict(document).validate()


def test_every_route_is_described(client: FlaskClient, document: Document) -> None:
    described = {(path, method) for path, method, _ in operations(document)}
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method)
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == served
    for _, _, operation in operations(document):
        assert operation["summary"].endswith(".")


def test_head_and_options_are_everywhere(client: FlaskClient, document: Document) -> None:
    for path, methods in document["paths"].items():
        address = path.replace("{id}", "1")
        response = client.options(address)
        allowed = {name.upper() for name in methods} | {"OPTIONS"}
        if "get" in methods:
            allowed.add("HEAD")
            head, get = client.head(address), client.get(address)
            assert (head.status_code, head.data) == (get.status_code, b"")
            assert set(head.headers.keys()) == set(get.headers.keys())
        assert response.status_code == 200
        assert set(response.headers["Allow"].split(", ")) == allowed


def test_every_body_and_answer_has_an_example_that_fits(document: Document) -> None:
    for place, content in contents(document):
        if place == "GET /openapi.json 200":
            continue  # is its own example
        assert content["examples"], place
        for name, example in content["examples"].items():
            problems = list(validator(document, content["schema"]).iter_errors(example["value"]))
            assert not problems, (place, name, problems)


def test_examples_of_parameters_fit(document: Document) -> None:
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (path, method, parameter["name"])
            assert parameter["schema"]["examples"], (path, method, parameter["name"])
            for example in parameter["schema"]["examples"]:
                validator(document, parameter["schema"]).validate(example)


def test_examples_of_bodies_work(client: FlaskClient, document: Document) -> None:
    for path, method, operation in operations(document):
        if "requestBody" in operation:
            for example in operation["requestBody"]["content"]["application/json"][
                "examples"
            ].values():
                address = path.replace("{id}", "1")
                response = client.open(address, method=method, json=example["value"])
                assert str(response.status_code) in operation["responses"]
                assert response.status_code in (200, 201), (method, path, response.text)
                task = json.loads(response.data)["task"]
                assert task == task | example["value"]


def test_defaults_are_those_of_the_database(client: FlaskClient, document: Document) -> None:
    created = client.post("/tasks", json={"title": "t"}).json["task"]
    members = document["components"]["schemas"]["Task"]["properties"]
    defaults = {name: part["default"] for name, part in members.items() if "default" in part}
    assert defaults
    assert created == created | defaults


def test_default_limit_is_as_described(client: FlaskClient, document: Document) -> None:
    (limit,) = (
        parameter["schema"]
        for parameter in document["paths"]["/tasks"]["get"]["parameters"]
        if parameter["name"] == "limit"
    )
    for number in range(limit["default"]):
        client.post("/tasks", json={"title": f"t{number}"})
    assert client.get("/tasks?q=t").json["count"] == limit["default"]
    assert client.get("/tasks?status=pending").json["count"] == limit["default"]


@pytest.mark.parametrize("given", ["7f3e.A_b:/+=-", "x" * 128])
def test_request_id_is_the_clients_if_it_is_one(client: FlaskClient, given: str) -> None:
    assert client.get("/livez", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


def test_health_without_a_database_is_as_described(make_client: Any, document: Document) -> None:
    response = make_client(db_port=1).get("/health")
    described = document["paths"]["/health"]["get"]["responses"]["503"]
    assert response.status_code == 503
    assert set(response.headers.keys()) >= set(described["headers"])
    (example,) = described["content"]["application/json"]["examples"].values()
    assert response.json == example["value"]

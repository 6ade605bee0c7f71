"""Bad input: every kind is refused with the right status and reason, and changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from unicodedata import category

import pytest
from flask.testing import FlaskClient
from tasks_api.errors import Unprocessable
from tasks_api.tasks.models import NewTask
from tasks_api.tasks.validation import Model
from werkzeug.test import TestResponse

from tests.api.servers import MakeClient, Sql

JSON = "application/json"
UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp")
# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, as far as it is in ranges.
IGNORABLE = [
    *((0x180B, 0x180F), (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF)),
    *((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)),
]
WRITES = pytest.mark.parametrize(
    ("method", "path"), [("POST", "/tasks"), ("PUT", "/tasks/1")], ids=["post", "put"]
)


def refused(response: TestResponse, status: int, code: str) -> dict[str, str]:
    """Check that `response` is an error in the one shape; returns its reasons by field."""
    assert (response.status_code, response.content_type) == (status, JSON)
    assert list(response.json) == ["error"]
    assert list(response.json["error"]) == ["code", "message", "fields"]
    assert response.json["error"]["code"] == code
    assert response.json["error"]["message"]
    fields: dict[str, str] = response.json["error"]["fields"]
    return fields


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    """One database for all: nothing may change it."""
    return new_database()


@pytest.fixture(autouse=True)
def nothing_changes(sql: Sql) -> Iterator[None]:
    """Every test of this module must leave the table as it was."""
    before = sql("SELECT * FROM tasks ORDER BY id")
    yield
    assert sql("SELECT * FROM tasks ORDER BY id") == before


@WRITES
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonx",
        "text/json",
        "application/json; charset=latin-1",
        "nonsense",
    ],
)
def test_other_content_types(
    client: FlaskClient, method: str, path: str, content_type: str | None
) -> None:
    response = client.open(path, method=method, data=b'{"title":"t"}', content_type=content_type)
    assert refused(response, 415, "unsupported_media_type") == {}
    assert response.headers["Accept"] == JSON


@WRITES
def test_compressed_body(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(
        path, method=method, json={"title": "t"}, headers={"Content-Encoding": "gzip"}
    )
    refused(response, 415, "unsupported_media_type")


@WRITES
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"{",
        b'{"title": }',
        b"{'title': 't'}",
        b'{"title": "t"} {"title": "t"}',
        b'{"title": "t",}',
        b'{"title": "line\nbreak"}',
        b'{"title": "\\x41"}',
        b'\xef\xbb\xbf{"title": "t"}',
        b'{"title": "\xff"}',
        b'{"title": "\xed\xa0\x80"}',
        '{"title": "t"}'.encode("utf-16"),
        b'{"title": ' + b"7" * 5000 + b"}",
        b'{"title": NaN}',
        b'{"title": "t", "x": [Infinity]}',
        b'{"title": -Infinity}',
        b'{"title": "a", "title": "b"}',
        b'{"title": "t", "x": {"k": 1, "k": 2}}',
        b'{"title": "a", "\\u0074itle": "b"}',
        b"[" * 30_000 + b"]" * 30_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_json(client: FlaskClient, method: str, path: str, body: bytes) -> None:
    response = client.open(path, method=method, data=body, content_type=JSON)
    assert refused(response, 400, "malformed_json") == {}


def test_very_deep_nesting(make_client: MakeClient) -> None:
    client = make_client(max_body_bytes=300_000)
    body = b"[" * 100_000 + b"]" * 100_000
    refused(client.post("/tasks", data=body, content_type=JSON), 400, "malformed_json")


@WRITES
@pytest.mark.parametrize("body", ["null", "[]", '[{"title":"t"}]', '"title"', "1", "true", "1e999"])
def test_json_that_is_no_object(client: FlaskClient, method: str, path: str, body: str) -> None:
    response = client.open(path, method=method, data=body, content_type=JSON)
    assert refused(response, 422, "validation_failed") == {}


@WRITES
@pytest.mark.parametrize("title", [None, 1, 1.5, True, [], {}, ["t"], "", " ", "\t\n\u3000\u00a0"])
def test_title_of_wrong_type_or_blank(
    client: FlaskClient, method: str, path: str, title: object
) -> None:
    response = client.open(path, method=method, json={"title": title})
    assert list(refused(response, 422, "validation_failed")) == ["title"]


def test_a_title_of_what_cannot_be_seen(client: FlaskClient) -> None:
    """All of Unicode's controls, formats and spaces, its default ignorables, and blank letters."""
    hidden = [chr(c) for c in range(1, sys.maxunicode + 1) if category(chr(c)) in UNSEEN]
    hidden += map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x1D159))
    hidden += [chr(c) for start, end in IGNORABLE for c in range(start, end + 1)]
    check = Model(NewTask).check
    for character in hidden:
        for title in (character, character * 3, f" {character}\u200b"):
            with pytest.raises(Unprocessable):
                check({"title": title})
    for title in (
        "\u200bé",
        "a\u3164",
        "\u2801",
        "नमस्ते\u200d",
        "👩\u200d💻",
        "!",
        "\u05d0\u200f",
        "ᅟ가",
    ):
        assert check({"title": title})
    for method, path in (("POST", "/tasks"), ("PUT", "/tasks/1")):
        for title in ("\u200b", "\u2800", "\u3164\u00ad", "\U000e0041"):
            response = client.open(path, method=method, json={"title": title})
            assert list(refused(response, 422, "validation_failed")) == ["title"]


@WRITES
def test_overlong_title(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(path, method=method, json={"title": "é" * 256})
    reasons = refused(response, 422, "validation_failed")
    assert reasons == {"title": "Must be text of 1 to 255 characters, not blank and without NUL."}


@WRITES
@pytest.mark.parametrize(
    "status", [None, 1, True, "true", "", "done", "Pending", "pending ", ["pending"], {}]
)
def test_status_out_of_the_list(
    client: FlaskClient, method: str, path: str, status: object
) -> None:
    response = client.open(path, method=method, json={"title": "t", "status": status})
    reasons = refused(response, 422, "validation_failed")
    assert reasons == {"status": "Must be one of pending, in_progress, completed."}


@WRITES
@pytest.mark.parametrize("description", [None, 0, False, [], {}])
def test_description_of_wrong_type(
    client: FlaskClient, method: str, path: str, description: object
) -> None:
    response = client.open(path, method=method, json={"title": "t", "description": description})
    assert list(refused(response, 422, "validation_failed")) == ["description"]


@WRITES
@pytest.mark.parametrize("field", ["title", "description"])
@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff", "\\ude00\\ud83d"])
def test_text_that_cannot_be_stored(
    client: FlaskClient, method: str, path: str, field: str, escape: str
) -> None:
    members = {"title": '"t"', field: f'"a{escape}b"'}
    body = "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
    response = client.open(path, method=method, data=body, content_type=JSON)
    assert list(refused(response, 422, "validation_failed")) == [field]


@WRITES
@pytest.mark.parametrize("name", ["id", "created_at", "updated_at", "Title", "", "owner", "ключ"])
def test_field_that_cannot_be_set(client: FlaskClient, method: str, path: str, name: str) -> None:
    response = client.open(path, method=method, json={"title": "t", name: "x"})
    assert list(refused(response, 422, "validation_failed")) == [name]


def test_unknown_names_are_reported_within_reason(client: FlaskClient) -> None:
    names = [f"{number}{'x' * 500}" for number in range(100)]
    response = client.post("/tasks", json=dict.fromkeys(["title", *names], "t"))
    reasons = refused(response, 422, "validation_failed")
    assert len(reasons) == 10
    assert max(map(len, reasons)) == 100


def test_unknown_name_without_a_utf8_form(client: FlaskClient) -> None:
    response = client.post("/tasks", data=b'{"title":"t","\\ud800\\u0000":1}', content_type=JSON)
    assert list(refused(response, 422, "validation_failed")) == ["?\x00"]


def test_all_wrong_fields_are_named_at_once(client: FlaskClient) -> None:
    response = client.post("/tasks", json={"description": 1, "status": "x", "z": 0})
    reasons = refused(response, 422, "validation_failed")
    assert sorted(reasons) == ["description", "status", "title", "z"]
    assert reasons["title"] == "Is required."


def test_update_of_nothing(client: FlaskClient) -> None:
    assert refused(client.put("/tasks/1", json={}), 422, "validation_failed") == {}


@WRITES
def test_body_over_the_limit(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(path, method=method, json={"title": "t", "description": "x" * 65536})
    refused(response, 413, "body_too_large")


def test_body_at_the_limit(make_client: MakeClient) -> None:
    client = make_client(max_body_bytes=2000)
    body = json.dumps({"title": 1}).encode().ljust(2000)
    refused(client.post("/tasks", data=body, content_type=JSON), 422, "validation_failed")
    response = client.post("/tasks", data=body + b" ", content_type=JSON)
    refused(response, 413, "body_too_large")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-1",
        "+1",
        "abc",
        "1.0",
        "1e0",
        "01",
        "0x1",
        "1_0",
        "%201",
        "1%20",
        "1%0a",
        "٣",
        "%00",
        "4",
        "2147483648",
        str(2**63),
        "9" * 5000,
        "'",
        "1;DROP TABLE tasks",
        "null",
        "%ff",
    ],
    ids=lambda number: number[:20],
)
def test_id_no_task_has(client: FlaskClient, method: str, number: str) -> None:
    body = {"title": "t"} if method == "PUT" else None
    response = client.open(f"/tasks/{number}", method=method, json=body)
    if method == "HEAD":
        assert response.status_code == 404
    else:
        assert refused(response, 404, "task_not_found") == {}


@pytest.mark.parametrize(
    "path", ["/nowhere", "/tasks/", "/tasks/1/", "/tasks/1/x", "/tasks//1", "/TASKS", "/%00"]
)
def test_unknown_path(client: FlaskClient, path: str) -> None:
    refused(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/health", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/tasks", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PATCH", "/tasks/1", {"DELETE", "GET", "HEAD", "OPTIONS", "PUT"}),
        ("POST", "/tasks/abc", {"DELETE", "GET", "HEAD", "OPTIONS", "PUT"}),
        ("GET", "/cache/clear", {"OPTIONS", "POST"}),
        ("BREW", "/tasks", {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
def test_wrong_method(client: FlaskClient, method: str, path: str, allowed: set[str]) -> None:
    response = client.open(path, method=method)
    refused(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == allowed

"""ETag, If-None-Match and If-Match."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient

from tests.api.servers import MakeClient, Sql


def tag(client: FlaskClient, path: str = "/tasks/1") -> str:
    """Return the current ETag of a path."""
    return client.get(path).headers["ETag"]


@pytest.mark.parametrize("path", ["/tasks", "/tasks/1", "/tasks?limit=2"])
def test_not_modified_from_database_and_from_cache(client: FlaskClient, path: str) -> None:
    first = tag(client, path)
    assert tag(client, path) == first
    for named in (first, f'"other", {first}', "*", f"W/{first.removeprefix('W/')}"):
        response = client.get(path, headers={"If-None-Match": named})
        assert (response.status_code, response.data) == (304, b""), named
        assert response.headers["ETag"] == first
        assert "Content-Type" not in response.headers
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", ["/tasks", "/tasks/1", "/tasks?limit=9"])
def test_every_change_gives_another_tag(client: FlaskClient, path: str) -> None:
    tags = {tag(client, path)}
    for title in ("a", "b", "a"):
        client.put("/tasks/1", json={"title": title})
        tags.add(tag(client, path))
    assert len(tags) == 4


def test_answers_to_writes_carry_the_tag(client: FlaskClient) -> None:
    created = client.post("/tasks", json={"title": "t"})
    assert created.headers["ETag"] == tag(client, created.headers["Location"])
    updated = client.put("/tasks/1", json={"title": "t"})
    assert updated.headers["ETag"] == tag(client)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_if_match(client: FlaskClient, method: str) -> None:
    def change(if_match: str) -> tuple[int, object]:
        response = client.open(
            "/tasks/1", method=method, json={"title": "t"}, headers={"If-Match": if_match}
        )
        return response.status_code, response.json.get("error", {}).get("code")

    old = tag(client)
    client.put("/tasks/1", json={"title": "changed by somebody else"})
    new = tag(client)
    for refused in (old, f"W/{new}", '"nonsense"', '""', "", f"{old}, W/{new}"):
        assert change(refused) == (412, "version_mismatch"), refused
    assert client.get("/tasks/1").json["task"]["title"] == "changed by somebody else"
    assert change(f"{old}, {new}") == (200, None)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_if_match_takes_only_what_was_sent(client: FlaskClient, sql: Sql, method: str) -> None:
    sql("UPDATE tasks SET updated_at = '2026-01-31 12:00:00.5' WHERE id = 1 RETURNING id")
    sent = tag(client)
    assert sent == '"2026-01-31T12:00:00.5"'
    body = None if method == "GET" else {"title": "t"}
    for spelled in (
        *("2026-01-31 12:00:00.5", "2026-01-31t12:00:00.5", "2026-01-31T12:00:00.500000"),
        *("20260131T120000.5", "2026-W05-6T12:00:00.5", "2026-01-31T12:00:00,5", " 2026-01-31"),
        *("2026-01-31T12:00:00.5+00:00", "2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.50"),
    ):
        response = client.open(
            "/tasks/1", method=method, json=body, headers={"If-Match": f'"{spelled}"'}
        )
        assert response.status_code == 412, spelled
    for wrapped in (f"x{sent}", f"{sent}x", f"{sent} {sent}", sent[:-1], sent.strip('"')):
        response = client.open("/tasks/1", method=method, json=body, headers={"If-Match": wrapped})
        assert response.status_code == 412, wrapped
    header = f' ,"x" ,, {sent},'
    response = client.open("/tasks/1", method=method, json=body, headers={"If-Match": header})
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_write_unless_it_is_this_version(client: FlaskClient, method: str) -> None:
    old = tag(client)
    client.put("/tasks/1", json={"title": "changed by somebody else"})
    new = tag(client)

    def change(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.open(
            "/tasks/1", method=method, json={"title": "t"}, headers=named
        ).status_code

    for refused in (new, f"W/{new}", f"{old}, {new}", "*"):
        assert change(If_None_Match=refused) == 412, refused
    assert change(If_None_Match=old, If_Match=old) == 412
    assert change(If_None_Match=new, If_Match=new) == 412
    assert client.get("/tasks/1").json["task"]["title"] == "changed by somebody else"
    assert change(If_None_Match=f'{old}, "x", nonsense', If_Match=new) == 200


@pytest.mark.parametrize("ahead", [True, False])
def test_a_read_of_a_certain_version(make_client: MakeClient, ahead: bool) -> None:
    client = make_client(fast_path=ahead)
    current = tag(client)
    for method in ("GET", "HEAD"):
        for wanted, status in ((current, 200), ("*", 200), (f"W/{current}", 412), ('"x"', 412)):
            for _ in range(2):  # from the database and from the cache
                response = client.open("/tasks/1", method=method, headers={"If-Match": wanted})
                assert response.status_code == status, wanted
    response = client.get("/tasks/1", headers={"If-Match": '"x"', "If-None-Match": current})
    assert (response.status_code, response.json["error"]["code"]) == (412, "version_mismatch")
    assert client.get("/tasks", headers={"If-Match": tag(client, "/tasks")}).status_code == 412
    assert client.get("/tasks/9", headers={"If-Match": '"x"'}).status_code == 404


def test_if_match_on_a_task_that_is_not_there(client: FlaskClient) -> None:
    for if_match in ("*", '"2026-01-01T00:00:00"'):
        response = client.put("/tasks/9", json={"title": "t"}, headers={"If-Match": if_match})
        assert response.json["error"]["code"] == "task_not_found"


def test_if_match_any_version(client: FlaskClient) -> None:
    response = client.put("/tasks/1", json={"title": "t"}, headers={"If-Match": "*"})
    assert response.status_code == 200


def test_of_many_writers_of_one_version_one_wins(make_client: MakeClient, sql: Sql) -> None:
    client = make_client()
    headers = {"If-Match": tag(client)}

    def write(number: int) -> int:
        return client.put("/tasks/1", json={"title": str(number)}, headers=headers).status_code

    with ThreadPoolExecutor(4) as threads:
        codes = sorted(threads.map(write, range(12)))
    assert codes == [200] + [412] * 11


def test_a_delete_racing_an_update_brings_nothing_back(client: FlaskClient) -> None:
    for number in (1, 2, 3):
        with ThreadPoolExecutor(2) as threads:
            update = threads.submit(client.put, f"/tasks/{number}", json={"title": "t"})
            delete = threads.submit(client.delete, f"/tasks/{number}")
        assert delete.result().status_code == 200
        assert update.result().status_code in (200, 404)
        assert client.get(f"/tasks/{number}").status_code == 404

"""Whose address a request gets, and how little a client can say about that."""

from __future__ import annotations

import json

import pytest
from tasks_api.http.client_address import ClientAddresses

from tests.api.servers import ApiProcess

PROXY = "10.1.2.3"
FORGED = "203.0.113.66"
CLIENT = "198.51.100.7"


def address_of(proxies: tuple[str, ...], peer: str, said: str | None = None) -> str:
    environ = {"REMOTE_ADDR": peer} | ({} if said is None else {"HTTP_X_FORWARDED_FOR": said})
    return ClientAddresses(proxies).of(environ)


@pytest.mark.parametrize("said", [None, FORGED, f"{FORGED}, {FORGED}", "", "nonsense"])
@pytest.mark.parametrize("proxies", [(), (PROXY,), ("10.0.0.0/8",), ("nowhere.invalid",)])
def test_nobody_but_a_proxy_is_believed(proxies: tuple[str, ...], said: str | None) -> None:
    assert address_of(proxies, CLIENT, said) == CLIENT


@pytest.mark.parametrize("proxies", [(PROXY,), ("10.0.0.0/8",), ("2001:db8::/32", "10.1.2.3/32")])
@pytest.mark.parametrize(
    ("said", "client"),
    [
        (CLIENT, CLIENT),
        (f"{FORGED}, {CLIENT}", CLIENT),
        (f" {FORGED},{CLIENT} ", CLIENT),
        ("2001:db8::1", "2001:db8::1"),
        (None, PROXY),
        ("", PROXY),
        ("unknown", PROXY),
        (f"{CLIENT}/8", PROXY),
        (f'{CLIENT}", "level": "forged', PROXY),
    ],
)
def test_a_proxy_is_believed_about_its_own_peer_only(
    proxies: tuple[str, ...], said: str | None, client: str
) -> None:
    assert address_of(proxies, PROXY, said) == client


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("10.1.2.3:4567", PROXY),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_a_peers_port_is_no_part_of_its_address(peer: str, address: str) -> None:
    assert address_of((), peer) == address


def test_a_name_is_looked_up_again_for_a_peer_that_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [PROXY]
    asked = []

    def look_up(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(name)
        return [(0, 0, 0, "", (address, 0)) for address in known]

    monkeypatch.setattr("tasks_api.http.client_address.socket.getaddrinfo", look_up)
    monkeypatch.setattr("tasks_api.http.client_address._LOOK_UP_SECONDS", 0.0)
    addresses = ClientAddresses(("edge",))

    def ask(peer: str) -> str:
        return addresses.of({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": CLIENT})

    assert [ask(PROXY), ask(PROXY), ask("127.0.0.1")] == [CLIENT, CLIENT, "127.0.0.1"]
    assert asked == ["edge"]
    known[:] = ["10.1.2.4"]
    assert [ask("10.1.2.4"), ask(PROXY)] == [CLIENT, PROXY]


@pytest.mark.parametrize(("proxies", "logged"), [("", "127.0.0.1"), ("127.0.0.1", CLIENT)])
def test_the_log_has_the_clients_address(
    api: ApiProcess, api_environment: dict[str, str], proxies: str, logged: str
) -> None:
    variables = {"LOG_FORMAT": "json"} | ({"TRUSTED_PROXIES": proxies} if proxies else {})
    api.start(**api_environment, **variables)
    api.request("GET", "/tasks/1", headers={"X-Forwarded-For": f"{FORGED}, {CLIENT}"})
    lines = [json.loads(line) for line in api.log.splitlines() if line.startswith("{")]
    assert {line["client"] for line in lines if line.get("path") == "/tasks/1"} == {logged}
    assert FORGED not in api.log

"""How verification connects."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from stackwright.verification.client import Transport


def test_localhost_is_this_machine_where_nothing_resolves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = socket.getaddrinfo

    def without_hosts_file(host: str, *arguments: Any) -> Any:
        if host == "localhost":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found(host, *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", without_hosts_file)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connection = Transport().connection(urlsplit(f"http://localhost:{port}/"), 5)
        connection.request("GET", "/")
        peer = server.accept()[0]
        assert f"Host: localhost:{port}\r\n".encode() in peer.recv(1000)
        peer.close()
        connection.close()
    with pytest.raises(socket.gaierror):
        Transport().connection(urlsplit("http://nowhere.invalid/"), 5).connect()

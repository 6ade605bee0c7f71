"""Clients of an edge: from this host, and from a container whose address the edge sees unchanged."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0  # only against hangs


@dataclass(frozen=True)
class Answer:
    """Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """HTTPS to ``address`` under the name ``host``, trusting the certificates in ``authority`` only."""

    def __init__(self, host: str, address: str, port: int, authority: Path) -> None:
        trusting = ssl.create_default_context(cafile=str(authority))
        self._connection = http.client.HTTPSConnection(
            host, port, timeout=SECONDS, context=trusting
        )

        def connect() -> None:
            plain = socket.create_connection((address, port), SECONDS)
            self._connection.sock = trusting.wrap_socket(plain, server_hostname=host)

        self._connection.connect = connect  # type: ignore[method-assign]

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        chunked: bool = False,
    ) -> Answer:
        sent = {"Content-Type": "application/json", **(headers or {})}
        data: Any = None if body is None else json.dumps(body).encode()
        if chunked:
            data = iter([data[:1000], data[1000:]])
        self._connection.request(method, path, data, sent, encode_chunked=chunked)
        response = self._connection.getresponse()
        received = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, received, response.read())

    def dropped(self) -> bool:
        """Whether the other side closed the connection while nothing was asked."""
        open_socket = self._connection.sock
        return open_socket is not None and bool(select.select([open_socket], [], [], 0)[0])

    def close(self) -> None:
        self._connection.close()


@contextmanager
def container_on(network: str, image: str) -> Iterator[tuple[str, str]]:
    """A container with Python on a Docker network: its name and its address there."""
    name = f"{network}-client"
    started = subprocess.run(
        ["docker", "run", "--detach", "--rm", "--name", name, "--network", network,
         "--stop-signal", "KILL", image, "sleep", "600"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    try:
        line = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        found = subprocess.run(
            ["docker", "inspect", "--format", line, name],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        yield name, found.stdout.strip()
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def python_in(name: str, program: str) -> str:
    """What a Python program prints in a container."""
    done = subprocess.run(
        ["docker", "exec", "-i", name, "python", "-"],
        input=program, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout

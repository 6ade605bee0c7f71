"""Ask a program whether it works, over TCP, as its clients do."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess

from .binaries import postgres_tools
from .program import Program

HOST = "127.0.0.1"
ANSWER_SECONDS = 2.0


def probe(program: Program) -> str:
    """What keeps the program from being healthy; empty when it is."""
    return {"postgres": _postgres, "redis": _redis, "http": _http}[program.probe](program.port)


def _postgres(port: int) -> str:
    """pg_isready: 0 takes connections, 1 refuses them (starting, stopping), 2 no answer."""
    command = [
        str(postgres_tools() / "pg_isready"),
        f"--host={HOST}",
        f"--port={port}",
        "--timeout=2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stdout or done.stderr).strip()


def _redis(port: int) -> str:
    """PING, as the user that may do nothing else and needs no password (any will do)."""
    try:
        with socket.create_connection((HOST, port), ANSWER_SECONDS) as connection:
            connection.sendall(b"AUTH health none\r\nPING\r\n")
            stream = connection.makefile("rb")
            answers = [stream.readline(200), stream.readline(200)]
    except OSError as error:
        return f"PING: {error}"
    wrong = [answer for answer in answers if answer not in (b"+OK\r\n", b"+PONG\r\n")]
    return f"PING: {wrong[0].decode('utf-8', 'replace').strip() or 'no answer'}" if wrong else ""


def _http(port: int) -> str:
    try:
        status, _ = ask(port, "/livez")
    except (OSError, http.client.HTTPException) as error:
        return f"GET /livez: {error}"
    return "" if status == 200 else f"GET /livez: {status}"


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET. Raises OSError or HTTPException."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def api_version(port: int) -> str:
    """The version the API tells; empty when it does not."""
    try:
        return str(json.loads(ask(port, "/")[1])["version"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""

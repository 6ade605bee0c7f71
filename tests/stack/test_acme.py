"""A certificate that the edge asks an ACME issuer for, and the issuer checks: a real one, on this host."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.stack.acme_issuer import acme_issuer
from tests.stack.conftest import Stack, free_port
from tests.stack.containers import bridge_address, inside
from tests.stack.edge_client import Connection
from tests.support.project import Project, like_dev

pytestmark = pytest.mark.docker

HOST = "tasks.example"
SETTINGS = """api_port: {port}
edge_enabled: true
edge_host: {host}
edge_tls: acme
edge_bind_address: {address}
edge_http_port: 80
edge_https_port: 443
edge_acme_directory: {directory}
edge_acme_ca_file: {root}
"""


def test_a_certificate_by_acme(shared_project: Project, tmp_path: Path) -> None:
    address, port = bridge_address(), free_port()
    for wanted in (80, 443, 9443):
        with socket.socket() as probe:
            if not probe.connect_ex((address, wanted)):
                pytest.skip(f"{address}:{wanted} is taken: the issuer calls back at 80 and 443")
    with acme_issuer(address, 9443, HOST, tmp_path) as issuer:
        shared_project.environment(
            "swtest_acme",
            SETTINGS.format(
                port=port, host=HOST, address=address, directory=issuer.directory, root=issuer.root
            )
            + like_dev("admin123"),
        )
        stack = Stack(shared_project, "swtest_acme", "swtest-acme-", port)
        try:
            done = stack.site()
            assert done.returncode == 0, done.output
            connection = Connection(HOST, address, 443, issuer.root)
            assert connection.ask("GET", "/tasks").status == 200
            connection.close()
            kept = inside("swtest-acme-edge", "find", "/data", "-name", f"{HOST}.json").stdout
            assert issuer.directory.split("/")[2].replace(":", "-") in kept
            account = json.loads(inside("swtest-acme-edge", "cat", kept.strip()).stdout)
            assert account["sans"] == [HOST]
        finally:
            stack.remove()

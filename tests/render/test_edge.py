"""What an environment with a reverse proxy before its API is rendered to, and which settings of it are refused."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from stackwright.rendering.compose_file import check_schema
from stackwright.rendering.prepare import prepare
from stackwright.runtimes.compose.commands import access
from stackwright.settings.problems import RefusedError
from stackwright.settings.resolve import Resolution

from tests.support.composing import CHOICES, config
from tests.support.project import ROOT, inventory_of, like_dev
from tests.support.resolving import changed, look

FINE = f"""---
{like_dev("for-tests-only")}
edge_enabled: true
api_replicas: 2
api_port: 6100
"""


def certificate(folder: Path, name: str = "tasks.example") -> tuple[Path, Path]:
    """A certificate that signs itself, for a month, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def resolved(folder: Path, settings: str = "") -> Resolution:
    """An environment ``web`` with an edge and these settings on top."""
    group_vars = folder / "group_vars"
    group_vars.mkdir(parents=True)
    (group_vars / "all").symlink_to(ROOT / "inventories/group_vars/all")
    (group_vars / "web").mkdir()
    (group_vars / "web" / "fine.yml").write_text(FINE, encoding="utf-8")
    (group_vars / "web" / "main.yml").write_text(f"---\n{settings}\n", encoding="utf-8")
    (folder / "web.yml").write_text(inventory_of(["web"]), encoding="utf-8")
    return look(folder / "web.yml")["web"]


def values_of(folder: Path, settings: str = "") -> dict[str, Any]:
    seen = resolved(folder, settings)
    assert seen.problems == [], str(RefusedError("web", seen.problems))
    return seen.values


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return values_of(tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="module")
def understood(values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    files = prepare(values, CHOICES).files
    check_schema(files["docker-compose.yml"].content)
    return config(files, tmp_path_factory.mktemp("rendered"))


def caddyfile(values: dict[str, Any]) -> str:
    return prepare(values, CHOICES).files["config/edge/Caddyfile"].content.decode()


def test_only_the_edge_is_published(understood: dict[str, Any]) -> None:
    published = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in service["ports"]]
        for name, service in understood["services"].items()
        if service.get("ports")
    }
    assert published == {"edge": [("127.0.0.1", "6180", 8080), ("127.0.0.1", "6543", 8443)]}


def test_only_the_edge_has_a_way_out_and_none_to_the_data(understood: dict[str, Any]) -> None:
    joined = {name: set(service["networks"]) for name, service in understood["services"].items()}
    assert joined == {
        "banco-dados": {"backend"},
        "cache-redis": {"backend"},
        "api-web": {"backend", "edge"},
        "edge": {"edge", "public"},
    }
    internal = {name for name, network in understood["networks"].items() if network.get("internal")}
    assert internal == {"backend", "edge"}
    assert understood["networks"]["backend"]["name"] == "desafio3-web-network"


def test_the_edge_is_as_confined_as_the_others(understood: dict[str, Any]) -> None:
    edge = understood["services"]["edge"]
    assert edge["user"] == "10002:10002"
    assert edge["read_only"] is True
    assert edge["cap_drop"] == ["ALL"]
    assert "cap_add" not in edge
    assert edge["security_opt"] == ["no-new-privileges:true"]
    assert set(edge["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    mounts = {mount["target"]: mount for mount in edge["volumes"]}
    assert mounts["/etc/caddy"]["read_only"] is True
    assert {target for target, mount in mounts.items() if mount["type"] != "tmpfs"} == {
        "/data",
        "/etc/caddy",
    }


def test_the_api_believes_the_edge_about_clients_and_only_then(values: dict[str, Any]) -> None:
    with_edge = prepare(values, CHOICES).files["env/api-web.env"].content.decode().splitlines()
    assert {"TRUSTED_PROXIES=edge", "CLIENT_RATE=50", "CLIENT_BURST=100"} <= set(with_edge)
    without = prepare(changed(values, edge_enabled=False), CHOICES).files["env/api-web.env"]
    assert b"TRUSTED_PROXIES" not in without.content
    unlimited = prepare(changed(values, edge_client_rate=0), CHOICES).files["env/api-web.env"]
    assert b"TRUSTED_PROXIES=edge" in unlimited.content
    assert b"CLIENT_" not in unlimited.content


def test_connections_fit_into_the_memory(values: dict[str, Any], tmp_path: Path) -> None:
    def files(**changes: Any) -> int:
        rendered = prepare(changed(values, **changes), CHOICES).files["docker-compose.yml"]
        document = check_schema(rendered.content)
        return int(document["services"]["edge"]["ulimits"]["nofile"])

    assert (files(), files(edge_memory="64m")) == (1024, 256)
    assert files(edge_memory="64g") == values["stack_open_files"]
    text = caddyfile(values)
    assert "protocols h1\n" in text
    assert "request_buffers 65536" in text
    assert "request_buffers 65536" in caddyfile(values | {"api_max_body_bytes": 16777216})


def test_replicas_are_named_as_docker_names_them(values: dict[str, Any]) -> None:
    assert "to desafio3-web-api-web-1:5000 desafio3-web-api-web-2:5000\n" in caddyfile(values)
    assert "to api-web:5000\n" in caddyfile(changed(values, api_replicas=1))


def test_dev_has_no_trace_of_it() -> None:
    seen = look(ROOT / "inventories/dev.yml")["dev"]
    files = prepare(seen.values, CHOICES).files
    assert not [path for path in files if "edge" in path or path.startswith("config/")]
    compose = files["docker-compose.yml"].content.decode()
    assert "edge" not in compose
    assert "internal" not in compose


def test_a_changed_certificate_replaces_the_container_and_a_changed_configuration_is_read_anew(
    tmp_path: Path,
) -> None:
    pair = certificate(tmp_path / "one")
    settings = (
        "edge_tls: files\nedge_host: tasks.example\n"
        f"edge_tls_certificate_file: {pair[0]}\nedge_tls_key_file: {pair[1]}"
    )
    values = values_of(tmp_path / "web", settings)

    def label(**changes: Any) -> str:
        files = prepare(values | changes, CHOICES).files
        document = check_schema(files["docker-compose.yml"].content)
        return str(document["services"]["edge"]["labels"])

    first = label()
    assert label() == first
    assert label(edge_hsts_seconds=0) == first
    # Here the reload sees that another configuration runs.
    revisions = {
        caddyfile(values | changes).split()[-2] for changes in ({}, {"edge_hsts_seconds": 0})
    }
    assert len(revisions) == 2
    certificate(tmp_path / "one")
    assert label() != first


def test_files_reach_the_edge_as_secrets_of_its_own(tmp_path: Path) -> None:
    pair = certificate(tmp_path / "one")
    settings = (
        "edge_tls: files\nedge_host: tasks.example\n"
        f"edge_tls_certificate_file: {pair[0]}\nedge_tls_key_file: {pair[1]}"
    )
    prepared = prepare(values_of(tmp_path / "web", settings), CHOICES)
    key = prepared.files["secrets/edge/tls_key"]
    assert key.content == pair[1].read_bytes()
    assert (key.mode, key.owner) == (0o400, 10002)
    secret = pair[1].read_text(encoding="utf-8").splitlines()[1].encode()
    assert [path for path, file in prepared.files.items() if secret in file.content] == [
        "secrets/edge/tls_key"
    ]
    understood = config(prepared.files, tmp_path / "rendered")
    mounted = {one["target"] for one in understood["services"]["edge"]["secrets"]}
    assert mounted == {"tls_certificate", "tls_key"}
    assert "tls /run/secrets/tls_certificate /run/secrets/tls_key" in caddyfile(
        values_of(tmp_path / "again", settings)
    )


def test_acme_names_directory_address_and_roots(tmp_path: Path) -> None:
    root, _ = certificate(tmp_path / "ca")
    text = caddyfile(
        values_of(
            tmp_path / "web",
            "edge_tls: acme\nedge_host: tasks.example.com\nedge_acme_email: ops@example.com\n"
            f"edge_acme_directory: https://ca.example/dir\nedge_acme_ca_file: {root}",
        )
    )
    assert "issuer acme https://ca.example/dir {" in text
    assert "email ops@example.com" in text
    assert "trusted_roots /run/secrets/acme_ca" in text
    assert "tls internal" not in text


@pytest.mark.parametrize(
    ("settings", "setting", "reason"),
    [
        ("edge_tls: acme", "edge_host", "no name that an ACME issuer could reach"),
        ("edge_tls: acme\nedge_host: 192.0.2.1", "edge_host", "no name that an ACME issuer"),
        ("edge_tls: files", "edge_tls_certificate_file", "is empty"),
        ("edge_tls: files", "edge_tls_key_file", "is empty"),
        ("edge_tls: files\nedge_tls_certificate_file: /nowhere", "edge_tls_certificate_file", "No such file"),
        ("edge_tls: letsencrypt", "edge_tls", ""),
        ("edge_host: 'a b'", "edge_host", "form"),
        ("edge_host: 'x {\n  respond'", "edge_host", "form"),
        ("edge_host: Tasks.Example", "edge_host", "form"),
        ("edge_acme_email: 'a@b {'", "edge_acme_email", "form"),
        ("edge_acme_directory: http://ca.example", "edge_acme_directory", "form"),
        ("edge_https_port: 6180", "stack_services", "6180 is taken by"),
        ("edge_client_burst: 5", "edge_client_burst", "too small"),
        ("edge_memory: 16m", "edge_memory", "below 48m"),
        ("edge_bind_address: 300.1.1.1", "edge_bind_address", "no valid IPv4"),
        ("edge_volume: web_dados_postgres", "edge_volume", "the database's volume"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(settings: str, setting: str, reason: str, tmp_path: Path) -> None:
    problems = resolved(tmp_path / "web", settings).problems
    assert [problem for problem in problems if problem.setting == setting], problems
    assert any(reason in problem.reason for problem in problems if problem.setting == setting)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("another key", "is not for the key in edge_tls_key_file"),
        ("no certificate", "are no certificate in PEM form and its key"),
        ("a key with a password", "without a password"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused_before_anything_starts(
    fault: str, reason: str, tmp_path: Path
) -> None:
    pair = certificate(tmp_path / "one")
    if fault == "another key":
        certificate(tmp_path / "two")[1].replace(pair[1])
    elif fault == "no certificate":
        pair[0].write_text("hello", encoding="utf-8")
    else:
        key = serialization.load_pem_private_key(pair[1].read_bytes(), None)
        locked = serialization.BestAvailableEncryption(b"secret")
        pair[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
        )
    settings = (
        f"edge_tls: files\nedge_tls_certificate_file: {pair[0]}\nedge_tls_key_file: {pair[1]}"
    )
    problems = resolved(tmp_path / "web", settings).problems
    assert [problem.setting for problem in problems] == ["edge_tls_certificate_file"]
    assert reason in problems[0].reason


def test_verification_goes_through_the_edge_and_looks_at_the_apis_own_ports(
    values: dict[str, Any], tmp_path: Path
) -> None:
    found = access(prepare(values, CHOICES).environment, values)
    assert found["url"] == "https://web.localhost:6543"
    assert (found["edge"]["address"], found["edge"]["http_port"]) == ("127.0.0.1", 6180)
    assert found["edge"]["ca_command"][-1] == "/data/caddy/pki/authorities/local/root.crt"
    closed = {(port["service"], port["port"]) for port in found["closed_ports"]}
    assert {("api-web", 6100), ("api-web", 6101)} < closed
    settings = "edge_https_port: 443\nedge_tls: acme\nedge_host: web.example.com"
    public = values_of(tmp_path, settings)
    standard = access(prepare(public, CHOICES).environment, public)
    assert standard["url"] == "https://web.example.com"
    assert standard["edge"]["ca_command"] == []


def test_the_embedded_runtime_leaves_it_out(values: dict[str, Any]) -> None:
    record = prepare(values, CHOICES | {"runtime": "embedded"}).record
    assert record["services"] == ["banco-dados", "cache-redis", "api-web"]
    assert (
        json.loads(prepare(values, CHOICES).files["embedded/api-web.json"].content)["env"][
            "API_HOST"
        ]
        == "127.0.0.1"
    )

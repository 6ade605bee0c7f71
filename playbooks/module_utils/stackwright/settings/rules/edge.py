"""Rules of the reverse proxy's settings, most of all that its certificate fits its key before anything is started."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

from .folders import ca_bundle_problems, unreadable

Problems = list[tuple[str, str, str]]


def edge_problems(values: Mapping[str, Any]) -> Problems:
    """(setting, reason, fix) each; none where there is no edge."""
    if not values["edge_enabled"]:
        return []
    found: Problems = []
    if values["edge_volume"] == values["db_volume"]:
        found.append(("edge_volume", "is the database's volume, db_volume", "name another one"))
    if values["edge_tls"] == "acme":
        found += _issuer(values)
    if values["edge_tls"] == "files":
        found += _pair(values["edge_tls_certificate_file"], values["edge_tls_key_file"])
    return found


def _issuer(values: Mapping[str, Any]) -> Problems:
    host, authority = values["edge_host"], values["edge_acme_ca_file"]
    found: Problems = []
    if _is_address(host) or "." not in host or host.endswith(".localhost"):
        reason = "is no name that an ACME issuer could reach, and edge_tls is acme"
        found.append(("edge_host", reason, "set it to the environment's name in the DNS"))
    if authority:
        found += ca_bundle_problems("edge_acme_ca_file", authority)
    return found


def _pair(certificate: str, key: str) -> Problems:
    named = {"edge_tls_certificate_file": certificate, "edge_tls_key_file": key}
    found = [
        (name, trouble, "name a PEM file on this machine that this user can read")
        for name, path in named.items()
        if (trouble := unreadable(path))
    ]
    if found:
        return found
    try:
        # A key with a password would ask for it: an empty one is refused at once.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        reason = (
            "and edge_tls_key_file are no certificate in PEM form and its key without a password"
        )
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            reason = "is not for the key in edge_tls_key_file"
        fix = "give the certificate with its chain, and the key that it was made with"
        return [("edge_tls_certificate_file", reason, fix)]
    return []


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

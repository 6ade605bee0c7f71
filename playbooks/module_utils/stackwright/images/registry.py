"""Which images a registry has, which digest their tags have there now, and the file that records those.

A registry is asked by the distribution protocol, version 2, without an account.
Source: https://distribution.github.io/distribution/spec/api/ (manifests) and …/spec/auth/token/ (anonymous tokens).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from email.message import Message
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, parse_http_list, parse_keqv_list, urlopen

from .references import KINDS

DOCKER_HUB = "registry-1.docker.io"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Indexes over platforms first: their digest is the one that holds on every machine.
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


class RegistryError(Exception):
    """A registry that gave no digest; the message says why, in a few words."""


def manifest_address(reference: str) -> str:
    """``redis:7`` → the address of its manifest. Loopback registries are asked without TLS, as the engine does.

    ``reference`` has no digest.
    """
    host, slash, path = reference.partition("/")
    if not slash or not (re.search(r"[.:]", host) or host == "localhost"):
        host, path = DOCKER_HUB, reference if slash else f"library/{reference}"
    elif host == "docker.io":
        host, path = DOCKER_HUB, path if "/" in path else f"library/{path}"
    name, _, tag = path.partition(":")
    scheme = "http" if _is_loopback(host) else "https"
    return f"{scheme}://{host}/v2/{name}/manifests/{tag or 'latest'}"


def _is_loopback(host: str) -> bool:
    name = host.partition(":")[0]
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def current_digest(reference: str, timeout_seconds: float) -> str:
    """The digest that ``reference`` has in its registry now. Each of three requests may take ``timeout_seconds``.

    Raises RegistryError.
    """
    address = manifest_address(reference)
    headers = {"Accept": MANIFESTS}
    try:
        try:
            answer = _head(address, headers, timeout_seconds)
        except HTTPError as refused:
            challenge = refused.headers.get("WWW-Authenticate", "")
            if refused.code != 401 or not challenge.lower().startswith("bearer "):
                raise
            token = _anonymous_token(challenge, timeout_seconds)
            answer = _head(address, headers | {"Authorization": f"Bearer {token}"}, timeout_seconds)
    except HTTPError as refused:
        raise RegistryError(f"the registry answers {refused.code} {refused.reason}") from None
    except (OSError, ValueError, KeyError) as error:  # OSError has URLError and time-outs in it
        raise RegistryError(f"no answer ({getattr(error, 'reason', error)})") from None
    digest = answer.get("Docker-Content-Digest", "")
    if not DIGEST.fullmatch(digest):
        raise RegistryError("the registry names no sha256 digest")
    return str(digest)


def _head(address: str, headers: dict[str, str], timeout_seconds: float) -> Message:
    request = Request(address, headers=headers, method="HEAD")
    with urlopen(request, timeout=timeout_seconds) as answer:
        found: Message = answer.headers
        return found


def _anonymous_token(challenge: str, timeout_seconds: float) -> str:
    """A token for reading what the challenge names. Raises KeyError or ValueError where the answer has none."""
    wanted: dict[str, str] = parse_keqv_list(parse_http_list(challenge.partition(" ")[2]))
    query = urlencode([(name, wanted[name]) for name in ("service", "scope") if name in wanted])
    with urlopen(f"{wanted['realm']}?{query}", timeout=timeout_seconds) as answer:
        document: dict[str, Any] = json.load(answer)
    return str(document.get("token") or document["access_token"])


def registry_images(values: Mapping[str, Any]) -> list[str]:
    """References that a registry resolves: the base images and the finished images of enabled services.

    Without those that carry a digest already, and without names below localhost/, which no registry has.
    """
    services = [entry for entry in values["stack_services"].values() if entry["enabled"]]
    named = [values[f"{kind}_base_image"] for kind in KINDS]
    named += [entry["image"] for entry in services if "image" in entry]
    return [
        reference
        for reference in dict.fromkeys(named)
        if "@" not in reference and not reference.startswith("localhost/")
    ]


def with_digests(text: str, digests: Mapping[str, str]) -> str:
    """The text of digests.yml with other digests: comments stay, the setting is the last in the file.

    Raises ValueError where the file does not have the setting.
    """
    head, setting, _ = text.partition("\nimage_digests:")
    if not setting:
        raise ValueError("digests.yml has no setting image_digests")
    lines = [
        f"  {json.dumps(name)}: {json.dumps(digest)}\n" for name, digest in sorted(digests.items())
    ]
    return f"{head}{setting}\n{''.join(lines)}"

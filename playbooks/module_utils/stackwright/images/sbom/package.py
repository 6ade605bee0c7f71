"""One package of an image, whatever installed it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Package:
    """``kind`` is the type of a package URL, such as deb, apk, pypi or cargo.

    ``licences`` are as the package itself declares them: SPDX expressions or names. ``namespace`` is the distribution
    and ``architecture`` what it was built for, both empty outside of distributions.
    """

    kind: str
    name: str
    version: str
    licences: tuple[str, ...] = ()
    namespace: str = ""
    architecture: str = ""

"""Rules of folders and files on this machine: the output has a folder of its own, and what is read is there."""

from __future__ import annotations

import os.path
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ... import layout

Problems = list[tuple[str, str, str]]
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
OUTPUT = layout.PROJECT / "generated"
# Nothing below these is for us, but for memory that programs may use freely.
SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr"),
    *("/var/lib/containerd", "/var/lib/docker", "/var/lib/dpkg", "/var/run"),
)  # fmt: skip
SHARED_MEMORY = "/dev/shm"
# Others' things lie in these themselves; a folder below is fine.
SHARED = (
    *("/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", SHARED_MEMORY),
    *("/var", "/var/cache", "/var/lib", "/var/log", "/var/opt", "/var/spool", "/var/tmp"),
)  # fmt: skip
BEGIN, END = "-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
# Compose makes a URL of its working directory and does not parse it then.
URL_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def folder_problems(values: Mapping[str, Any]) -> Problems:
    """(setting, reason, fix) each."""
    found = []
    if reason := _unfit(values["stack_output_dir"]):
        fix = (
            f"name a folder of its own, such as the default generated/{values['stack_environment']}"
        )
        found.append(("stack_output_dir", reason, fix))
    places = (values["stack_output_dir"], str(layout.PROJECT))
    if values["stack_runtime"] != "embedded" and any(URL_ESCAPE.search(place) for place in places):
        reason = "or the project's own path has a %, with which Compose does not work"
        fix = "take paths without %, or set stack_runtime to embedded"
        found.append(("stack_output_dir", reason, fix))
    if values["build_ca_bundle"]:
        found += ca_bundle_problems("build_ca_bundle", values["build_ca_bundle"])
    return found


def ca_bundle_problems(setting: str, path: str) -> Problems:
    """Problems of a file that must hold certificates of authorities."""
    if trouble := unreadable(path):
        return [(setting, trouble, "correct the path, or leave it empty")]
    # The first one tells: a bundle of all authorities takes 20 ms to load, and settings are read in each phase.
    first = Path(path).read_bytes().partition(END)[0] + END
    try:
        text = first.decode("ascii", "ignore")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
            cadata=text[text.find(BEGIN) :]
        )
    except (ssl.SSLError, ValueError):
        reason = "names a file that holds no certificate in PEM form"
        return [(setting, reason, "give it the root certificate of the authority")]
    return []


def unreadable(path: str) -> str:
    """Why a file cannot be read, in words that follow the setting's name, or nothing."""
    if not path:
        return "is empty"
    try:
        Path(path).read_bytes()
    except OSError as error:
        return f"names a file that cannot be read: {error.strerror}"
    return ""


def _unfit(folder: str) -> str:
    """Why the output must not go there, in words that follow the setting's name, or nothing."""
    if os.path.normpath(folder) != folder or CONTROL.search(folder):
        return "is not a plain path: it has .., doubled slashes or control characters"
    for place in {Path(folder), Path(os.path.realpath(folder))}:
        if layout.PROJECT.is_relative_to(place):
            return "is the project's own folder or one around it"
        if place.is_relative_to(layout.PROJECT):
            if place == OUTPUT or not place.is_relative_to(OUTPUT):
                return "is a folder of the project that is there for something else"
        elif (
            place in (*map(Path, SHARED), Path.home())
            or place.parent == Path("/home")
            or _of_system(place)
        ):
            return "is a folder of the system, or below one"
    return ""


def _of_system(place: Path) -> bool:
    if place.is_relative_to(SHARED_MEMORY):
        return False
    return any(place.is_relative_to(folder) for folder in SYSTEM)

"""Write any Unicode text into YAML, Compose and env files so that it comes out unchanged and creates no structure.

Sources: YAML 1.2.2 section 5 (printable characters, escapes), the Compose specification's interpolation ("use a
double-dollar sign"), and Compose's env_file syntax, probed with Compose 2.40.3 in tests/render.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from ..secrets.tokens import token_files

# What may stand raw in a double-quoted YAML scalar, besides being no control character: the rest is escaped.
NOT_PRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def yaml_scalar(value: Any) -> str:
    """One value as a YAML flow scalar or collection, in the JSON subset of YAML."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return NOT_PRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escape_dollars(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escape_dollars(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape_dollars(item) for item in value]
    return value


def compose_scalar(value: Any) -> str:
    """One value for a Compose file: as ``yaml_scalar``, and ``$`` doubled so that Compose interpolates nothing."""
    return yaml_scalar(_escape_dollars(value))


def env_value(value: Any) -> str:
    r"""One value for an env file read by Compose: quoted so that ``$ # \ ' "`` and line breaks are data."""
    text = str(value)
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,-]*", text):
        return text
    if "'" not in text and "\\" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8 in hex, as Redis keeps passwords."""
    return hashlib.sha256(text.encode()).hexdigest()


FILTERS = {
    "yaml": yaml_scalar,
    "compose": compose_scalar,
    "env": env_value,
    "sha256": sha256,
    "token_files": token_files,
}

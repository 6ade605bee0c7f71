"""Any text is data: what goes into a setting comes out of Compose, and of a container, byte for byte.

Compose itself is asked, because its reading of YAML, of ``$`` and of env files is what counts.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stackwright.images.references import Image
from stackwright.rendering.prepare import template_context
from stackwright.rendering.quoting import yaml_scalar
from stackwright.rendering.templates import render_tree
from stackwright.settings.validation import CONTROL

from tests.stack.containers import base_images, docker, new_name
from tests.support.composing import config, rendered, shape
from tests.support.project import ROOT, inventory_of, like_dev
from tests.support.resolving import dev_values, look

HOSTILE = [
    *("p$word", "p${x", "$$", "${HOME}", "$(id)", "`id`", "a$b$$c$$$d", "$", "\\$", "\\\\$x", "%s", "%(here)s"),
    *("a #b", "#", " #", "trailing ", " leading", "\ttab\t", "", " ", "0123", "1e3", "0x1F", "56:22", "1_000", ".nan"),
    *("no", "yes", "null", "~", "true", "2024-01-31", "-", "- a", "? a", ": b", "a: b", "a:", "!!int 3", "!unsafe x"),
    *("{a", "}", "[", "*x", "&x", "@x", "|", ">", "%YAML 1.1", "---", "...", "=", "a=b", "export A=b", "<<"),
    *('"', "'", "'\"", "\"'", "a'b", 'a"b', "it's \"$5\" \\n", "\\", "\\n", "\\\\", "'\\", "\\'", "\\u0041", "\\x41"),
    *("a\nb", "\n", "a\n", "\na", "a\r\nb", "\r", "a\rb", "x\n    privileged: true", "x\nDB_HOST=evil", '"\nA="b'),
    *("'\nA='b", "{{ 7*7 }}", "{% raw %}", "{# x #}", "}}", "\x01", "\x1b[2J", "\x7f", "\x85", "\x9f", "\u2028"),
    *("\u2029", "\ufeff", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "ção", "日本語", "\U0001f600", "שלום", "e\u0301"),
    *("\u200b", "\u202e", "x" * 5000, "\\" * 99, "$" * 99, "'" * 99, '"' * 99, string.printable),
]  # fmt: skip
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
    st.text(
        st.sampled_from("$\\'\"`#{}%:=-!&*@|>,[] \t\r\n~ae0\u0085\u2028\ufeff\U0001f600"),
        max_size=30,
    ),
    st.sampled_from(HOSTILE),
)
SECRET = TEXT.filter(lambda text: 0 < len(text) <= 512 and not CONTROL.search(text))
BATCH = st.lists(TEXT, min_size=20, max_size=60)
# Each example is one call of Compose, 0.1 s, for its whole batch.
EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MARKS = re.compile(r"\{[{%#]")
_folders = itertools.count()


def with_texts(texts: Sequence[str], **changes: Any) -> dict[str, Any]:
    """Settings of dev with every text as a variable and as a label."""
    variables = {f"TEXT_{number}": text for number, text in enumerate(texts)}
    labels = {f"text-{number}": text for number, text in enumerate(texts)}
    return dev_values(api_environment=variables, stack_labels=labels, **changes)


def as_written(text: str) -> str:
    """A text as docs/environments.md says to write it: quoted, and `!unsafe` where it has the marks of a template.

    Only there: Ansible reads `!unsafe "0"` as a number and `!unsafe ""` as nothing, quotes or not.
    """
    return f"{'!unsafe ' if MARKS.search(text) else ''}{yaml_scalar(text)}"


def fresh(folder: Path) -> Path:
    """A folder of its own for every example."""
    return folder / f"example{next(_folders)}"


def assert_unchanged(texts: Sequence[str], password: str, understood: dict[str, Any]) -> None:
    services = understood["services"]
    environment = services["api-web"]["environment"]
    assert [environment[f"TEXT_{number}"] for number in range(len(texts))] == list(texts)
    assert environment["DB_PASSWORD"] == password
    assert services["banco-dados"]["environment"]["POSTGRES_PASSWORD"] == password
    for service in services.values():
        assert [service["labels"][f"text-{number}"] for number in range(len(texts))] == list(texts)


@EXAMPLES
@given(texts=BATCH, password=SECRET)
def test_any_text_comes_back_from_compose_and_adds_no_key(
    texts: list[str], password: str, tmp_path: Path
) -> None:
    values = with_texts(texts, db_password=password, db_app_password=password)
    understood = config(rendered(values), fresh(tmp_path))
    assert_unchanged(texts, password, understood)
    harmless = rendered(with_texts(["x"] * len(texts), db_password="x"))
    assert shape(understood) == shape(config(harmless, fresh(tmp_path)))


def test_every_known_trap_comes_back_from_compose(tmp_path: Path) -> None:
    password = "p$w'o\"r\\d #{{ x }}"
    values = with_texts(HOSTILE, db_password=password, db_app_password=password)
    assert_unchanged(HOSTILE, values["db_password"], config(rendered(values), tmp_path))


@pytest.mark.parametrize(
    "password", [text for text in HOSTILE if 0 < len(text) <= 512 and not CONTROL.search(text)]
)
def test_a_password_as_a_file_is_the_password_and_nothing_else(password: str) -> None:
    files = rendered(
        dev_values(secrets_delivery="file", secrets_strict=False, db_password=password)
    )
    secrets = {path: file for path, file in files.items() if path.startswith("secrets/")}
    assert {file.mode for file in secrets.values()} == {0o400}
    assert secrets["secrets/banco-dados/db_password"].content == password.encode()
    holding = {path for path, file in secrets.items() if file.content == password.encode()}
    assert holding == {"secrets/banco-dados/db_password"}
    variables = b"".join(
        file.content for path, file in files.items() if path.startswith(("env/", "embedded/"))
    )
    assert b"PASSWORD=" not in variables
    assert b'PASSWORD":' not in variables


@settings(EXAMPLES, max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(texts=BATCH, password=SECRET)
def test_any_text_written_into_group_vars_comes_back(
    texts: list[str], password: str, tmp_path: Path
) -> None:
    """The whole way: a user's file, Ansible, the schema, the templates, Compose."""
    folder = fresh(tmp_path)
    lines = ["---", like_dev(as_written(password)), "build_ca_bundle: ''", "stack_labels:"]
    lines += [f"  text-{number}: {as_written(text)}" for number, text in enumerate(texts)]
    lines.append("api_environment:")
    lines += [f"  TEXT_{number}: {as_written(text)}" for number, text in enumerate(texts)]
    (folder / "group_vars/wild").mkdir(parents=True)
    (folder / "group_vars/all").symlink_to(ROOT / "inventories/group_vars/all")
    (folder / "group_vars/wild/main.yml").write_bytes("\n".join([*lines, ""]).encode())
    (folder / "wild.yml").write_text(inventory_of(["wild"]), encoding="utf-8")
    seen = look(folder / "wild.yml")["wild"]
    assert seen.problems == []
    assert_unchanged(texts, password, config(rendered(seen.values), folder / "out"))


@pytest.mark.docker
def test_a_container_receives_every_text_byte_for_byte(tmp_path: Path) -> None:
    project = new_name()
    names = {
        "stack_project": project,
        "stack_network": f"{project}-network",
        "db_volume": f"{project}_data",
    }
    values = with_texts(HOSTILE, stack_container_prefix=f"{project}-", api_port=21798, **names)
    values["db_app_password"] = "p$w'o\"r\\d #{{ x }} ção"
    # The image is only there to run something: the variables and labels are what the test is about.
    images = {name: Image(base_images()["python"]) for name in values["stack_services"]}
    values["stack_services"] = {
        name: service | {"needs": []} for name, service in values["stack_services"].items()
    }
    files = render_tree(template_context(values, images))
    for path, file in files.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
    compose = ("compose", "--file", str(tmp_path / "docker-compose.yml"))
    try:
        container = f"{project}-once"
        docker(
            *compose, "run", "--no-deps", "--detach", "--name", container, "api-web", "sleep", "60"
        )
        # Docker's own streams are bytes; base64 keeps what text mode would translate.
        encoded = docker("exec", container, "base64", "-w0", "/proc/1/environ").stdout
        labels = docker("inspect", "--format", "{{json .Config.Labels}}", container).stdout
    finally:
        docker("rm", "--force", f"{project}-once", check=False)
        docker(*compose, "down", "--volumes", "--timeout", "1", check=False)

    raw = base64.b64decode(encoded).split(b"\0")
    received = dict(entry.split(b"=", 1) for entry in raw if entry)
    assert [received[f"TEXT_{number}".encode()] for number in range(len(HOSTILE))] == [
        t.encode() for t in HOSTILE
    ]
    assert received[b"DB_PASSWORD"] == values["db_app_password"].encode()
    expected = {f"text-{number}": text for number, text in enumerate(HOSTILE)}
    assert {key: text for key, text in json.loads(labels).items() if key in expected} == expected

"""docs/settings.md is what schema and defaults say now, and there is no page while one of them says too little."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stackwright import layout
from stackwright.settings.comments import first_sentence, read_defaults
from stackwright.settings.page import PAGE, PageError, main, page
from stackwright.settings.schema import Setting, load_schema, parse_schema

SHIPPED = load_schema(layout.SCHEMA_FILE)


@pytest.fixture(scope="module")
def shipped() -> str:
    return page(layout.DEFAULTS, SHIPPED)


def test_the_shipped_page_is_up_to_date(shipped: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == shipped, "stale: `make docs` writes it anew"


@pytest.mark.parametrize("setting", SHIPPED.values(), ids=lambda setting: setting.name)
def test_each_setting_has_its_heading_meaning_unit_and_allowed_form(
    setting: Setting, shipped: str
) -> None:
    (part,) = [
        part
        for part in shipped.split("\n### ")[1:]
        if f"`{setting.name}`" in part.partition("\n")[0]
    ]
    assert setting.meaning.rstrip(".") in re.sub(
        r"\[(`\w+`)\]\(\S+\)", lambda link: link[1].strip("`"), part
    )
    assert setting.allowed in part
    assert setting.unit in part
    assert "Default" in part


@pytest.mark.parametrize("setting", SHIPPED.values(), ids=lambda setting: setting.name)
def test_a_number_has_a_unit_unless_it_is_a_port(setting: Setting) -> None:
    is_number = setting.rule.get("type") in ("integer", "number")
    assert bool(setting.unit) or not is_number or setting.name.endswith("_port")


def test_every_link_leads_to_a_heading(shipped: str) -> None:
    headings = re.findall(r"(?m)^##+ (.+)$", shipped)
    anchors = {
        heading.replace("`", "").replace(",", "").replace(" ", "-").lower() for heading in headings
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", shipped))
    assert links
    assert links <= anchors


def test_a_secret_comes_from_the_vault_and_no_value_is_shown(shipped: str) -> None:
    assert "from the vault, as `vault_db_password`" in shipped
    assert "admin123" not in shipped


# One section with one setting of its own and two that share a comment.
DEFAULTS = """---
# The shop.

# Seconds it waits. Longer is kinder.
#   never  not at all,
#          ever
shop_wait_seconds: 3

# Who may come in, and how many. More are turned away at <the door>.
shop_guests: "{{ 'a' | upper }}"
shop_seats: {a: 1,
             b: 2}
"""
SCHEMA = {
    "shop": {
        "shop_wait_seconds": {"meaning": "Seconds it waits.", "type": "integer", "minimum": 1, "maximum": 9},
        "shop_guests": {"meaning": "Who may come in.", "type": "string", "allowed": "a | b"},
        "shop_seats": {"meaning": "How many.", "unit": "seats", "type": "object", "allowed": "see shop_guests"},
    },
}  # fmt: skip


def written(folder: Path, text: str = DEFAULTS) -> Path:
    (folder / "shop.yml").write_text(text, encoding="utf-8")
    return folder


def test_a_page_is_written_from_comment_default_and_schema(tmp_path: Path) -> None:
    text = page(written(tmp_path), parse_schema(SCHEMA)).partition("\n## ")[2]
    assert (
        text
        == """shop

The shop.

### `shop_wait_seconds`

Seconds it waits. Longer is kinder.

- `never`: not at all, ever

**Default** `3` · **Allowed** a whole number from 1 to 9

### `shop_guests`, `shop_seats`

Who may come in, and how many. More are turned away at \\<the door>.

| Setting | Meaning | Default | Unit | Allowed |
|---|---|---|---|---|
| `shop_guests` | Who may come in. | `{{ 'a' \\| upper }}` |  | a \\| b |
| `shop_seats` | How many. | below | seats | see shop_guests |

```yaml
{a: 1,
 b: 2}
```
"""
    )


@pytest.mark.parametrize(
    ("old", "new", "gap"),
    [
        ("# Seconds it waits. Longer is kinder.\n", "", "does not begin with its meaning"),
        ("# Seconds it waits. Longer is kinder.\n#   never  not at all,\n#          ever\n", "",
         "shop.yml:4: shop_wait_seconds has no comment right above it"),
        ("#          ever\n", "\n", "shop.yml:7: shop_wait_seconds has no comment right above it"),
        ("#          ever\n", "\n", "shop.yml: no setting follows the comment: Seconds it waits."),
        (" Longer is kinder.\n#   never  not at all,\n#          ever", "",
         "shop.yml:5: shop_wait_seconds has a comment without a consequence"),
        (" More are turned away at <the door>.", "", "shop_guests has a comment without a consequence"),
        ("# The shop.\n\n", "", "shop.yml: says nothing about itself"),
        ("shop_wait_seconds", "shop_hold_seconds", "shop_hold_seconds has no entry in playbooks/vars/settings.yml"),
        ("shop_wait_seconds", "shop_hold_seconds", "shop_wait_seconds of playbooks/vars/settings.yml has no default"),
        ("shop_wait_seconds", "other", "other is in the section elsewhere of playbooks/vars/settings.yml"),
    ],
)  # fmt: skip
def test_there_is_no_page_while_something_is_missing(
    old: str, new: str, gap: str, tmp_path: Path
) -> None:
    assert old in DEFAULTS
    elsewhere = {"elsewhere": {"other": {"meaning": "Other.", "type": "boolean"}}}
    schema = parse_schema(SCHEMA | (elsewhere if new == "other" else {}))
    with pytest.raises(PageError) as refused:
        page(written(tmp_path, DEFAULTS.replace(old, new)), schema)
    assert gap in str(refused.value)


def test_the_command_writes_the_page_or_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = layout.PROJECT / "docs" / "settings.md"
    before = target.stat().st_mtime_ns, target.read_bytes()
    monkeypatch.setattr(layout, "DEFAULTS", written(tmp_path))
    assert main() == 1
    assert "shop_guests has no entry" in capsys.readouterr().err
    assert (target.stat().st_mtime_ns, target.read_bytes()) == before


def test_the_first_sentence_ends_at_the_first_full_stop_before_a_space() -> None:
    assert first_sentence("Listens on 127.0.0.1\nonly. Never else.") == "Listens on 127.0.0.1 only."
    assert first_sentence("no stop") == "no stop"


def test_every_shipped_default_is_read_with_its_line() -> None:
    for path in layout.DEFAULTS.iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        for group in read_defaults(path).groups:
            for default in group.defaults:
                assert lines[default.line - 1].startswith(f"{default.name}:")

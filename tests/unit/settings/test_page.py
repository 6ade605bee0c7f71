"""docs/settings.md is what the records say now, and there is no page while one of them says too little."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stackwright import layout
from stackwright.settings.page import PAGE, PageError, main, page
from stackwright.settings.schema import Setting, load_schema

SHIPPED = load_schema(layout.DEFAULTS)


@pytest.fixture(scope="module")
def shipped() -> str:
    return page(layout.DEFAULTS)


def test_the_shipped_page_is_up_to_date(shipped: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == shipped, "stale: `make docs` writes it anew"


def test_each_setting_has_its_heading_meaning_unit_and_allowed_form(shipped: str) -> None:
    for setting in SHIPPED.values():
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
# @schema {type: integer, minimum: 1, maximum: 9}
shop_wait_seconds: 3

# Who may come in, and how many. More are turned away at <the door>.
# @schema {type: string, allowed: a | b}
shop_guests: "{{ 'a' | upper }}"
# @schema {type: object, unit: seats, allowed: see shop_guests}
shop_seats: {a: 1,
             b: 2}
"""


def written(folder: Path, text: str = DEFAULTS) -> Path:
    (folder / "shop.yml").write_text(text, encoding="utf-8")
    return folder


def test_a_page_is_written_from_comment_default_and_rule(tmp_path: Path) -> None:
    text = page(written(tmp_path)).partition("\n## ")[2]
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

| Setting | Default | Unit | Allowed |
|---|---|---|---|
| `shop_guests` | `{{ 'a' \\| upper }}` |  | a \\| b |
| `shop_seats` | below | seats | see shop_guests |

```yaml
{a: 1,
 b: 2}
```
"""
    )


@pytest.mark.parametrize(
    ("old", "new", "gaps"),
    [
        ("# Seconds it waits. Longer is kinder.\n#   never  not at all,\n#          ever\n", "",
         ["shop.yml:5: shop_wait_seconds has no comment right above it"]),
        ("#          ever\n", "\n",
         ["shop.yml: a comment is about no setting: Seconds it waits. Longer is kinder.",
          "shop.yml:8: shop_wait_seconds has no comment right above it"]),
        (" Longer is kinder.\n#   never  not at all,\n#          ever", "",
         ["shop.yml:6: shop_wait_seconds has a comment without a consequence"]),
        (" More are turned away at <the door>.", "",
         ["shop.yml:12: shop_guests has a comment without a consequence",
          "shop.yml:14: shop_seats has a comment without a consequence"]),
        ("# The shop.\n\n", "", ["shop.yml: the file says nothing about itself"]),
        ("# @schema {type: integer, minimum: 1, maximum: 9}\n", "",
         ["shop.yml:7: shop_wait_seconds has no `# @schema {…}` right above it"]),
    ],
)  # fmt: skip
def test_there_is_no_page_while_something_is_missing(
    old: str, new: str, gaps: list[str], tmp_path: Path
) -> None:
    assert old in DEFAULTS
    with pytest.raises(PageError) as refused:
        page(written(tmp_path, DEFAULTS.replace(old, new)))
    said = str(refused.value).replace(f"{tmp_path}/", "").splitlines()
    assert [line.partition(";")[0] for line in said] == gaps


def test_the_command_writes_the_page_or_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = layout.PROJECT / "docs" / "settings.md"
    before = target.stat().st_mtime_ns, target.read_bytes()
    monkeypatch.setattr(
        layout, "DEFAULTS", written(tmp_path, DEFAULTS.replace("{type: string", "{"))
    )
    assert main() == 1
    assert "shop_guests has a `# @schema` that cannot be read" in capsys.readouterr().err
    assert (target.stat().st_mtime_ns, target.read_bytes()) == before

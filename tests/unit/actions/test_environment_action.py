"""What action plugins share: arguments, and texts that are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from stackwright.actions.environment_action import EnvironmentAction


class Action(EnvironmentAction):
    def act(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        return {}


def action(**arguments: object) -> Action:
    return Action(SimpleNamespace(args=arguments, async_val=0), *[None] * 5)


@pytest.mark.parametrize("given", ["false", "False", "no", False, "rubbish"])
def test_no_is_no_also_where_the_command_line_says_it(given: object) -> None:
    assert action(adopt=given).flag("adopt") is False


@pytest.mark.parametrize("given", ["true", "yes", True])
def test_yes_is_yes(given: object) -> None:
    assert action(adopt=given).flag("adopt") is True


def test_what_is_not_given_is_as_the_plugin_says() -> None:
    assert action().flag("current", default=True) is True

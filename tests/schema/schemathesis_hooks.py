"""What schemathesis does on top for this API; it loads this file itself."""

from __future__ import annotations

import itertools
import re

import schemathesis

KEY = "Idempotency-Key"
_numbers = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    """Make every acceptable Idempotency-Key a new one.

    Otherwise a key that happens to be generated twice replays the first answer, whose task may have
    been deleted since, or is refused for another body, as it should be: no schema can say that.
    """
    key = (case.headers or {}).get(KEY)
    if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
        case.headers[KEY] = f"{key}{next(_numbers)}"[-255:]


@schemathesis.check
def error_code_is_described(context, response, case) -> None:
    """An error has a code that the description shows an example of, for that status."""
    if response.status_code < 400 or case.method == "HEAD":
        return
    definition = case.operation.responses.find_by_status_code(response.status_code)
    if definition is None:
        return  # 405 and the like: the service describes it for all operations at once
    content = definition.definition.get("content", {}).get("application/json", {})
    if "Error" not in str(content.get("schema")):
        return
    code = response.json()["error"]["code"]
    assert code in content["examples"], (
        f"{code} is not among the examples of {response.status_code}"
    )

"""Bearer tokens in the embedded runtime, where dev's way of delivering passwords is no way for them."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from stackwright import layout

from tests.embedded.stacks import Stack

OLD, NEW, CI = "oLd-token-4711-xy", "nEw-token-4711-xy", "cI-token-4711-xyz"


def status(stack: Stack, method: str, path: str, token: str = "", body: Any = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers["Content-Type"] = "application/json"
        connection.request(method, path, json.dumps(body or {}), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_tokens_are_asked_for_and_a_changed_one_restarts_only_the_api(tmp_path: Path) -> None:
    stack = Stack(
        tmp_path / "it's a folder",
        api_port=11430,
        api_auth="token",
        api_tokens={"ops": "admin", "ci": "write"},
        api_token_secrets={"ops": OLD, "ci": CI},
    )
    stack.render()
    try:
        stack.start()
        task = {"title": "t"}
        for token, code in (("", 401), (NEW, 401), (CI, 201), (OLD, 201)):
            assert status(stack, "POST", "/tasks", token, task) == code
        for token, code in (("", 401), (CI, 403), (OLD, 200)):
            assert status(stack, "GET", "/metrics", token) == code
        assert status(stack, "GET", "/tasks") == 200
        stack.play(layout.PROJECT / "playbooks/verify.yml")
        report = (stack.output / "verify.json").read_text(encoding="utf-8")
        (proof,) = (one for one in json.loads(report)["proofs"] if one["name"] == "tokens")
        assert "refused without a token, reading is open" in proof["text"]
        before = stack.pids()
        stack.render(api_token_secrets={"ops": NEW, "ci": CI})
        assert stack.start().restarted == ["api-web"]
        assert {name for name, pid in stack.pids().items() if pid != before[name]} == {"api-web"}
        assert status(stack, "GET", "/metrics", OLD) == 401
        assert status(stack, "GET", "/metrics", NEW) == 200
        for place in ("manifest.json", "embedded/api-web.json", "env/api-web.env"):
            report += (stack.output / place).read_text(encoding="utf-8")
        assert not [token for token in (OLD, NEW, CI) if token in report]
    finally:
        stack.stop()

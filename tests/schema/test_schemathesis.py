"""schemathesis: thousands of requests made from /openapi.json, valid and invalid, alone and in chains.

All of its checks are on, and one of ours: see `schemathesis.toml` and `schemathesis_hooks.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.api.servers import ApiProcess

FOLDER = Path(__file__).parent
CASES = 1000
TOKEN = "tAk3-schemathesis-4711"
# The others take nothing: there is one request each, and its variants with other methods and types.
WITH_INPUT = [
    "GET /tasks",
    "POST /tasks",
    "GET /tasks/{id}",
    "PUT /tasks/{id}",
    "DELETE /tasks/{id}",
]


@pytest.mark.slow
def test_answers_are_as_described(
    api: ApiProcess, api_environment: dict[str, str], tmp_path: Path
) -> None:
    api.start(**api_environment, LOG_LEVEL="WARNING")
    run(api, tmp_path, CASES)


@pytest.mark.slow
def test_answers_to_who_has_a_token_and_who_has_none_are_as_described(
    api: ApiProcess, api_environment: dict[str, str], tmp_path: Path
) -> None:
    secret = tmp_path / "admin"
    secret.write_text(TOKEN, encoding="utf-8")
    tokens = {"API_TOKENS_FILE": f"ops:admin:{secret}", "API_PUBLIC_READS": "false"}
    api.start(**api_environment, **tokens, LOG_LEVEL="WARNING")
    # As its own setting: a header given on the command line would be sent where none is meant to be.
    run(api, tmp_path, 100, f'[auth.openapi.bearer]\nbearer = "{TOKEN}"\n')


def run(api: ApiProcess, tmp_path: Path, most: int, more: str = "") -> None:
    """Send at least that many requests to each operation with input, and fail for what is not as described.

    `more` are further settings of schemathesis.
    """
    settings = tmp_path / "schemathesis.toml"
    shipped = (FOLDER / "schemathesis.toml").read_text(encoding="utf-8")
    settings.write_text(f"{shipped}\n{more}", encoding="utf-8")
    events = tmp_path / "events.ndjson"
    result = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(settings)),
            *("run", f"http://127.0.0.1:{api.port}/openapi.json"),
            *("--checks", "all", "--max-examples", str(most), "--no-color"),
            *("--report", "ndjson", "--report-ndjson-path", str(events)),
        ],
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(FOLDER / "schemathesis_hooks.py")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}\n{api.log}"
    cases = Counter[str]()
    phases = Counter[str]()
    for line in events.read_text(encoding="utf-8").splitlines():
        if scenario := json.loads(line).get("ScenarioFinished"):
            for case in scenario["recorder"].get("cases", {}).values():
                cases[f"{case['value']['method']} {case['value']['path']}"] += 1
                phases[scenario["phase"]] += 1
    assert min(cases[operation] for operation in WITH_INPUT) >= most, cases
    assert set(phases) == {"examples", "coverage", "fuzzing", "stateful"}
    assert "Traceback" not in api.log

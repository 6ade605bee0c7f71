"""The API benchmark's reading of wrk and redis-benchmark, its verdicts, and the page it writes to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import page
from bench.api import limits, processes, section, verdicts, wrk
from bench.api.results import Cell, Plan, Results
from bench.api.workloads import WORKLOADS
from bench.api.wrk import BrokenLoadError, Load

# As wrk 4.1.0 prints it; FAST is put together in its form, the others are its own words.
FAST = """\
Running 2s test @ http://127.0.0.1:33031/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.67ms    4.97ms  46.22ms   93.03%
    Req/Sec    30.64k     7.81k   40.12k    85.00%
  Latency Distribution
     50%  356.00us
     75%    0.98ms
     90%    2.52ms
     99%   23.14ms
  60934 requests in 2.00s, 11.60MB read
Requests/sec:  30467.12
Transfer/sec:      5.74MB
"""
SLOW = """\
Running 2s test @ http://127.0.0.1:33031/slow
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20s   715.59us   1.20s   100.00%
    Req/Sec     1.00      0.00     1.00    100.00%
  Latency Distribution
     50%    1.20s
     75%    1.20s
     90%    1.20s
     99%    1.20s
  2 requests in 2.03s, 262.00B read
Requests/sec:      0.99
Transfer/sec:     129.14B
""".replace("1.20s\n", "1.20s \n")  # a blank makes it as wide as "ms"
REFUSED = """\
Running 2s test @ http://127.0.0.1:33031/bad
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    45.94ms    8.38ms  71.84ms   93.02%
    Req/Sec    42.85      7.41    60.00     85.00%
  Latency Distribution
     50%   47.55ms
     75%   47.98ms
     90%   51.79ms
     99%   71.84ms
  86 requests in 2.01s, 12.85KB read
  Non-2xx or 3xx responses: 86
Requests/sec:     42.83
Transfer/sec:      6.40KB
"""
CUT = """\
Running 2s test @ http://127.0.0.1:33031/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.00us    0.00us   0.00us    -nan%
    Req/Sec     0.00      0.00     0.00      -nan%
  Latency Distribution
     50%    0.00us
     75%    0.00us
     90%    0.00us
     99%    0.00us
  0 requests in 2.15s, 0.00B read
  Socket errors: connect 0, read 7231, write 0, timeout 0
Requests/sec:      0.00
Transfer/sec:       0.00B
"""
SOURCES = """\
Running 1s test @ http://127.0.0.1:33031/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    43.09ms    9.55ms  52.74ms   93.48%
    Req/Sec    45.00      9.75    60.00     70.00%
  Latency Distribution
     50%   44.00ms
     75%   47.26ms
     90%   48.01ms
     99%   52.74ms
  46 requests in 1.02s, 6.10KB read
Requests/sec:     45.06
Transfer/sec:      5.98KB
Sources: 46 seen, 23 wrong
"""
REDIS = (
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"\n'
    '"get all_tasks","37565.74","1.151","0.120","0.887","3.703","5.575","22.159"\n'
)


@pytest.mark.parametrize(
    ("output", "load"),
    [
        (FAST, Load(60934, 30467.12, 0.356, 23.14)),
        (SLOW, Load(2, 0.99, 1200.0, 1200.0)),
        (SOURCES, Load(46, 45.06, 44.0, 52.74, 0.5)),
    ],
)
def test_what_wrk_prints_is_read_in_milliseconds(output: str, load: Load) -> None:
    assert wrk.parse(output) == load


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (REFUSED, "86 answers were no success"),
        (CUT, "read 7231"),
        ("unable to connect to 127.0.0.1:1 Connection refused\n", "no report of wrk"),
        (FAST.replace("     99%", "     98%"), "no report of wrk"),
    ],
)
def test_answers_that_were_no_success_make_a_run_void(output: str, message: str) -> None:
    with pytest.raises(BrokenLoadError, match=message):
        wrk.parse(output)


def test_every_script_of_a_workload_exists() -> None:
    scripts = {workload.script for workload in WORKLOADS.values() if workload.script}
    assert scripts | {"sources"} == {file.stem for file in wrk.LUA.glob("*.lua")}


def test_redis_benchmark_is_read_in_milliseconds() -> None:
    assert limits.from_csv(REDIS, 100) == Load(100, 37565.74, 0.887, 5.575)


def results(**rates: float) -> Results:
    """One workload at 16 connections: requests per second by variant, p99 is 1000 over it."""
    made = Results()
    for variant, rate in rates.items():
        for share in (0.5, 1.0, 3.0):  # the median is the rate
            made.loads[Cell("post", 16, variant)].append(
                Load(100, rate * share, 1.0, 1000 / rate / share)
            )
    return made


def test_ratios_are_of_medians_and_against_the_better_of_the_async_peers() -> None:
    made = results(ours=1300, seed=100, flask=260, sqlmodel=500, asyncpg=1200)
    header, *rows = verdicts.ratios(made)
    assert header[2:] == ["against (a)", "against (b)", "against the better of (c), (d)"]
    assert rows == [
        [
            "POST /tasks",
            "16",
            "13.00x, aim 13x: met",
            "5.00x, aim 6x: missed",
            "1.08x, aim 1.1x: missed",
        ]
    ]


def test_an_aim_missed_by_a_hair_is_not_rounded_up_to_met() -> None:
    ((_, *cells),) = verdicts.ratios(results(ours=1299.9, seed=100))[1:]
    assert cells == ["16", "12.99x, aim 13x: missed", "", ""]


def test_latency_is_compared_with_the_lowest_of_the_peers() -> None:
    made = results(ours=500, seed=100, asyncpg=1000)
    assert verdicts.latencies(made)[1:] == [
        ["POST /tasks", "16", "2.00 ms", "1.00 ms (asyncpg)", "missed"]
    ]


def test_nothing_is_compared_where_ours_or_all_others_are_missing() -> None:
    for made in (results(ours=500), results(seed=500)):
        assert len(verdicts.ratios(made)) == len(verdicts.latencies(made)) == 1


def test_memory_of_each_peer_is_compared_with_ours() -> None:
    made = Results()
    made.memory["ours"] = {"Pss": 100.0, "Rss": 150.0, "processes": 3.0}
    made.memory["seed"] = {"Pss": 80.0, "Rss": 120.0, "processes": 3.0}
    made.memory["flask"] = {"Pss": 100.0, "Rss": 160.0, "processes": 3.0}
    assert [row[-1] for row in verdicts.memory(made)] == ["", "", "missed", "met"]


def test_both_forms_show_the_same_figures() -> None:
    made = results(ours=1300, seed=100)
    plan = Plan(["post"], ["ours", "seed"], [16], 3, 4)
    for shown in (section.text(made, plan, "here"), section.markdown(made, plan, "here")):
        for figure in ("1,300", "650 - 3,900", "13.00x", "3 rounds of 4 s"):
            assert figure in shown


def test_a_process_is_counted_with_those_below_it() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout
        parent.stdout.readline()
        held = processes.memory(parent.pid)
        assert held["processes"] == 2
        assert 1 < held["Pss"] <= held["Rss"]
        assert processes.cpu_ticks(parent.pid) >= 0
        parent.communicate(b"\n")


def test_the_share_of_the_processors_in_use_is_a_share() -> None:
    assert 0 <= processes.busy_share(0.05) <= 1


def test_a_table_lines_up_in_both_forms() -> None:
    rows = [["what", "x"], ["longer", "1"]]
    assert page.columns(rows) == ["what    x", "------  -", "longer  1"]
    assert page.markdown(rows) == ["| what | x |", "| --- | --- |", "| longer | 1 |"]


def test_each_benchmark_replaces_its_own_section_only(tmp_path: Path) -> None:
    file = tmp_path / "docs" / "benchmarks.md"
    page.write(page.API, "first\n\n### Detail\n\nmore", file)
    page.write(page.MAIN_JOB, "job", file)
    page.write(page.API, "second", file)
    assert (
        file.read_text(encoding="utf-8")
        == "# Benchmarks\n\n## The main job\n\njob\n\n## The API\n\nsecond\n"
    )


def test_a_section_of_others_is_kept_on_the_page() -> None:
    text = page.replaced("# Benchmarks\n\n## Notes\n\nkept\n", page.API, "body")
    assert text == "# Benchmarks\n\n## The API\n\nbody\n\n## Notes\n\nkept\n"

"""The checks in their order, the explanation of the first that fails, and cleaning up."""

from __future__ import annotations

import hashlib
import socket
import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ..diagnosis.evidence import Evidence
from ..diagnosis.match import diagnose
from ..secrets.masking import Masker
from ..system import Deadline, OutOfTimeError, lock_folder, run
from . import tasks
from .checks import access, application, cache, seed, state
from .context import Context
from .report import API, CheckFailed, Finding, Outcome, Result, result_of
from .target import Target

Check = tuple[str, Callable[[Context], Finding]]
# Of the tasks API.
CHECKS: tuple[Check, ...] = (
    ("health", state.health),
    ("versions", state.versions),
    ("schema", state.schema),
    ("seed", seed.seed),
    ("cache", cache.cache),
    ("create", cache.create),
    ("update", cache.update),
    ("delete", cache.delete),
    ("ttl", cache.ttl),
    ("json", cache.plain_json),
    ("tokens", access.tokens),
    ("edge", access.edge),
    ("ports", state.ports),
)
_CLEANUP_SECONDS = 20.0
_LOG_SECONDS = 5.0
# Whatever the application is; those that it declares come before them.
_LAST = ("tokens", "edge", "ports")
_LOG_LINES = 20
_ABOUT_RUNNING = ("health", "versions", "schema")


def verify(target: Target, folder: Path, masker: Masker) -> Outcome:
    """Run every check until one fails, always removing what was created for it.

    Args:
        target: what to verify.
        folder: an existing folder of the environment; locked meanwhile.
        masker: takes secrets out of everything returned.

    Raises:
        OSError: ``folder`` cannot be opened.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    context = Context(target, Deadline(target.deadline), mark_of(folder))
    own = target.application.own
    results: list[Result] = []
    leftovers: list[str] = []
    failed: CheckFailed | None
    try:
        # One at a time: each would take the other's probes for leftovers.
        with lock_folder(folder, target.deadline):
            # Waiting for another one costs none of it.
            context.set_deadline(Deadline(target.deadline))
            try:
                failed = _run_all(context, results)
            finally:
                if any(result.name == "schema" and result.ok for result in results) and not own:
                    context.set_deadline(Deadline(_CLEANUP_SECONDS))
                    leftovers = tasks.remove_all(context)
    except TimeoutError:
        result, failed = result_of("lock", partial(_locked, folder, target.deadline))
        results.append(result)
    message = _explain(target, results[-1].name, failed) if failed else ""
    return Outcome(
        environment=target.environment,
        runtime=target.runtime,
        application=target.application.folder,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 2),
        proofs=[result.masked(masker) for result in results],
        services=masker.tree(context.versions),
        seeded_tasks=context.seeded_tasks,
        leftovers=masker.tree(leftovers),
        message=masker.text(message),
    )


def mark_of(folder: Path) -> str:
    """What tells probes made under the lock on ``folder`` from those of other checkouts and machines."""
    place = f"{socket.gethostname()}:{folder.resolve()}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def checks_of(target: Target) -> list[Check]:
    """The checks of a target in their order; those of the tasks API are not for another application."""
    asked = target.application
    first = [one for one in CHECKS if one[0] not in _LAST]
    if asked.own:
        first = [("health", application.health), ("versions", state.versions)]
    declared: list[Check] = [
        (one.name, partial(application.declared, check=one)) for one in asked.checks
    ]
    if asked.own and not declared:
        declared = [("declared", application.undeclared)]
    absent = {"edge": not target.edge, "tokens": asked.own or not target.token}
    last = [one for one in CHECKS if one[0] in _LAST and not absent.get(one[0])]
    return [*first, *declared, *last]


def _run_all(context: Context, results: list[Result]) -> CheckFailed | None:
    """Append a Result for each check, the last of them for the first that fails, whose reason is returned."""
    for name, check in checks_of(context.target):
        if check is seed.seed:
            # Leftovers of a killed verification would be in the way from here on.
            tasks.remove_all(context)
        result, failed = result_of(name, partial(_in_time, context, name, check))
        results.append(result)
        if failed:
            return failed
    return None


def _in_time(context: Context, name: str, check: Callable[[Context], Finding]) -> Finding:
    """Run one check. Raises CheckFailed also when time is up."""
    try:
        return check(context)
    except OutOfTimeError:
        expected = f"a verification within {context.deadline.seconds:g} s"
        raise CheckFailed(expected, f"time was up during the proof of {name}") from None


def _locked(folder: Path, seconds: float) -> Finding:
    raise CheckFailed(
        "no other verification of this environment runs",
        f"{folder} was locked for {seconds:g} s",
        fix="Wait for the other one to end.",
    )


def _explain(target: Target, check: str, failed: CheckFailed) -> str:
    """What was expected and found, the concerned service's last log lines, and what to do."""
    service = target.service(failed.role)
    if service not in target.log_commands:  # the API's log tells of what it could not reach
        service = target.service(API)
    argv = target.log_commands.get(service)
    log = run(argv, _LOG_SECONDS).text.splitlines()[-_LOG_LINES:] if argv else []
    evidence = Evidence(
        failure=failed.got,
        # A log's end may tell of older troubles: it explains only why something does not run.
        sources={f"log of {service}": "\n".join(log)} if check in _ABOUT_RUNNING else {},
        environment=target.environment,
        runtime=target.runtime,
    )
    causes = [found for found in diagnose(evidence) if found.rule]
    lines = [f"{target.environment} ({target.runtime}) breaks a promise: {check}"]
    lines += [f"  expected  {failed.expected}", f"  got       {failed.got}"]
    if log:
        lines += [f"  last log lines of {service}:", *(f"    {line}" for line in log)]
    lines += [f"  cause     {found.cause}" for found in causes[:1]]
    fix = causes[0].fix if causes else failed.fix
    fix = fix or f"Read the whole log: make logs ENV={target.environment}"
    return "\n".join([*lines, textwrap.indent(f"to do     {fix}", "  ")])

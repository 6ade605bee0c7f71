"""The proofs in their order, the explanation of the first broken promise, and cleaning up."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ..diagnosis.evidence import Evidence
from ..diagnosis.match import diagnose
from ..secrets.masking import Masker
from ..system import Deadline, OutOfTimeError, run
from . import probes, proofs_cache, proofs_edge, proofs_seed, proofs_state, proofs_tokens
from .context import Context
from .lock import mark_of, only_one
from .promise import API, BrokenPromiseError, Finding
from .report import Outcome, Proof, masked
from .target import Target

PROOFS: tuple[tuple[str, Callable[[Context], Finding]], ...] = (
    ("health", proofs_state.health),
    ("versions", proofs_state.versions),
    ("schema", proofs_state.schema),
    ("seed", proofs_seed.seed),
    ("cache", proofs_cache.cache),
    ("create", proofs_cache.create),
    ("update", proofs_cache.update),
    ("delete", proofs_cache.delete),
    ("ttl", proofs_cache.ttl),
    ("json", proofs_cache.plain_json),
    ("tokens", proofs_tokens.tokens),
    ("edge", proofs_edge.edge),
    ("ports", proofs_state.ports),
)
_CLEANUP_SECONDS = 20.0
_LOG_SECONDS = 5.0
_LOG_LINES = 20
_ABOUT_RUNNING = ("health", "versions", "schema")


def verify(target: Target, folder: Path, masker: Masker) -> Outcome:
    """Run every proof until one fails, always removing what was created for it.

    Args:
        target: what to verify.
        folder: an existing folder of the environment; locked meanwhile.
        masker: takes secrets out of everything returned.

    Raises:
        OSError: ``folder`` cannot be opened.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    context = Context(target, Deadline(target.deadline), mark_of(folder))
    proofs: list[Proof] = []
    leftovers: list[str] = []
    message = ""
    broken: BrokenPromiseError | None
    try:
        with only_one(folder, Deadline(target.deadline)):
            context.set_deadline(
                Deadline(target.deadline)
            )  # waiting for another one costs none of it
            try:
                broken = _run_all(context, proofs)
            finally:
                if _touched(proofs):
                    context.set_deadline(Deadline(_CLEANUP_SECONDS))
                    leftovers = probes.remove_all(context)
    except BrokenPromiseError as locked:
        broken = locked
        proofs.append(_broken("lock", locked, clock))
    if broken:
        message = _explain(target, proofs[-1].name, broken)
    return Outcome(
        environment=target.environment,
        runtime=target.runtime,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 2),
        proofs=[masked(proof, masker) for proof in proofs],
        services=masker.tree(context.versions),
        seeded_tasks=context.seeded_tasks,
        leftovers=masker.tree(leftovers),
        message=masker.text(message),
    )


def _run_all(context: Context, proofs: list[Proof]) -> BrokenPromiseError | None:
    """Append a Proof for each promise, the last of them for the first broken one, which is returned."""
    target = context.target
    for name, prove in PROOFS:
        if (name == "edge" and not target.edge) or (name == "tokens" and not target.token):
            continue
        if name == "seed":  # leftovers of a killed verification would be in the way from here on
            probes.remove_all(context)
        clock = time.monotonic()
        try:
            finding = prove(context)
        except BrokenPromiseError as broken:
            proofs.append(_broken(broken.promise or name, broken, clock))
            return broken
        except OutOfTimeError:
            expected = f"a verification within {context.deadline.seconds:g} s"
            late = BrokenPromiseError(expected, f"time was up during the proof of {name}")
            proofs.append(_broken(name, late, clock))
            return late
        seconds = round(time.monotonic() - clock, 3)
        proofs.append(Proof(name, True, finding.text, seconds, finding.evidence, finding.unknown))
    return None


def _touched(proofs: list[Proof]) -> bool:
    """Whether a probe may exist: from the schema's proof on."""
    return any(proof.name == "schema" and proof.ok for proof in proofs)


def _broken(name: str, broken: BrokenPromiseError, clock: float) -> Proof:
    seconds = round(time.monotonic() - clock, 3)
    evidence = {"expected": broken.expected, "got": broken.got}
    return Proof(name, False, f"expected {broken.expected}; got {broken.got}", seconds, evidence)


def _explain(target: Target, promise: str, broken: BrokenPromiseError) -> str:
    """What was promised and found, the concerned service's last log lines, and what to do."""
    service = target.service(broken.role)
    if service not in target.log_commands:  # the API's log tells of what it could not reach
        service = target.service(API)
    argv = target.log_commands.get(service)
    log = run(argv, _LOG_SECONDS).text.splitlines()[-_LOG_LINES:] if argv else []
    evidence = Evidence(
        failure=broken.got,
        # A log's end may tell of older troubles: it explains only why something does not run.
        sources={f"log of {service}": "\n".join(log)} if promise in _ABOUT_RUNNING else {},
        environment=target.environment,
        runtime=target.runtime,
    )
    causes = [found for found in diagnose(evidence) if found.rule]
    lines = [f"{target.environment} ({target.runtime}) breaks a promise: {promise}"]
    lines += [f"  expected  {broken.expected}", f"  got       {broken.got}"]
    if log:
        lines += [f"  last log lines of {service}:", *(f"    {line}" for line in log)]
    lines += [f"  cause     {found.cause}" for found in causes[:1]]
    fix = causes[0].fix if causes else broken.fix
    fix = fix or f"Read the whole log: make logs ENV={target.environment}"
    return "\n".join([*lines, textwrap.indent(f"to do     {fix}", "  ")])

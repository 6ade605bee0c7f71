"""From what a failure left behind to its cause: pure functions over texts and facts.

The texts are matched line by line against known causes (`causes`). Causes come before symptoms, what the
failed command itself said before what logs say, and a cause that is more specific before a general one. Logs are
evidence only from the failed start on: what was wrong before is no cause now. What nobody knows is said to be unknown,
and its last lines are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .causes import Cause, engine, services, system
from .evidence import Disk, Evidence, is_json, meaning, sentences

# In the order in which they may claim a line.
CAUSES = (
    *system.PORTS,
    *engine.ENGINE,
    *engine.IMAGES,
    *engine.BUILDS,
    *services.DATABASE,
    *services.CACHE,
    *services.API,
    *services.SUPERVISOR,
    *system.LIMITS,
    *services.PYTHON,
    *system.STATES,
)
FAILURE = "the failed command"
UNKNOWN_EXIT = 1
_LAST_LINES = 5
_LONGEST_LINE = 2000
_LONGEST_QUOTE = 300
_SERVICE = re.compile(r"^(?:log of )?([\w.-]+)(?:\s+\||$)")
# A phrase for an optional group: empty if the line did not name it.
_PHRASES = {
    "at_address": ("address", " at {}"),
    "registry_name": ("registry", " {}"),
    "host_name": ("host", " at {}"),
    "from_url": ("url", ": {}"),
    "pid_note": ("pid", " (pid {})"),
    "the_command": ("command", " the command {}"),
    "in_file": ("file", " in {}"),
    "last_output": ("output", ": {}"),
}


@dataclass(frozen=True)
class Diagnosis:
    """A cause with the line that shows it, where that line was found, and what to do.

    ``exit`` is an exit code in the sense of sysexits.h, never 0. ``rule`` is empty if the cause is unknown.
    """

    cause: str
    evidence: str
    fix: str
    exit: int
    source: str = FAILURE
    rule: str = ""


def diagnose(evidence: Evidence) -> list[Diagnosis]:
    """The causes that the evidence shows, the most telling one first; never empty."""
    best: dict[tuple[str, str], tuple[tuple[bool, bool, int], Diagnosis]] = {}
    for source, line in _lines(evidence):
        match = _match(line)
        if match is None:
            continue
        number, rule, groups = match
        found = _diagnosis(rule, groups, source, line, evidence)
        rank = (rule.symptom, source != FAILURE, number)
        key = (rule.name, groups.get("name") or groups.get("port") or groups.get("image") or "")
        old = best.get(key)
        if old is None or (rank, -len(found.cause)) <= (old[0], -len(old[1].cause)):
            best[key] = (rank, found)
        elif len(found.cause) > len(old[1].cause):
            best[key] = (old[0], found)
    ordered = [found for _, found in sorted(best.values(), key=lambda item: item[0])]
    if not any(found.rule == "disk-full" for found in ordered):
        ordered += [_full(disk, evidence) for disk in evidence.disks if disk.is_full]
    return ordered or [_unknown(evidence)]


def explain(evidence: Evidence) -> str:
    """The failure in printable lines: what failed, the cause, its evidence, the fix, and what else was seen."""
    first, *others = diagnose(evidence)
    where = " ".join(
        part for part in (evidence.environment, f"({evidence.runtime})") if part != "()"
    )
    at = f" at: {evidence.phase}" if evidence.phase else ""
    lines = [f"{where} failed{at}", *_labelled("cause", first.cause)]
    lines += _labelled("evidence", f"{first.evidence}\n(from {first.source})")
    lines += _labelled("fix", first.fix)
    for other in others[:4]:
        lines += _labelled("also", f"{other.cause}\n(from {other.source}: {other.evidence})")
    return "\n".join(lines)


def mentioned_ports(evidence: Evidence) -> set[int]:
    """The ports that the evidence says are taken, to look up who has them."""
    matches = (_match(line) for _, line in _lines(evidence))
    return {
        int(match[2]["port"])
        for match in matches
        if match is not None
        and match[1].name.endswith("port-taken")
        and int(match[2]["port"]) < 65536
    }


def _lines(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every line with its source, once; what is written in JSON as sentences instead."""
    for source, text in {FAILURE: evidence.failure, **evidence.sources}.items():
        lines = [line for line in text.splitlines() if not is_json(line)] if text else []
        told = sentences(text)
        if told and is_json(text):
            lines = []
        for line in dict.fromkeys([*lines, *told]):
            if line.strip():
                yield source, line.strip()[:_LONGEST_LINE]


def _match(line: str) -> tuple[int, Cause, dict[str, str]] | None:
    for number, rule in enumerate(CAUSES):
        groups = rule.match(line)
        if groups is not None:
            return number, rule, groups
    return None


def _diagnosis(
    rule: Cause, groups: dict[str, str], source: str, line: str, evidence: Evidence
) -> Diagnosis:
    port = groups.get("port", "")
    owner = evidence.port_owners.get(int(port)) if port.isdigit() else None
    full = "; ".join(str(disk) for disk in evidence.disks if disk.is_full)
    service = _SERVICE.match(line) if "|" in line else _SERVICE.match(source)
    values = {
        name: text.format(groups[group]) if groups.get(group) else ""
        for name, (group, text) in _PHRASES.items()
    }
    environment = evidence.environment
    values |= groups | {
        "environment": environment,
        "up": f"make up ENV={environment}",
        "settings": f"inventories/group_vars/{environment}/main.yml",
        "embedded": f"or go without Docker: make up ENV={environment} RUNTIME=embedded",
        "owner": f" by {owner}" if owner else "",
        "disk": f": {full}" if full else "",
        "service": service[1] if service else "A program",
        "meaning": meaning(int(groups["code"])) if groups.get("code", "").isdigit() else "",
    }
    fix = rule.fix_embedded if evidence.runtime == "embedded" and rule.fix_embedded else rule.fix
    quote = line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}…"
    cause = rule.cause.format_map(values)
    return Diagnosis(cause, quote, fix.format_map(values), rule.exit, source, rule.name)


def _full(disk: Disk, evidence: Evidence) -> Diagnosis:
    rule = next(rule for rule in CAUSES if rule.name == "disk-full")
    return _diagnosis(rule, {}, "the host", str(disk), replace(evidence, disks=[disk]))


def _unknown(evidence: Evidence) -> Diagnosis:
    tails: dict[str, list[str]] = {}
    for name, line in _lines(evidence):
        tails.setdefault(name, []).append(line[:_LONGEST_QUOTE])
    shown = [f"{name}: {line}" for name, tail in tails.items() for line in tail[-_LAST_LINES:]]
    return Diagnosis(
        "Not one of the known causes.",
        "\n".join(shown) or "Nothing was printed.",
        f"make status ENV={evidence.environment} and make logs ENV={evidence.environment} show more.",
        UNKNOWN_EXIT,
        "the last lines of everything collected",
    )


def _labelled(label: str, text: str) -> list[str]:
    head, *rest = text.splitlines() or [""]
    return [f"  {label:<9} {head}", *(f"  {'':<9} {line}" for line in rest)]

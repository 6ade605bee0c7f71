"""What plays know of a rendered environment: the fact ``_stack``.

It has ``environment``, ``project``, ``runtime``, ``base_images`` (registry or distro), ``images`` and ``stand_ins``
(references by service and by kind), ``services`` in start order, ``output_dir``, ``project_dir`` (the folder with
``app/``), both on the host; ``report_dir`` on this machine; ``address`` of the host, empty for this machine;
``secret_settings`` (variables), ``running``, ``present`` and ``logged`` (runtimes, see runtimes.running), ``unknown``
(empty, or why it cannot be told whether its containers run), ``evidence`` and ``logs`` (commands that tell what happens
from now on, and what happened). Where the files are what the settings render to, also ``settings`` (all that may be
shown), ``ca_bundle`` (its path on the host), ``access`` and ``from_here`` (see runtimes.base).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..environment import Environment
from ..layout import Place
from ..rendering.templates import CA_BUNDLE
from ..runtimes.base import RUNTIMES, from_here
from ..settings.schema import Setting


def unknown(environment: str, seen: Mapping[str, Any]) -> str:
    """Why nothing can be said of an environment whose engine is silent."""
    return (
        f"{environment}: {seen['silence']}. {environment} belongs to Docker since its last start or rendering, so its "
        f"containers may run; nothing was done to them.\n  fix  {seen['advice']}"
    )


def caveats(environment: str, seen: Mapping[str, Any]) -> list[str]:
    """What the silence of the engine leaves open."""
    if seen["unknown"]:
        return [f"{seen['silence']}: whether containers of {environment} run, too, is unknown"]
    if seen["silence"] and "compose" in seen["started"]:
        return [
            f"{seen['silence']}: no container of {environment} runs now; those that exist start again with the engine"
        ]
    return []


def secret_variables(schema: Mapping[str, Setting], variables: Mapping[str, Any]) -> list[str]:
    """The settings that are secrets or mappings of secrets."""
    return [name for name, setting in schema.items() if setting.secret and name in variables]


def found_facts(
    seen: Mapping[str, Any], place: Place, address: str, secrets: Sequence[str]
) -> dict[str, Any]:
    """What the host tells (see remote_operations), whatever became of the settings.

    ``address`` is the host's, ``secrets`` are the variables with them.
    """
    record = seen["record"]
    runtime, where = RUNTIMES[record["runtime"]], (str(place.output), record["services"])
    told = runtime.evidence_commands(*where)
    may_run = seen["unknown"] and "compose" in seen["started"]
    facts: dict[str, Any] = record | {
        "output_dir": str(place.output),
        "project_dir": str(place.sources),
        "report_dir": str(place.reports),
        "address": address if place.remote else "",
        "settings": {},
        "secret_settings": list(secrets),
        **{name: seen[name] for name in ("running", "present", "logged")},
        "unknown": unknown(record["environment"], seen) if may_run else "",
        "evidence": runtime.evidence_commands(*where, since=seen["now"]),
        "logs": {name: told[f"log of {name}"] for name in record["services"]},
    }
    return facts


def current_facts(
    facts: Mapping[str, Any],
    environment: Environment,
    values: Mapping[str, Any],
    schema: Mapping[str, Setting],
) -> dict[str, Any]:
    """The same of an environment whose files are what its settings, ``values``, render to. Raises EmbeddedError."""
    output, bundle = facts["output_dir"], values["build_ca_bundle"]
    way = RUNTIMES[environment.runtime].access(environment, values)
    return {
        **facts,
        "settings": {name: value for name, value in values.items() if schema[name].printable},
        "ca_bundle": f"{output}/{CA_BUNDLE}" if bundle and facts["address"] else bundle,
        "access": way,
        "from_here": from_here(facts["address"], way),
    }

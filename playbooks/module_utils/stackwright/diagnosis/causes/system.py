"""Known causes that any program can meet: ports, disks, memory, limits; and what states of containers say.

Order matters: the first cause that matches takes a line.
"""

from __future__ import annotations

from . import CANNOT_CREATE, CONFIG, OS_ERROR, SOFTWARE, Cause

PORTS = (
    Cause(
        "database-port-taken",
        (r"is another postmaster already running on port (?P<port>\d+)",),
        "Port {port} is taken{owner}.",
        "Stop that program, or set another db_port in {settings}",
        "Stop that program, or set another embedded_db_port in {settings}",
        exit=CANNOT_CREATE,
    ),
    Cause(
        "cache-port-taken",
        (
            r"could not create server tcp listening socket \S+:(?P<port>\d+): bind: address already in use",
        ),
        "Port {port} is taken{owner}.",
        "Stop that program, or set another cache_port in {settings}",
        "Stop that program, or set another embedded_cache_port in {settings}",
        exit=CANNOT_CREATE,
    ),
    Cause(
        "port-taken",
        (
            r"bind for \S+:(?P<port>\d+) failed: port is already allocated",
            r"listen tcp[46]? \S+:(?P<port>\d+): bind: address already in use",
            r"failed to bind (?:host )?port (?:for )?[^:\s]+:(?P<port>\d+)\S*: address already in use",
            r"ports are not available: exposing port tcp \S+:(?P<port>\d+)",
        ),
        "Port {port} is taken{owner}.",
        "Stop that program, or set another api_port in {settings}",
        exit=CANNOT_CREATE,
    ),
    Cause(
        "address-not-here",
        (
            r"listen tcp[46]? (?P<address>\S+):\d+: bind: cannot assign requested address",
            r"failed to bind (?:host )?port (?:for )?(?P<address>[\w.]+):\d+\S*: cannot assign requested address",
            r"cannot listen on (?P<address>\S+):\d+: cannot assign requested address",
        ),
        "{address} is no address of this host, so nothing can listen there.",
        "Set api_bind_address (edge_bind_address, or host_address of a service of your own) in {settings} to one "
        "that `ip address` shows, or to 127.0.0.1 or 0.0.0.0",
        exit=CONFIG,
    ),
    Cause(
        "address-in-use",
        (
            r"address already in use",
            r"eaddrinuse",
        ),
        "The port of {service} is taken by another program.",
        "sudo ss -ltnp shows who listens where; stop it, or set another api_port in {settings}",
        "sudo ss -ltnp shows who listens where; stop it, or set another api_port, embedded_db_port or "
        "embedded_cache_port in {settings}",
        exit=CANNOT_CREATE,
    ),
)

LIMITS = (
    Cause(
        "inotify-limit",
        (
            r"inotify\S*.*(?:no space left|too many open files)",
            r"fsnotify watcher: too many open files",
        ),
        "The host has no free inotify watches left.",
        "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
        exit=OS_ERROR,
    ),
    Cause(
        "disk-full",
        (
            r"no space left on device",
            r"\benospc\b",
            r"disk quota exceeded",
        ),
        "The disk is full{disk}.",
        "df -h and df -i show which; docker system df, docker image prune and docker builder prune free what "
        "Docker can spare (never prune volumes: they hold the data).",
        "df -h and df -i show which; free some space there.",
        exit=OS_ERROR,
    ),
    Cause(
        "file-system-read-only",
        (
            r"read-only file system",
            r"\berofs\b",
        ),
        "{service} writes where it cannot: a container's root is read-only on purpose, and a host's disk becomes "
        "so after an error.",
        "Let it write to a volume or tmpfs; if it is the host's disk, dmesg says what happened.",
        exit=OS_ERROR,
    ),
    Cause(
        "too-many-files",
        (
            r"too many open files",
            r"\bemfile\b",
        ),
        "{service} has as many files open as it may.",
        "Raise the limit (ulimits.nofile of the service; ulimit -n in the shell that starts it).",
        exit=OS_ERROR,
    ),
    Cause(
        "too-many-processes",
        (
            r"can't start new thread",
            r"pthread_create failed",
            r"cannot fork",
            r"fork: (?:retry: )?resource temporarily",
        ),
        "{service} has as many processes and threads as it may.",
        "Raise api_pids, db_pids or cache_pids in {settings}",
        exit=OS_ERROR,
    ),
    Cause(
        "out-of-memory",
        (
            r"container (?P<name>\S+): killed for using more memory than its limit",
            r"out of memory: killed process \d+ \((?P<name>[^)]+)\)",
            r"cannot allocate memory(?P<name>)",
        ),
        "{name} was killed: out of memory.",
        "Raise api_memory, db_memory or cache_memory in {settings}, or free memory on the host.",
        exit=OS_ERROR,
    ),
)

STATES = (
    Cause(
        "container-exits",
        (
            r"container (?P<name>\S+): exited with code (?P<code>\d+)",
            r"container (?P<name>\S+) exited \((?P<code>\d+)\)",
            r"^(?P<name>\S+)\s.*\bexited \((?P<code>[1-9]\d*)\)",
            r"^(?P<name>\S+)\s.*\brestarting \((?P<code>\d+)\)",
        ),
        "{name} ends by itself with exit code {code}: {meaning}.",
        "make logs ENV={environment} shows what it printed before it ended.",
        exit=SOFTWARE,
        symptom=True,
    ),
    Cause(
        "container-unhealthy",
        (
            r"container (?P<name>\S+): unhealthy, its last check ended with \S+: (?P<output>.+)",
            r"container (?P<name>\S+?):? (?:is )?unhealthy(?P<output>)",
            r"^(?P<name>\S+)\s.*\(unhealthy\)(?P<output>)",
        ),
        "{name} runs but fails its health check{last_output}.",
        "make logs ENV={environment} shows what is wrong inside it.",
        symptom=True,
    ),
    Cause(
        "not-ready-in-time",
        (
            r"application not healthy after",
            r"timed? ?out waiting for",
        ),
        "The services were not healthy in time.",
        "make logs ENV={environment}; on a slow machine raise stack_start_timeout_seconds in {settings}",
        exit=CONFIG,
        symptom=True,
    ),
)

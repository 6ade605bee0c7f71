"""Known causes in the words of PostgreSQL, Redis, the API and supervisord.

Order matters: the first cause that matches takes a line.
"""

from __future__ import annotations

from . import CONFIG, NO_PERMISSION, SOFTWARE, Cause

DATABASE = (
    Cause(
        "wrong-password",
        (r'password authentication failed for user "(?P<user>[^"]+)"',),
        "PostgreSQL refuses the password of {user}. The database gives every role its password at each start, so "
        "it did not get that far, or its client has another one.",
        "{up} starts both with the current secrets; a line `roles: failed` in the database's log says what keeps "
        "it from that.",
        exit=NO_PERMISSION,
    ),
    Cause(
        "role-missing",
        (r'role "(?P<user>[^"]+)" does not exist',),
        "The database was first started with another user than {user}.",
        "Put the old name back into db_user, or create the role with CREATE ROLE.",
        exit=CONFIG,
    ),
    Cause(
        "database-missing",
        (r'database "(?P<name>[^"]+)" does not exist',),
        "The database was first started with another name than {name}.",
        "Put the old name back into db_name, or create it: CREATE DATABASE {name};",
        exit=CONFIG,
    ),
    Cause(
        "database-version",
        (
            r"initialized by postgresql version (?P<old>[\d.]+), which is not compatible with this version"
            r" (?P<new>[\d.]+)",
        ),
        "The data were written by PostgreSQL {old}; this is PostgreSQL {new}, which cannot read them.",
        "Go back to postgres_base_image of version {old}, dump (pg_dump -Fc), and restore into a new volume.",
        "Go back to PostgreSQL {old}, dump (pg_dump -Fc), and restore into a new data folder.",
        exit=CONFIG,
    ),
    Cause(
        "data-folder-permissions",
        (
            r'data directory "(?P<path>[^"]+)" has (?:invalid permissions|wrong ownership)',
            r"could not (?:change permissions of|access|create"
            r'|open) directory "(?P<path>[^"]+)": (?:operation not permitted|permission denied)',
            r"(?:chown|chmod|mkdir"
            r"|find): .*[^\w/](?P<path>/[\w./-]*postgresql[\w./-]*)[^\w/].*(?:operation not permitted"
            r"|permission denied)",
        ),
        "PostgreSQL's data folder {path} belongs to another user or is open to others.",
        "docker run --rm -u 0 --entrypoint chown -v <db_volume>:/data <the database's image> -R 999:999 /data",
        "chown -R <embedded_user> {path} && chmod 700 {path}",
        exit=NO_PERMISSION,
    ),
    Cause(
        "database-as-root",
        (r'"root" execution of the postgresql server is not permitted',),
        "PostgreSQL does not run as root.",
        "The image must run as user 999.",
        "Set embedded_user in {settings} to an unprivileged user.",
        exit=NO_PERMISSION,
    ),
    Cause(
        "data-folder-in-use",
        (
            r'lock file "postmaster\.pid" already exists(?P<pid>)',
            r"is another postmaster \(pid (?P<pid>\d+)\) running in data directory",
        ),
        "Another PostgreSQL{pid_note} already uses this data folder.",
        "Stop it first; two servers on one volume destroy it. If none runs, remove postmaster.pid.",
    ),
    Cause(
        "data-folder-not-empty",
        (r'initdb: error: directory "(?P<path>[^"]+)" exists but is not empty',),
        "{path} holds something, but no complete database: a first start was cut off.",
        "Look into it; if there is nothing to keep, empty it and start again.",
    ),
    Cause(
        "database-password-unset",
        (r"database is uninitialized and superuser password is not specified",),
        "The database has no password to start with.",
        "Set db_password (a vault secret outside dev), then {up}",
        exit=CONFIG,
    ),
    Cause(
        "database-damaged",
        (
            r"could not locate a valid checkpoint record",
            r"invalid page in block",
            r"could not read block",
        ),
        "The database's files are damaged.",
        "Copy the volume away first, then restore the last backup; check the disk (dmesg).",
    ),
    Cause(
        "too-many-connections",
        (
            r"sorry, too many clients already",
            r"remaining connection slots are reserved",
        ),
        "PostgreSQL has no free connection left.",
        "Raise db_max_connections, or lower api_replicas, api_workers or api_threads in {settings}",
    ),
    Cause(
        "roles-failed",
        (r"roles: failed, and nothing was changed: (?P<error>.+)",),
        "The roles of the database cannot be made what the settings say: {error}",
        "Correct the cause, for example the db_…_user that it names, then {up}",
        exit=CONFIG,
    ),
    Cause(
        "migration-failed",
        (
            r"psql:(?P<file>\S+\.sql):(?P<line>\d+): (?:error|fatal|panic):\s+(?P<error>.+)",
            r"migrate: failed, and nothing of the failed migration was kept: (?P<error>.+)",
        ),
        "A migration fails{in_file}: {error}",
        "Correct it under app/database/migrations, then {up}; applied ones are kept.",
        exit=SOFTWARE,
    ),
    Cause(
        "schema-missing",
        (r'relation "(?P<table>(?:\w+\.)?(?:schema_migrations|tasks))" does not exist',),
        "The table {table} is missing: migrations did not run.",
        "{up} runs them; the database's log says what stopped them before.",
    ),
    Cause(
        "shared-memory-full",
        (r"could not resize shared memory segment",),
        "PostgreSQL's /dev/shm is full.",
        "Raise db_shm_size in {settings}",
    ),
    Cause(
        "host-unknown",
        (
            r'could not translate host name "(?P<host>[^"]+)"',
            r"name or service not known(?P<host>)",
            r"temporary failure in name resolution(?P<host>)",
        ),
        "The host name {host} does not resolve where it is used.",
        "Its container must run in the same network: docker compose ps in generated/{environment}",
        "Check DB_HOST and REDIS_HOST; in the embedded runtime both are 127.0.0.1.",
        symptom=True,
    ),
    Cause(
        "connection-refused",
        (
            r'connection to server at "(?P<host>[^"]+)"(?: \([^)]*\))?, port (?P<port>\d+) failed: connection'
            r" refused",
            r"error 111 connecting to (?P<host>[^:\s]+):(?P<port>\d+)",
            r"could not connect to redis at (?P<host>[^:\s]+):(?P<port>\d+): connection refused",
        ),
        "Nothing listens on {host}:{port}: that service is down or not ready yet.",
        "make status ENV={environment}; make logs ENV={environment} says why it stopped.",
        symptom=True,
    ),
)

CACHE = (
    Cause(
        "redis-config",
        (
            r"(?:^|\s)>>> '(?P<directive>.+)'",
            r"can't open config file '(?P<directive>[^']+)'",
        ),
        "Redis refuses its configuration: {directive}",
        "make render ENV={environment} writes it anew; check the cache_ settings in {settings}",
        exit=CONFIG,
    ),
    Cause(
        "redis-password",
        (
            r"\bnoauth\b",
            r"\bwrongpass\b",
            r"invalid username-password pair",
            r"auth <password> called without any password configured",
            r"authenticationerror authentication required",
        ),
        "Redis and its client disagree about a password.",
        "{up} starts both with the current cache_password; otherwise look whether REDIS_USER, REDIS_PASSWORD, "
        "REDIS_HOST and REDIS_PORT lead to another Redis.",
        exit=NO_PERMISSION,
    ),
    Cause(
        "redis-refuses",
        (
            r"redis refuses command (?P<command>.+) to the api's user",
            r"cache refuses to this user: (?P<command>(?!nothing more|key ).+)",
            r"(?:redis refuses|cache refuses to this user:) key .+(?P<command>)",
            r"no permissions to run the '(?P<command>[^']+)'",
            r"no permissions to access (?:a|one of the) keys?(?P<command>)",
        ),
        "Redis refuses the API's user{the_command}.",
        "templates/secrets/cache-redis/users.acl.j2 has to allow it; docs/extending.md says what the API's code lists; "
        "then {up}",
        exit=NO_PERMISSION,
    ),
    Cause(
        "redis-protected",
        (r"denied redis is running in protected mode",),
        "Redis takes connections from its own host only (protected mode, no password).",
        "make render ENV={environment} and {up} restore its configuration.",
        exit=CONFIG,
    ),
    Cause(
        "redis-memory",
        (r"command not allowed when used memory > 'maxmemory'",),
        "Redis is full and may not drop old keys.",
        "Set maxmemory-policy allkeys-lru (make render restores it), or raise cache_max_data in {settings}",
    ),
    Cause(
        "redis-cannot-save",
        (r"misconf redis is configured to save rdb snapshots",),
        "Redis refuses writes because it cannot save to disk; a cache must not save at all.",
        'make render ENV={environment} and {up} restore save "".',
        exit=CONFIG,
    ),
)

API = (
    Cause(
        "api-config",
        (r"tasks_api cannot start: (?P<reason>.+)",),
        "The API refuses its settings: {reason}.",
        "Correct it in {settings} (api_environment holds extra variables), then {up}",
        exit=CONFIG,
    ),
    Cause(
        "module-missing",
        (r"modulenotfounderror: no module named '(?P<module>[^']+)'",),
        "The Python module {module} is not installed.",
        "make build ENV={environment}",
        "Remove .venv and run {up}, which installs it again.",
        exit=SOFTWARE,
    ),
)

SUPERVISOR = (
    Cause(
        "program-refused",
        (r"^(?:\S+\s+\| )?(?P<name>[\w-]+) cannot start: (?P<reason>.+)",),
        "{name} cannot start: {reason}",
        "Correct that, then {up}",
        exit=CONFIG,
    ),
    Cause(
        "program-not-found",
        (r"(?:(?P<name>[\w-]+)\s+backoff\s+|spawnerr: )can't find command '(?P<program>[^']+)'",),
        "The program {program} is not there.",
        "{up} installs what is missing; remove .venv first if it was moved.",
        exit=CONFIG,
    ),
    Cause(
        "program-fails",
        (
            r"^(?P<name>[\w-]+)\s+(?-i:FATAL|BACKOFF)\s+(?P<reason>.+)",
            r"gave up: (?P<name>[\w-]+) entered fatal state, (?P<reason>.+)",
            r"^(?P<name>[\w-]+): error \((?P<reason>spawn error|abnormal termination)\)",
        ),
        "{name} does not stay up under supervisord: {reason}",
        "make logs ENV={environment} shows what it printed before it ended.",
        symptom=True,
    ),
    Cause(
        "supervisor-gone",
        (r"unix://(?P<path>\S+) (?:no such file|refused connection)",),
        "supervisord does not run ({path}).",
        "{up} starts it.",
        symptom=True,
    ),
)

# What no other cause knows of what a program in Python ended with.
PYTHON = (
    Cause(
        "program-raises",
        (r"^(?:\S+\s+\| )?(?-i:(?P<error>(?:\w+\.)*[A-Z]\w*(?:Error|Exception)(?:: .+|$)))",),
        "Its Python code fails: {error}",
        "make logs ENV={environment} shows where. Correct it (the API's is in app/api/src), then {up}",
        exit=SOFTWARE,
    ),
)

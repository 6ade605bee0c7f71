"""The API and its Redis user, as rendered for an environment with a cache_user: it may do its work and nothing else."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from tasks_api.cache.redis import COMMANDS, KEYS

from tests.api.servers import MakeClient, RedisServer, wait_for
from tests.support.composing import rendered
from tests.support.resolving import dev_values

PASSWORD = " a \"quo'ted\\ päss:$x #y `id` ½ ª ﬁ é🎉 مرحبا "
ACL = "templates/secrets/cache-redis/users.acl.j2"
VERIFICATION = {"ttl", "getrange"}
"""What verification looks at the cached values with."""
HEALTHY = {"api": "healthy", "database": "healthy", "cache": "healthy"}


class GuardedRedis(RedisServer):
    """Redis with the access control list of an environment."""

    def start(self) -> None:
        values = dev_values(
            cache_user="tasks_api", cache_password=PASSWORD, secrets_delivery="file"
        )
        users = self.folder / "users.acl"
        users.write_bytes(rendered(values)["secrets/cache-redis/users.acl"].content)
        self.options = ("--aclfile", str(users))
        super().start()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"AUTH health none\r\nPING\r\n")
                return connection.makefile("rb").read(12) == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedRedis]:
    server = GuardedRedis(tmp_path_factory.mktemp("guarded"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def user(guarded: GuardedRedis) -> Iterator[Redis]:
    """A client as the API's user."""
    with Redis(
        port=guarded.port, username="tasks_api", password=PASSWORD, decode_responses=True
    ) as client:
        client.flushdb()
        yield client


@pytest.fixture
def client(make_client: MakeClient, guarded: GuardedRedis, user: Redis) -> FlaskClient:
    return make_client(redis_port=guarded.port, redis_user="tasks_api", redis_password=PASSWORD)


def test_everything_the_api_does_is_allowed(
    client: FlaskClient, user: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    wait_for(lambda: client.get("/health").json == HEALTHY, "a healthy API")
    wait_for(lambda: client.get("/tasks").json["source"] == "cache", "a cached list")
    assert client.get("/tasks/1").json["source"] == "database"
    assert client.get("/tasks/1").json["source"] == "cache"
    assert set(user.get("all_tasks") or "") > set("[{")
    assert client.put("/tasks/1", json={"title": "new"}).status_code == 200
    assert client.get("/tasks/1").json["task"]["title"] == "new"
    created = client.post("/tasks", json={"title": "x"}).json["task"]
    assert client.get("/tasks").json["count"] == 4
    assert client.delete(f"/tasks/{created['id']}").status_code == 200
    user.set("task:2", "none of ours")
    assert client.get("/tasks/2").json["source"] == "database"
    assert client.get("/cache/stats").status_code == 200
    assert client.post("/cache/clear").status_code == 200
    assert user.get("all_tasks") is None
    assert "Cache refuses" not in capsys.readouterr().err


def sent(server: RedisServer, act: Callable[[], object]) -> list[list[str]]:
    """Return the commands, those inside scripts included, that a server gets while `act` runs."""
    with Redis(port=server.port, decode_responses=True) as other, other.monitor() as monitor:
        act()
        other.echo("that is all")
        seen: list[list[str]] = []
        while not seen or seen[-1][0] != "ECHO":
            seen.append(shlex.split(monitor.next_command()["command"]))
    return [[words[0].upper(), *words[1:]] for words in seen[:-1]]


def test_the_list_in_the_code_is_what_is_sent(
    make_client: MakeClient, redis_server: RedisServer, redis: Redis
) -> None:
    """Otherwise health could not tell what is refused, and `users.acl.j2` would lack something."""

    def use() -> None:
        client = make_client()
        wait_for(lambda: client.get("/tasks").json["source"] == "cache", "a cached list")
        client.get("/tasks/1")
        client.put("/tasks/1", json={"title": "new"})
        redis.zadd("task:1:fence", {"a writer that died": 1})
        client.get("/tasks/1")
        client.get("/cache/stats")

    by_hand = {"ECHO", "FLUSHALL", "CLIENT", "SELECT", "HELLO"}
    found = [command for command in sent(redis_server, use) if command[0] not in by_hand]
    listed = {command[0] for command in COMMANDS}
    assert {command[0] for command in found} == listed
    keyed = [command[1] for command in found if command[0] in {"GET", "SET", "DEL", "ZADD", "ZREM"}]
    assert [key for key in keyed if not any(fnmatchcase(key, pattern) for pattern in KEYS)] == []


def test_users_acl_allows_what_is_sent_and_no_more(guarded: GuardedRedis) -> None:
    text = (guarded.folder / "users.acl").read_text(encoding="utf-8")
    [words] = [line.split() for line in text.splitlines() if line.startswith("user tasks_api ")]
    allowed = {word[1:].partition("|")[0] for word in words if word.startswith("+")}
    keys = {word[1:] for word in words if word.startswith("~")}
    needed = {command[0].lower() for command in COMMANDS} | VERIFICATION
    place = f"{ACL}, beside COMMANDS and KEYS of cache/redis.py,"
    assert needed - allowed == set(), f"{place} lacks these commands"
    assert allowed - needed == set(), f"{place} allows these commands, which nothing sends"
    assert keys == set(KEYS), f"{place} names other keys"


@pytest.mark.parametrize("command", ["flushdb", "get", "evalsha", "zadd", "info", "ping"])
def test_a_refused_command_is_loud(
    make_client: MakeClient, redis: Redis, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rights = ("on", ">x", "~*", "+@all", f"-{command}")
    redis.execute_command("ACL", "SETUSER", "limited", *rights)
    client = make_client(redis_user="limited", redis_password="x")
    for _ in range(2):
        health = client.get("/health")
        degraded = HEALTHY | {"status": "degraded", "cache": f"refused: {command}"}
        assert (health.status_code, health.json) == (200, degraded)
    assert capfd.readouterr().out.count(f"WARNING Cache refuses to this user: {command}\n") == 1
    assert client.get("/tasks").status_code == 200
    assert client.put("/tasks/1", json={"title": "new"}).status_code == 200
    redis.execute_command("ACL", "SETUSER", "limited", f"+{command}")
    assert client.get("/health").json == HEALTHY
    wait_for(lambda: client.get("/tasks").json["source"] == "cache", "a cached list")


def test_a_refused_key_is_loud(make_client: MakeClient, redis: Redis) -> None:
    for pattern in KEYS:
        others = (f"~{other}" for other in KEYS if other != pattern)
        redis.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">x", *others, "+@all")
        client = make_client(redis_user="limited", redis_password="x")
        degraded = HEALTHY | {"status": "degraded", "cache": f"refused: key {pattern}"}
        assert client.get("/health").json == degraded


@pytest.mark.parametrize("command", ["info", "ping"])
def test_a_refused_command_that_no_task_needs_leaves_the_cache_in_use(
    make_client: MakeClient, redis: Redis, command: str
) -> None:
    redis.execute_command("ACL", "SETUSER", "limited", "on", ">x", "~*", "+@all", f"-{command}")
    client = make_client(redis_user="limited", redis_password="x")
    wait_for(lambda: client.get("/tasks").json["source"] == "cache", "a cached list")
    assert client.put("/tasks/1", json={"title": "new"}).status_code == 200
    assert client.get("/cache/stats").status_code == (503 if command == "info" else 200)
    assert client.get("/tasks").json["source"] == "database"
    assert client.get("/tasks").json["source"] == "cache"


def test_after_a_restart_of_redis_it_is_used_again(
    client: FlaskClient, guarded: GuardedRedis
) -> None:
    wait_for(lambda: client.get("/tasks").json["source"] == "cache", "a cached list")
    guarded.stop()
    assert client.get("/tasks").json["source"] == "database"
    guarded.start()
    wait_for(lambda: client.get("/tasks").json["source"] == "cache", "the cache to be back")


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "another"), ("SET", "another", "1"), ("KEYS", "*"), ("SCAN", "0"), ("FLUSHALL",),
        ("CONFIG", "GET", "*"), ("CONFIG", "SET", "maxmemory", "0"), ("ACL", "LIST"),
        ("EVAL", "return 1", "0"), ("SCRIPT", "FLUSH"), ("SCRIPT", "KILL"), ("SHUTDOWN",), ("SAVE",),
        ("MONITOR",), ("CLIENT", "LIST"), ("REPLICAOF", "NO", "ONE"), ("MODULE", "LIST"), ("PUBLISH", "x", "y"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_nothing_else_is(user: Redis, command: tuple[str, ...]) -> None:
    with pytest.raises(NoPermissionError):
        user.execute_command(*command)


def test_a_script_may_touch_no_other_key(user: Redis) -> None:
    digest = user.script_load("return redis.call('SET', KEYS[1], '1')")
    with pytest.raises(NoPermissionError):
        user.evalsha(digest, 1, "another")


def test_nobody_else_gets_in(guarded: GuardedRedis) -> None:
    with Redis(port=guarded.port) as anybody, pytest.raises(AuthenticationError):
        anybody.ping()
    wrong = Redis(port=guarded.port, username="tasks_api", password=PASSWORD.strip())
    with wrong, pytest.raises(AuthenticationError):
        wrong.ping()
    with Redis(port=guarded.port, username="health", password="none") as health:
        assert health.ping()
        with pytest.raises(NoPermissionError):
            health.get("all_tasks")


def test_the_seeds_redis_asks_nobody(tmp_path: Path) -> None:
    server = GuardedRedis(tmp_path)
    users = tmp_path / "users.acl"
    users.write_bytes(rendered(dev_values())["secrets/cache-redis/users.acl"].content)
    server.options = ("--aclfile", str(users))
    try:
        RedisServer.start(server)
        with Redis(port=server.port, decode_responses=True) as anybody:
            assert anybody.set("all_tasks", "[]")
            assert anybody.config_get("maxmemory")
    finally:
        server.stop()


def test_the_password_is_known_to_redis_as_a_hash_only(guarded: GuardedRedis) -> None:
    assert PASSWORD.strip() not in (guarded.folder / "users.acl").read_text(encoding="utf-8")
    assert (
        PASSWORD.strip().encode()
        not in Path(
            f"/proc/{guarded.process.pid}/cmdline"  # type: ignore[union-attr]
        ).read_bytes()
    )


def test_a_wrong_password_is_a_lost_cache_and_no_error(
    make_client: MakeClient, guarded: GuardedRedis
) -> None:
    client = make_client(redis_port=guarded.port, redis_user="tasks_api", redis_password="wrong")
    assert client.get("/tasks").json["source"] == "database"
    health = client.get("/health")
    assert (health.status_code, health.json["cache"]) == (200, "unhealthy")

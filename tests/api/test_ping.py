"""The image's ping, over real ICMP where the kernel lets an ordinary process send it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from tests.api.servers import API_SOURCE

ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(API_SOURCE), "PYTHONUNBUFFERED": "1"}
PING = [sys.executable, "-B", "-m", "tasks_api.ops.ping"]


def _socket_is_allowed() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def ping() -> list[str]:
    """Return the command; in a network of its own if this one forbids it."""
    if _socket_is_allowed():
        return PING
    allow = "ip link set lo up && echo 0 0 > /proc/sys/net/ipv4/ping_group_range"
    namespace = ["unshare", "--map-root-user", "--net", "sh", "-c"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*namespace, allow], capture_output=True, check=False).returncode
    ):
        pytest.skip("no unprivileged ICMP here, and no network namespace to allow it in")
    return [*namespace, f'{allow} && exec {shlex.join(PING)} "$@"', "ping"]


def run(ping: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [*ping, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_counted(ping: list[str]) -> None:
    result = run(ping, "-c", "2", "localhost")
    assert (result.returncode, result.stderr) == (0, "")
    pattern = (
        r"PING localhost \(127\.0\.0\.1\) 56\(84\) bytes of data\.\n"
        r"(64 bytes from localhost \(127\.0\.0\.1\): icmp_seq=[12] ttl=64 time=[0-9.]+ ms\n){2}"
        r"--- localhost ping statistics ---\n"
        r"2 packets transmitted, 2 received, 0% packet loss, time [0-9]+ms\n"
        r"rtt min/avg/max/mdev = [0-9.]+/[0-9.]+/[0-9.]+/[0-9.]+ ms\n"
    )
    assert re.fullmatch(pattern, result.stdout)


def test_until_interrupted(ping: list[str]) -> None:
    command = ["env", "--default-signal=INT", *ping, "127.0.0.1"]  # background jobs ignore it
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().startswith(b"PING 127.0.0.1")
            assert b"icmp_seq=1 " in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 0
    assert b"1 packets transmitted, 1 received, 0% packet loss" in output


def test_no_answer(ping: list[str]) -> None:
    result = run(ping, "-c", "1", "192.0.2.1")  # TEST-NET-1 of RFC 5737, where nobody is
    assert result.returncode == 1
    assert "1 packets transmitted, 0 received, 100% packet loss" in result.stdout
    assert "rtt" not in result.stdout


@pytest.mark.parametrize("host", ["nobody.invalid", "", "a" * 300])
def test_unknown_host(host: str) -> None:
    result = run(PING, "-c", "1", host)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"ping: {host}: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["-c", "0", "x"], ["-c", "x", "x"], ["-z", "x"]], ids=str
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = run(PING, *arguments)
    assert result.returncode == 2
    assert "usage: ping" in result.stderr

"""A small ``ping`` for an image that has none: ``ping [-c COUNT] HOST``.

It uses Linux's unprivileged ICMP sockets (SOCK_DGRAM with IPPROTO_ICMP, see icmp(7)), which need
neither root nor a capability where `net.ipv4.ping_group_range` allows the group, as Docker sets it
up in containers. IPv4 only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

_ECHO_REQUEST, _ECHO_REPLY = 8, 0  # RFC 792
_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_PAYLOAD = bytes(56)
_INTERVAL_SECONDS = 1.0
_TIMEOUT_SECONDS = 1.0
_IP_RECVTTL = 12  # from <linux/in.h>; Python's socket module does not name it
_USUAL_TTL = 64


class Reply(NamedTuple):
    """One answer: its size in bytes, time to live, and round trip time in milliseconds."""

    size: int
    ttl: int
    milliseconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Ping until Ctrl-C or `-c` probes. Returns as ping does: 0 some reply, 1 none, 2 an error."""
    parser = argparse.ArgumentParser(prog="ping", description="Send ICMP echo requests to a host.")
    parser.add_argument("-c", dest="count", type=_positive, help="stop after this many requests")
    parser.add_argument("host")
    options = parser.parse_args(arguments)
    try:
        address = socket.getaddrinfo(options.host, None, socket.AF_INET)[0][4][0]
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "Invalid name"
        print(f"ping: {options.host}: {reason}", file=sys.stderr)
        return 2
    try:
        icmp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    except PermissionError:
        print(
            f"ping: net.ipv4.ping_group_range does not include group {os.getegid()}",
            file=sys.stderr,
        )
        return 2
    with icmp:
        icmp.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        return _run(icmp, options.host, str(address), options.count)


def _run(icmp: socket.socket, host: str, address: str, count: int | None) -> int:
    print(
        f"PING {host} ({address}) {len(_PAYLOAD)}({len(_PAYLOAD) + 28}) bytes of data.", flush=True
    )
    started, sent, times = time.monotonic(), 0, list[float]()
    try:
        for sequence in itertools.count(1) if count is None else range(1, count + 1):
            if sent:
                time.sleep(_INTERVAL_SECONDS)
            sent += 1
            try:
                reply = echo(icmp, address, sequence)
            except OSError as error:
                print(f"From {address}: icmp_seq={sequence} {error.strerror}", flush=True)
                continue
            if reply:
                times.append(reply.milliseconds)
                print(
                    f"{reply.size} bytes from {host} ({address}): icmp_seq={sequence}"
                    f" ttl={reply.ttl} time={reply.milliseconds:.3g} ms",
                    flush=True,
                )
    except KeyboardInterrupt:
        print()
    _print_statistics(host, sent, times, time.monotonic() - started)
    return 0 if times else 1


def echo(icmp: socket.socket, address: str, sequence: int) -> Reply | None:
    """Send one echo request and wait a second for its reply. Returns None if none came.

    Raises:
        OSError: the network refused, such as EHOSTUNREACH.
    """
    number = sequence & 0xFFFF
    # The kernel fills in checksum and identifier, and delivers nothing but replies to this socket's
    # requests.
    packet = _HEADER.pack(_ECHO_REQUEST, 0, 0, 0, number) + _PAYLOAD
    started = time.perf_counter()
    icmp.sendto(packet, (address, 0))
    while (left := started + _TIMEOUT_SECONDS - time.perf_counter()) > 0:
        icmp.settimeout(left)
        try:
            data, ancillary, _, _ = icmp.recvmsg(1024, socket.CMSG_SPACE(4))
        except TimeoutError:
            return None
        elapsed = time.perf_counter() - started
        kind, _, _, _, answered = _HEADER.unpack_from(data)
        if (kind, answered) == (_ECHO_REPLY, number):
            ttl = int.from_bytes(ancillary[0][2], sys.byteorder) if ancillary else _USUAL_TTL
            return Reply(len(data), ttl, elapsed * 1000)
    return None


def _print_statistics(host: str, sent: int, times: list[float], seconds: float) -> None:
    loss = 100 * (sent - len(times)) / sent if sent else 0
    print(f"--- {host} ping statistics ---")
    print(
        f"{sent} packets transmitted, {len(times)} received, {loss:.3g}% packet loss,"
        f" time {seconds * 1000:.0f}ms"
    )
    if times:
        mean = sum(times) / len(times)
        deviation = (sum((t - mean) ** 2 for t in times) / len(times)) ** 0.5
        figures = (min(times), mean, max(times), deviation)
        print(f"rtt min/avg/max/mdev = {'/'.join(f'{figure:.3f}' for figure in figures)} ms")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())

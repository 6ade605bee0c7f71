"""A redis-cli for machines without one: ``python -I redis_cli.py PORT COMMAND [ARGUMENT…]`` on 127.0.0.1.

Prints replies as redis-cli does when its output is no terminal: strings as they are, one array item per line, nothing
for nil; exit code 1 when there is no connection. Protocol: RESP2, redis.io/docs/latest/develop/reference/protocol-spec.
"""

from __future__ import annotations

import socket
import sys
from typing import BinaryIO

ANSWER_SECONDS = 5.0


def encode(words: list[bytes]) -> bytes:
    """A command as an array of bulk strings."""
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words
    )


def read_reply(stream: BinaryIO) -> list[bytes]:
    """The lines of one reply. Raises ConnectionError when it is cut off."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the connection was closed")
    kind, rest = line[:1], line[1:-2]
    if kind == b"$":
        length = int(rest)
        return [stream.read(length + 2)[:-2]] if length >= 0 else [b""]
    if kind == b"*":
        return [item for _ in range(int(rest)) for item in read_reply(stream)] or [b""]
    return [rest]


def main(arguments: list[str]) -> int:
    """Send one command and print the reply. Returns the exit code."""
    port, *words = arguments
    try:
        with socket.create_connection(("127.0.0.1", int(port)), ANSWER_SECONDS) as connection:
            connection.sendall(encode([word.encode("utf-8", "surrogateescape") for word in words]))
            lines = read_reply(connection.makefile("rb"))
    except OSError as error:
        print(f"Could not connect to Redis at 127.0.0.1:{port}: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

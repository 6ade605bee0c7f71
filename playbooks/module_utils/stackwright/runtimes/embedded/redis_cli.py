"""A redis-cli for machines without one: ``python -I redis_cli.py -h HOST -p PORT [--user NAME --askpass] COMMAND…``.

The password is read from standard input. Prints replies as redis-cli does when its output is no terminal: strings as
they are, one array item per line, nothing for nil; exit code 1 when there is no connection.
Protocol: RESP2, redis.io/docs/latest/develop/reference/protocol-spec.
"""

from __future__ import annotations

import argparse
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


def ask(connection: socket.socket, words: list[bytes]) -> list[bytes]:
    """Send a command and read the lines of its reply, after which nothing else is to come."""
    connection.sendall(encode(words))
    return read_reply(connection.makefile("rb"))


def main(arguments: list[str]) -> int:
    """Send one command and print the reply. Returns the exit code."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-h", dest="host", default="127.0.0.1")
    parser.add_argument("-p", dest="port", type=int, default=6379)
    parser.add_argument("--user")
    parser.add_argument("--askpass", action="store_true")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    words = [word.encode("utf-8", "surrogateescape") for word in options.words]
    try:
        place = (options.host, options.port)
        with socket.create_connection(place, ANSWER_SECONDS) as connection:
            lines = [b"OK"]
            if options.askpass:
                password = sys.stdin.buffer.readline().removesuffix(b"\n")
                lines = ask(connection, [b"AUTH", options.user.encode(), password])
            if lines == [b"OK"]:
                lines = ask(connection, words)
    except OSError as error:
        print(
            f"Could not connect to Redis at {options.host}:{options.port}: {error}", file=sys.stderr
        )
        return 1
    sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

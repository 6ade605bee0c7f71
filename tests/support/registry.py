"""An image registry on loopback: the read half of the distribution protocol, over plain HTTP, for made-up images."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
TOKEN = "an anonymous token"
Answer = tuple[int, bytes, dict[str, str]]


@dataclass
class Registry:
    """``address`` is host:port; ``manifests`` by ``name/reference``, ``blobs`` by digest.

    With ``wants_token`` it sends clients for an anonymous token first, as Docker Hub does.
    """

    address: str = ""
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    wants_token: bool = False

    def add(self, name: str, tag: str, files: dict[str, bytes], **config: Any) -> str:
        """Publish a one-layer image of ``files`` under a tag, and return its digest."""
        layer = _tar(files)
        image = {
            "architecture": "amd64", "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }  # fmt: skip
        content = json.dumps(image).encode()
        layers = [_described("application/vnd.docker.image.rootfs.diff.tar", layer)]
        manifest = json.dumps(
            {
                "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": layers,
                "config": _described("application/vnd.docker.container.image.v1+json", content),
            }
        ).encode()  # fmt: skip
        self.blobs |= {_digest(layer): layer, _digest(content): content}
        self.manifests |= {f"{name}/{tag}": manifest, f"{name}/{_digest(manifest)}": manifest}
        return _digest(manifest)

    def answer(self, path: str, authorization: str) -> Answer:
        """What a request for ``path`` gets."""
        if path.startswith("/token?"):
            return 200, json.dumps({"token": TOKEN}).encode(), {"Content-Type": "application/json"}
        if self.wants_token and authorization != f"Bearer {TOKEN}":
            realm = f'Bearer realm="http://{self.address}/token",service="test",scope="repository:x:pull"'
            return 401, b"{}", {"WWW-Authenticate": realm}
        if path == "/v2/":
            return 200, b"{}", {"Content-Type": "application/json"}
        manifest = self.manifests.get(path.removeprefix("/v2/").replace("/manifests/", "/"))
        if manifest is not None:
            found = {"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": _digest(manifest)}
            return 200, manifest, found
        blob = self.blobs.get(path.rpartition("/blobs/")[2])
        if blob is not None:
            return 200, blob, {"Content-Type": "application/octet-stream"}
        return (
            404,
            b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}',
            {"Content-Type": "application/json"},
        )


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _described(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(content), "digest": _digest(content)}


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@contextmanager
def registry() -> Iterator[Registry]:
    """Serve until the block ends."""
    state = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, body, headers = state.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A limit: Flask on granian answering fixed bytes, the most any view of a Flask application can reach.

The folder PAYLOADS holds one file per path: `/3` is answered with the file `3`.
"""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response

app = Flask(__name__, static_folder=None)


def serve(name: str, body: bytes) -> None:
    app.add_url_rule(f"/{name}", name, lambda: Response(body, content_type="application/json"))


for file in Path(os.environ["PAYLOADS"]).iterdir():
    serve(file.name, file.read_bytes())

"""A model hub on this machine, as much of it as is asked, which can also misbehave."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

PIECE = 256 << 10  # bytes
COMMIT = "c0ffee" + "0" * 34


@dataclass
class LocalHub:
    """files: of the one model that it has, by name. asked: requests, and the token each came with.

    cut: bytes after which an answer breaks off, one for each answer. lie: bytes that an answer has more than was said.
    instead: contents that are sent in place of those that were told of. gated: it wants an agreement. slow: seconds
    between two pieces of a file.
    """

    repo: str
    files: Mapping[str, bytes]
    licence: str = "apache-2.0"
    asked: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    cut: list[int] = field(default_factory=list[int])
    lie: int = 0
    instead: dict[str, bytes] = field(default_factory=dict[str, bytes])
    gated: bool = False
    slow: float = 0.0
    ranges: list[str | None] = field(default_factory=list[str | None])

    def about(self) -> dict[str, Any]:
        return {
            "_id": "1",
            "id": self.repo,
            "modelId": self.repo,
            "sha": COMMIT,
            "private": False,
            "disabled": False,
            "gated": "auto" if self.gated else False,
            "downloads": 0,
            "likes": 0,
            "tags": [f"license:{self.licence}"],
            "cardData": {"license": self.licence},
            "siblings": [_sibling(name, content) for name, content in self.files.items()],
        }


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    blob = sha1(b"blob %d\0" % len(content) + content).hexdigest()
    told: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
    if name.endswith((".safetensors", ".bin", ".gguf")):
        told["lfs"] = {"sha256": sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return told


def _handler(hub: LocalHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.asked.append((self.path, self.headers.get("authorization")))
            path = unquote(self.path.partition("?")[0])
            if path.startswith(f"/api/models/{hub.repo}"):
                self._send(json.dumps(hub.about()).encode(), "application/json")
            elif path.startswith(f"/{hub.repo}/resolve/{COMMIT}/"):
                self._file(path.removeprefix(f"/{hub.repo}/resolve/{COMMIT}/"))
            else:
                self._refuse(401, "RepoNotFound")

        def _file(self, name: str) -> None:
            if hub.gated and not self.headers.get("authorization"):
                self._refuse(401, "GatedRepo")
                return
            content = hub.instead.get(name, hub.files[name])
            hub.ranges.append(self.headers.get("range"))
            begin, end = 0, len(content)
            if wanted := self.headers.get("range"):
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                begin, end = int(first), min(int(last) + 1 if last else end, end)
            body = content[begin:end] + bytes(hub.lie)
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if hub.cut and not (wanted and not begin):  # the table of tensors comes whole
                self.wfile.write(body[: hub.cut.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
            else:
                for begin in range(0, len(body), PIECE):
                    self.wfile.write(body[begin : begin + PIECE])
                    time.sleep(hub.slow)

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _refuse(self, code: int, why: str) -> None:
            self.send_response(code)
            self.send_header("X-Error-Code", why)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(hub: LocalHub) -> Iterator[str]:
    """Its address, for HF_ENDPOINT."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()

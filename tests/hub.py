"""A hub on this machine: what huggingface_hub asks of the real one to create, fill, look up and download a repository."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_stand_in"


@dataclass
class Repository:
    private: bool = False
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{".gitattributes": b""}])
    sizes: dict[str, int] = field(default_factory=dict)
    """What is claimed of files, where it is not their size."""

    @property
    def files(self) -> dict[str, bytes]:
        """Of the latest commit; what is put there is in no other."""
        return self.commits[-1]

    def commit(self, **changes: bytes | None) -> str:
        """A further commit; None removes a file. Its name."""
        kept = {**self.files, **changes}
        self.commits.append({name: value for name, value in kept.items() if value is not None})
        return self.names[-1]

    @property
    def names(self) -> list[str]:
        return [hashlib.sha1(f"{id(self)} {i}".encode()).hexdigest() for i in range(len(self.commits))]

    def at(self, revision: str) -> int | None:
        """The number of a commit."""
        if revision == "main":
            return len(self.commits) - 1
        return self.names.index(revision) if revision in self.names else None


@dataclass
class Hub:
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Method and path of every request."""


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The address of `hub`, for as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        name, rest = "/".join(parts[2:4] if api else parts[:2]), parts[4:] if api else parts[2:]
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not self._knows_token()):
            return self._failed(404, "RepoNotFound")
        number = repository.at(rest[1] if rest[1:] else "main")
        if number is None:
            return self._failed(404, "RevisionNotFound")
        files, commit = repository.commits[number], repository.names[number]
        if not api:
            return self._sent(files["/".join(rest[2:])], commit)
        if rest[:1] == ["tree"]:
            entries = [(path, repository.sizes.get(path, len(data))) for path, data in sorted(files.items())]
            return self._json([{"type": "file", "path": path, "size": size, "oid": "0" * 40} for path, size in entries])
        return self._json({"id": name, "sha": commit, "private": repository.private, "siblings": []})

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/api/validate-yaml":
            return self._json({"warnings": [], "errors": []})
        if not self._knows_token():
            return self._failed(401, "")
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.hub.repositories[name] = Repository(asked.get("visibility") == "private")
            return self._json({"url": f"http://{self.headers['Host']}/{name}"})
        *_, user, run, what, _ = path.split("/")
        if what == "preupload":
            files = json.loads(body)["files"]
            return self._json({"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]})
        lines = [json.loads(line) for line in body.splitlines()]
        repository = self.hub.repositories[f"{user}/{run}"]
        values = {kind: [line["value"] for line in lines if line["key"] == kind] for kind in ("file", "deletedFile")}
        added = {value["path"]: base64.b64decode(value["content"]) for value in values["file"]}
        removed = {value["path"]: None for value in values["deletedFile"]}
        commit = repository.commit(**added, **removed)
        return self._json({"commitUrl": f"http://{self.headers['Host']}/{user}/{run}/commit/{commit}", "commitOid": commit})

    def _knows_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _json(self, value: Any) -> None:
        self._sent(json.dumps(value).encode())

    def _sent(self, data: bytes, commit: str = "") -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _failed(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

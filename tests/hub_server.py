"""A hub on the loopback: the part of the Hugging Face hub's file API that its clients use.

Repositories have commits, branches, and faults: gated, slow, busy at first, breaking off.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

API = re.compile(
    r"/api/(models|datasets)/([\w.-]+(?:/[\w.-]+)?)(?:/(revision|tree|paths-info)/(.+))?"
)
RESOLVE = re.compile(r"/(datasets/)?([\w.-]+(?:/[\w.-]+)?)/resolve/([^/]+)/(.+)")
TOKEN = "hf_good"
NO_ACCESS = "hf_without_access"
CHUNK = 1 << 16


@dataclass
class Repo:
    """A repository with one commit, or an older one too.

    files      contents by name, at the commit that `main` names
    older      contents at an older commit
    gated      content only for TOKEN
    pause      seconds before each chunk of a file
    busy       statuses that the first requests get instead of an answer
    breaks     file name -> bytes after which the first `times` downloads of it break off
    """

    files: dict[str, bytes]
    older: dict[str, bytes] | None = None
    gated: bool = False
    pause: float = 0.0
    busy: list[int] = field(default_factory=list)
    breaks: dict[str, int] = field(default_factory=dict)
    times: int = 1

    @property
    def commit(self) -> str:
        """The commit of `main`."""
        return _commit(self.files)

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Commit and contents at a revision; None where there is none."""
        if revision in ("main", "v1.0", self.commit):
            return self.commit, self.files
        if self.older is not None and revision in ("old", _commit(self.older)):
            return _commit(self.older), self.older
        return None


def _commit(files: dict[str, bytes]) -> str:
    total = hashlib.sha1()
    for name, content in sorted(files.items()):
        total.update(name.encode() + b"\0" + content)
    return total.hexdigest()


class Hub(ThreadingHTTPServer):
    """The server; `seen` lists (method, path, Range header) of all requests."""

    daemon_threads = True

    def __init__(self, models: dict[str, Repo], datasets: dict[str, Repo]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos = {"models": models, "datasets": datasets}
        self.seen: list[tuple[str, str, str | None]] = []

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_port}"

    def downloads(self, name: str) -> list[str | None]:
        """Range headers of the downloads of a file, in order."""
        return [r for method, path, r in self.seen if method == "GET" and path.endswith("/" + name)]


@contextmanager
def hub(models: dict[str, Repo], datasets: dict[str, Repo]) -> Iterator[Hub]:
    """A running hub, stopped at the end."""
    server = Hub(models, datasets)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.seen.append((self.command, path, self.headers.get("Range")))
        api, file = API.fullmatch(path), RESOLVE.fullmatch(path)
        if api:
            self._api(api[1], api[2], api[3], api[4])
        elif file:
            self._file("datasets" if file[1] else "models", file[2], file[3], file[4])
        else:
            self._refuse(404, "EntryNotFound", "no such page")

    def _repo(self, kind: str, name: str) -> Repo | None:
        """The repository, unless something stands in the way, which is then answered."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in ("", TOKEN, NO_ACCESS):
            self._refuse(401, None, "Invalid credentials in Authorization header")
            return None
        repo = self.server.repos[kind].get(name)
        if repo is None and not token:
            self._refuse(401, None, "Invalid username or password.")  # as the hub hides them
        elif repo is None:
            self._refuse(404, "RepoNotFound", "Repository not found")
        elif repo.busy:
            self._refuse(repo.busy.pop(0), None, "busy")
        else:
            return repo
        return None

    def _api(self, kind: str, name: str, what: str | None, rest: str | None) -> None:
        repo = self._repo(kind, name)
        if repo is None:
            return
        revision, _, folder = (rest or "main").partition("/")
        found = repo.at(revision)
        if found is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        commit, files = found
        if what == "tree":
            self._json(_tree(files, folder))
        elif what == "paths-info":
            self._json([_entry(n, files[n]) for n in self._asked() if n in files])
        else:
            siblings = [{"rfilename": file} for file in files]
            gated = "auto" if repo.gated else False
            self._json(
                {"id": name, "sha": commit, "siblings": siblings, "gated": gated, "tags": []}
            )

    def _asked(self) -> list[str]:
        if "json" in (self.headers.get("Content-Type") or ""):
            return json.loads(self.body)["paths"]
        return parse_qs(self.body.decode()).get("paths", [])

    def _file(self, kind: str, name: str, revision: str, file: str) -> None:
        repo = self._repo(kind, name)
        if repo is None:
            return
        if repo.gated and (self.headers.get("Authorization") or "") != f"Bearer {TOKEN}":
            status = 403 if self.headers.get("Authorization") else 401
            self._refuse(status, "GatedRepo", f"Access to {name} is restricted.")
            return
        found = repo.at(revision)
        if found is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif file not in found[1]:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": found[0]})
        else:
            self._send(repo, found[0], file, found[1][file])

    def _send(self, repo: Repo, commit: str, name: str, content: bytes) -> None:
        start = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        first = int(start[1]) if start else 0
        last = int(start[2]) + 1 if start and start[2] else len(content)
        part = content[first:last]
        self.send_response(206 if start else 200)
        for key, value in _file_headers(commit, content).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(part)))
        if start:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(content)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = len(part)
        if name in repo.breaks and repo.times:
            repo.times -= 1
            limit = min(limit, repo.breaks[name])
        for at in range(0, limit, CHUNK):
            time.sleep(repo.pause)
            self.wfile.write(part[at : min(at + CHUNK, limit)])
        self.close_connection = limit < len(part)

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(
        self, status: int, code: str | None, message: str, more: dict[str, str] | None = None
    ) -> None:
        body = json.dumps({"error": message}).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        for key, value in {"X-Error-Message": message, **(more or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _file_headers(commit: str, content: bytes) -> dict[str, str]:
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    return {
        "X-Repo-Commit": commit,
        "ETag": etag,
        "X-Linked-ETag": etag,
        "X-Linked-Size": str(len(content)),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
    }


def _entry(name: str, content: bytes) -> dict[str, object]:
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "path": name, "size": len(content), "oid": oid}


def _tree(files: dict[str, bytes], folder: str) -> list[dict[str, object]]:
    prefix = f"{folder}/" if folder else ""
    inside = {name: content for name, content in files.items() if name.startswith(prefix)}
    folders = {"/".join(n.split("/")[:i]) for n in inside for i in range(1, n.count("/") + 1)}
    made = [{"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in sorted(folders)]
    return made + [_entry(name, content) for name, content in inside.items()]

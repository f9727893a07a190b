"""The hub on the loopback with what clients need to make repositories and commits.

Large files go as the real hub takes them: a batch request, then the bytes to an address that it
gave; small ones lie inside the commit.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub_server import TOKEN, Hub, Repo, _Handler, hub

WRITE = re.compile(r"/api/(models|datasets)/([\w.-]+/[\w.-]+)/(preupload|commit)/(.+)")
BATCH = re.compile(r"/(?:datasets/)?([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch")
LARGE = (".safetensors", ".parquet")


class _Writes(_Handler):
    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        write, batch = WRITE.fullmatch(path), BATCH.fullmatch(path)
        known = path in ("/api/repos/create", "/api/validate-yaml")
        if not (write or batch or known):
            super().do_POST()
            return
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(("POST", path, None))
        if path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._refuse(403, None, "this token may not write")
        elif known:
            self._create(json.loads(self.body))
        elif batch:
            self._batch(json.loads(self.body))
        elif write:
            self._write(*write.groups())

    def do_PUT(self) -> None:
        oid = urlsplit(self.path).path.rpartition("/")[2]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.large[oid] = content
        self._json({})

    def _create(self, asked: dict) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        kind = asked.get("type", "model") + "s"
        self.server.repos[kind][name] = Repo({})
        self.server.private[name] = asked.get("visibility") == "private"
        self._json({"url": f"{self.server.url}/{name}", "id": name})

    def _batch(self, asked: dict) -> None:
        upload = f"{self.server.url}/large/"
        made = [
            {**one, "actions": {"upload": {"href": upload + one["oid"]}}}
            for one in asked["objects"]
        ]
        self._json({"transfer": "basic", "objects": made})

    def _write(self, kind: str, name: str, what: str, _revision: str) -> None:
        if what == "preupload":
            files = json.loads(self.body)["files"]
            modes = {f["path"]: "lfs" if f["path"].endswith(LARGE) else "regular" for f in files}
            told = [
                {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": None}
                for path, mode in modes.items()
            ]
            self._json({"files": told})
            return
        self._commit(kind, name)

    def _commit(self, kind: str, name: str) -> None:
        lines = [json.loads(line) for line in self.body.splitlines()]
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
        pull = "create_pr" in parse_qs(urlsplit(self.path).query)
        target = self.server.pulls if pull else self.server.repos[kind][name].files
        target.update(files)
        done = {"commitOid": "d" * 40, "commitUrl": f"{self.server.url}/{name}/commit/{'d' * 40}"}
        more = {"pullRequestUrl": f"{self.server.url}/{name}/discussions/1"} if pull else {}
        self._json({"success": True, **done, **more})

    def _json(self, value: object) -> None:
        if isinstance(value, dict) and "siblings" in value:  # what is said of a repository
            value = value | {"private": self.server.private.get(value["id"], False)}
        super()._json(value)


@contextmanager
def writable_hub(models: dict[str, Repo], datasets: dict[str, Repo]) -> Iterator[Hub]:
    """A running hub that takes commits; `pulls` has the files of pull requests."""
    with hub(models, datasets) as server:
        server.RequestHandlerClass = _Writes
        server.large, server.pulls, server.private = {}, {}, {}
        yield server

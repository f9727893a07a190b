"""The store: every segment that was ever decoded for one model, in one SQLite file outside the DAG.

A finished segment is one transaction; the ids of running ones are added every few seconds, so that
a kill loses almost nothing. Write-ahead logging keeps the file whole at any moment.
"""

import fcntl
import json
import os
import socket
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.inference.chain import Ids, Segment
from workflow_scripts.inference.keys import as_bytes, from_bytes

VERSION = "1"
COUNTER_AT = 512  # place in the lock file of the running count of ids

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
    key TEXT PRIMARY KEY, owner TEXT, kind TEXT, ids BLOB, stop_id INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pieces (
    key TEXT, start INTEGER, ids BLOB, PRIMARY KEY (key, start)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, facts TEXT);
"""


class Store:
    """Segments by key. Open it with `writable` or `readable`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.path, self._db, self._lock = path, connection, lock

    @classmethod
    def writable(cls, path: Path, identity: dict[str, str]) -> "Store":
        """Open or create the store of one model and engine; one process at a time.

        Raises UserError when another run holds it, InputError when it belongs to another model or
        engine.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        try:
            db = _connect(path)
            db.executescript(TABLES)
            store = cls(path, db, lock)
            store._claim({"version": VERSION, **identity})
            store._account_for_kill()
        except BaseException:
            os.close(lock)
            raise
        return store

    @classmethod
    def readable(cls, path: Path, identity: dict[str, str]) -> "Store":
        """Open an existing store to read. InputError when it is absent or another model's."""
        if not path.is_file():
            raise InputError(f"{path} does not exist; rerun the generate rule of this model")
        store = cls(path, _connect(path), None)
        store._compare({"version": VERSION, **identity})
        return store

    def get(self, key: str) -> Segment | None:
        """A segment as far as it was decoded; None when nothing is known of it."""
        row = self._db.execute("SELECT ids, stop_id FROM segments WHERE key=?", (key,)).fetchone()
        if row and row[1] is not None:
            return Segment(from_bytes(row[0]), row[1])
        ids = from_bytes(row[0]) if row else ()
        for start, blob in self._db.execute(
            "SELECT start, ids FROM pieces WHERE key=? ORDER BY start", (key,)
        ):
            more = from_bytes(blob)
            if start > len(ids):
                break  # a hole cannot be bridged; what lies behind it is decoded again
            ids = ids[:start] + more if start + len(more) > len(ids) else ids
        return Segment(ids) if row or ids else None

    def finish(self, segments: Iterable[tuple[str, str, str, Segment]]) -> None:
        """Write whole segments (key, owner, kind, segment); their pieces go."""
        with self._db:
            for key, owner, kind, segment in segments:
                self._db.execute(
                    "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?)",
                    (key, owner, kind, as_bytes(segment.ids), segment.stop_id),
                )
                self._db.execute("DELETE FROM pieces WHERE key=?", (key,))

    def checkpoint(self, pieces: Iterable[tuple[str, int, Ids]]) -> None:
        """Add the newest ids of running segments: (key, position of the first id, ids)."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO pieces VALUES (?, ?, ?)",
                ((key, start, as_bytes(ids)) for key, start, ids in pieces),
            )

    def run(self, number: int | None, facts: dict[str, Any]) -> int:
        """Record a run's counts: a new entry for None, else replace that entry. Its number."""
        with self._db:
            cursor = self._db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?)", (number, json.dumps(facts))
            )
        return number or int(cursor.lastrowid or 0)

    def tick(self, decoded: int) -> None:
        """Leave the count of ids seen so far where a kill cannot take it."""
        if self._lock is not None:
            os.pwrite(self._lock, decoded.to_bytes(8, "little"), COUNTER_AT)

    def _account_for_kill(self) -> None:
        """Charge the last run with ids that it had seen but not saved."""
        assert self._lock is not None
        seen = int.from_bytes(os.pread(self._lock, 8, COUNTER_AT), "little")
        row = self._db.execute("SELECT number, facts FROM runs ORDER BY number DESC").fetchone()
        if row:
            facts = json.loads(row[1])
            self.run(row[0], {**facts, "lost": max(0, seen - facts["decoded"])})
        self.tick(0)

    def runs(self) -> list[dict[str, Any]]:
        """Counts of all runs so far, oldest first."""
        rows = self._db.execute("SELECT facts FROM runs ORDER BY number")
        return [json.loads(facts) for (facts,) in rows]

    def note(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    def noted(self, name: str) -> Any:
        """A value kept by `note`; None when absent."""
        row = self._db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def totals(self) -> dict[str, int]:
        """Segments and ids held, by kind; `ended` counts end tokens."""
        query = "SELECT kind, COUNT(*), SUM(LENGTH(ids)) / 4 FROM segments GROUP BY kind"
        found = {"ended": 0}
        for kind, count, ids in self._db.execute(query):
            found[f"{kind}_segments"], found[f"{kind}_ids"] = count, ids
        query = "SELECT COUNT(*) FROM segments WHERE stop_id IS NOT NULL"
        (found["ended"],) = self._db.execute(query).fetchone()
        return found

    def close(self) -> None:
        """Fold the log into the file and let go of the lock."""
        if self._lock is not None:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _claim(self, identity: dict[str, str]) -> None:
        if self.noted("version") is None:
            for name, value in identity.items():
                self.note(name, value)
        self._compare(identity)

    def _compare(self, identity: dict[str, str]) -> None:
        for name, value in identity.items():
            held = self.noted(name)
            if held != value:
                raise InputError(
                    f"{self.path} was written with {name} {held}, this run has {value}; segments "
                    f"of the two must not mix. Move the file away to start anew, or restore "
                    f"the {name} that wrote it"
                )


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        # The kernel keeps what a killed process wrote; only a power cut can lose the last commits.
        db.execute("PRAGMA synchronous=NORMAL")
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} is no store of segments ({error}); move it away") from None
    return db


def _lock(path: Path) -> int:
    """Take the store's lock file; it dies with the process, however that ends."""
    name = path.with_name(path.name + ".lock")
    handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 200).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise UserError(
            f"{path} is in use by another run ({holder}); wait for it or stop it, then start again"
        ) from None
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    os.pwrite(handle, holder.encode().ljust(200), 0)
    return handle

"""Room on file systems, and what a write that failed for want of it means to the user."""

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workflow_scripts.common.errors import UserError

MEANINGS = {
    errno.ENOSPC: "the disk is full{room}. Make room there, or set `results:` to a larger disk",
    errno.EDQUOT: "your quota is used up{room}. Make room there, or set `results:` to another disk",
    errno.EROFS: "the file system is read-only. Mount it for writing, or set `results:` elsewhere",
    errno.EACCES: "no permission to write there. Change the owner or mode, or set `results:` "
    "elsewhere",
    errno.EPERM: "writing there is not permitted. Change the owner or mode, or set `results:` "
    "elsewhere",
}

FULL = 2**16  # bytes; with less room than this a disk counts as full


class StorageError(UserError):
    """A file cannot be written because of the file system, not because of its content."""


def gb(size: float) -> str:
    """Bytes in decimal units as a user reads them: 43.2 GB, 850 MB."""
    for unit, width in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size) >= width:
            return f"{size / width:,.1f} {unit}"
    return f"{size:.0f} B"


def standing(path: Path) -> Path:
    """The path itself or its nearest parent that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write on the file system of `path`, which need not exist."""
    found = os.statvfs(standing(path))
    return found.f_bavail * found.f_frsize


def folder_bytes(folder: Path) -> int:
    """Bytes of all files under a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def same_disk(one: Path, other: Path) -> bool:
    """Whether two paths, which need not exist, lie on one file system."""
    return standing(one).stat().st_dev == standing(other).stat().st_dev


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise StorageError where the file system refuses what the block does for `path`."""
    try:
        yield
    except Exception as error:
        fault = storage_fault(error, path)
        if fault is None:
            raise
        raise fault from error


def storage_fault(error: BaseException, path: Path) -> StorageError | None:
    """The error for a write to `path` that the file system refused; None for any other error.

    Libraries written in Rust hide the number in their text, as "(os error 28)"; numpy gives none
    and counts what it could not write.
    """
    code = _code(error, path)
    if code not in MEANINGS or not _concerns(error, path):
        return None
    try:
        room = f" ({gb(free_bytes(path))} free for {path})"
    except OSError:
        room = ""
    return StorageError(f"cannot write {path}: {MEANINGS[code].format(room=room)}, and run again")


def _code(error: BaseException, path: Path) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, sqlite3.Error):
        named = getattr(error, "sqlite_errorname", "").split("_")[:2]
        return {"FULL": errno.ENOSPC, "READONLY": errno.EROFS}.get(named[-1])
    numbered = re.search(r"\bos error (\d+)", str(error))
    if numbered or not isinstance(error, OSError):
        return int(numbered[1]) if numbered else None
    return errno.ENOSPC if free_bytes(path) < FULL else None


def _concerns(error: BaseException, path: Path) -> bool:
    """Whether a refusal is about writing `path`: an input may be what one may not open."""
    name = getattr(error, "filename", None)
    if not isinstance(error, PermissionError) or name is None:
        return True
    return Path(name) == path or Path(name) in path.parents or Path(name).parent == path.parent

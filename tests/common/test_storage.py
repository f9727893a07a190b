"""A full, read-only or forbidden disk: one line with path and fix, and no half file."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from workflow_scripts.common.artifacts import atomic, write_csv, write_json
from workflow_scripts.common.storage import (
    StorageError,
    folder_bytes,
    free_bytes,
    gb,
    same_disk,
    storage_fault,
)

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20
FRAME = pl.DataFrame({"number": list(range(400_000))})


def mount(folder: Path, options: str) -> None:
    """A file system of its own; skipped where this user may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"mount: {error}")
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.strip()}")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    folder = tmp_path / "small"
    mount(folder, "size=1m")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Path]:
    """A real file system that may only be read."""
    folder = tmp_path / "frozen"
    mount(folder, "size=1m,ro")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def save_parquet(path: Path) -> None:
    with atomic(path) as part:
        FRAME.write_parquet(part, compression="uncompressed")


def save_array(path: Path) -> None:
    with atomic(path) as part, part.open("wb") as file:
        np.save(file, np.arange(MIB))


WRITERS = {
    "json": lambda path: write_json(path, list(range(400_000))),
    "csv": lambda path: write_csv(path, FRAME),
    "parquet": save_parquet,
    "array": save_array,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_keeps_the_old_file_and_says_so(small: Path, kind: str) -> None:
    path = small / "sub" / "out"
    path.parent.mkdir()
    path.write_text("old")
    with pytest.raises(StorageError, match=r"sub/out: the disk is full \(.* free for .*\)\. Make"):
        WRITERS[kind](path)
    assert [found.name for found in path.parent.iterdir()] == ["out"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("kind", WRITERS)
def test_a_read_only_disk_is_called_so(frozen: Path, kind: str) -> None:
    with pytest.raises(StorageError, match=r"frozen/out: the file system is read-only\. Mount"):
        WRITERS[kind](frozen / "out")


JOB = """
import sys
from pathlib import Path
from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.job import ONE, run
def work(args):
    if args.settings.get("library"):
        Path(args.settings["library"]).write_bytes(b"x" * 2**22)
    write_json(args.out, list(range(args.settings["count"])))
run(work, None, {}, ("out",))
"""


def job(out: Path, log: Path, settings: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", JOB, "--out", str(out), "--settings", settings]
    return subprocess.run(
        [*command, "--log", str(log)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def refused(done: subprocess.CompletedProcess, path: Path, reason: str) -> None:
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(said) == 1 and f"cannot write {path}: {reason}" in said[0]


def test_a_job_on_a_full_disk_says_one_line(small: Path) -> None:
    done = job(small / "out.json", small / "logs" / "x.log", '{"count": 400000}')
    refused(done, small / "out.json", "the disk is full")
    assert not (small / "out.json").exists()


def test_a_librarys_own_write_is_explained_too(small: Path, tmp_path: Path) -> None:
    settings = f'{{"count": 1, "library": "{small / "cache"}"}}'
    done = job(tmp_path / "out.json", tmp_path / "x.log", settings)
    refused(done, tmp_path / "out.json", "the disk is full")


def test_a_log_that_is_full_hides_nothing(small: Path) -> None:
    (small / "fill").write_bytes(b"x" * (free_bytes(small) - 8192))
    done = job(small / "out.json", small / "logs" / "x.log", '{"count": 400000}')
    refused(done, small / "out.json", "the disk is full")


@pytest.mark.parametrize("log", ["frozen/logs/x.log", "x.log"])
def test_a_job_on_a_read_only_disk_says_one_line(frozen: Path, tmp_path: Path, log: str) -> None:
    done = job(frozen / "deep" / "out.json", tmp_path / log, '{"count": 1}')
    path = tmp_path / log if "frozen" in log else frozen / "deep"
    refused(done, path, "the file system is read-only")


def test_an_input_that_may_not_be_read_is_not_called_unwritable(tmp_path: Path) -> None:
    secret = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "in" / "secret"))
    assert storage_fault(secret, tmp_path / "out" / "x.json") is None
    own = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "out" / ".x.part"))
    assert "no permission to write there" in str(storage_fault(own, tmp_path / "out" / "x.json"))
    assert storage_fault(ValueError("os error 99"), tmp_path) is None
    assert storage_fault(FileNotFoundError(errno.ENOENT, "gone"), tmp_path) is None


def test_a_full_database_is_a_full_disk(small: Path) -> None:
    database = sqlite3.connect(small / "store.sqlite")
    database.execute("CREATE TABLE t (x BLOB)")
    with pytest.raises(sqlite3.Error) as error, database:
        database.execute("INSERT INTO t VALUES (?)", (b"x" * 2 * MIB,))
    database.close()
    assert "the disk is full" in str(storage_fault(error.value, small / "store.sqlite"))


def test_room_is_that_of_the_nearest_folder(small: Path, tmp_path: Path) -> None:
    assert 0 < free_bytes(small / "not" / "yet") <= MIB
    assert same_disk(small / "not" / "yet", small)
    assert not same_disk(small / "not" / "yet", tmp_path / "neither")
    (small / "a").write_bytes(b"x" * 5000)
    assert folder_bytes(small) == 5000 and folder_bytes(small / "absent") == 0
    assert free_bytes(small) == os.statvfs(small).f_bavail * os.statvfs(small).f_frsize


def test_sizes_read_well() -> None:
    assert [gb(x) for x in (12, 4_300, 43.2e9, 1.5e12)] == ["12 B", "4.3 kB", "43.2 GB", "1.5 TB"]

"""What happened to a job over all its runs: a line when it starts and one when it ends.

They lie beside its log, which every run writes anew. A job that was killed writes no end, so a
start that another start follows tells of it. Until then the file's time tells: a job that lives
sets it every BEAT_S seconds, whatever it is busy with, so that another node can see it, too.
"""

import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import write_text
from workflow_scripts.common.errors import InputError
from workflow_scripts.common.records import from_json
from workflow_scripts.common.storage import writing

DONE, FAILED, INTERRUPTED = OUTCOMES = ("done", "failed", "interrupted")
SUFFIX = ".runs.jsonl"
WORKFLOW = "snakemake.json"  # in the results folder
LONGEST = 500  # characters of an error that are kept
BEAT_S = 15.0


@dataclass(frozen=True)
class Line:
    """A start (`outcome` is "") or an end of one run.

    at        UTC, ISO
    settings  of a start: the job's slice of the config
    message   of a failure
    host      of a start: where the job runs
    pid       of a start: its process there
    """

    at: str
    outcome: str = ""
    message: str = ""
    settings: dict[str, Any] | None = None
    host: str = ""
    pid: int = 0


@dataclass(frozen=True)
class WorkflowCall:
    """A start of snakemake, in `snakemake.json` of the results folder.

    log  its own, as an absolute path; "" where it keeps none
    """

    at: str
    host: str
    pid: int
    log: str


@dataclass(frozen=True)
class JobRun:
    """One run of a job.

    job       "generate/s1k": the rule and what it was about
    outcome   one of OUTCOMES; "" where nothing tells of an end: killed, or still running
    last      no later run of this job is known
    start     UTC, ISO
    end       the same; "" where nothing tells of an end
    host      where it ran; "" in files of older versions, as `pid` is 0 there
    """

    job: str
    outcome: str
    message: str
    settings: dict[str, Any]
    last: bool
    start: str = ""
    end: str = ""
    host: str = ""
    pid: int = 0

    @property
    def rule(self) -> str:
        """The name of its rule."""
        return self.job.split("/")[0]

    @property
    def killed(self) -> bool:
        """Whether it ended without a word: only a later run can tell."""
        return not self.outcome and not self.last


def started(log: Path | None, settings: dict[str, Any]) -> None:
    """Note that a job starts. StorageError where its folder refuses the write."""
    _append(log, Line(_now(), settings=settings, host=socket.gethostname(), pid=os.getpid()))


def workflow_started(results: Path, logs: Sequence[str]) -> None:
    """Note that snakemake starts work on a results folder. StorageError as of `started`."""
    log = os.path.abspath(logs[0]) if logs else ""
    call = WorkflowCall(_now(), socket.gethostname(), os.getpid(), log)
    write_text(results / WORKFLOW, json.dumps(asdict(call)) + "\n")


def ended(log: Path | None, outcome: str, message: str = "") -> None:
    """Note how a job ended. StorageError as of `started`."""
    _append(log, Line(_now(), outcome, message[:LONGEST]))


@contextmanager
def beating(log: Path | None) -> Iterator[None]:
    """Set the time of a job's file every BEAT_S seconds while the block runs."""
    if log is None:
        yield
        return
    over = threading.Event()
    beat = threading.Thread(target=_beat, args=(log.with_suffix(SUFFIX), over), daemon=True)
    beat.start()
    try:
        yield
    finally:
        over.set()


def _beat(path: Path, over: threading.Event) -> None:
    while not over.wait(BEAT_S):
        with suppress(OSError):  # a disk that does not answer must not stop the job
            os.utime(path)


def runs(folder: Path) -> Iterator[JobRun]:
    """All runs of the jobs whose logs lie under a folder, by job, in the order they started."""
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        job = path.relative_to(folder).as_posix().removesuffix(SUFFIX)
        yield from _runs(job, _lines(path))


def _runs(job: str, lines: list[Line]) -> Iterator[JobRun]:
    starts = [i for i, line in enumerate(lines) if line.settings is not None]
    for i, after in zip(starts, [*starts[1:], len(lines)], strict=True):
        first, last = lines[i], after == len(lines)
        end = lines[i + 1] if i + 1 < after else Line("")
        what = (job, end.outcome, end.message, first.settings or {}, last)
        yield JobRun(*what, start=first.at, end=end.at, host=first.host, pid=first.pid)


def _lines(path: Path) -> list[Line]:
    """The lines of a file; one that a kill or a full disk cut off is left out."""
    found = []
    for text in path.read_text(errors="replace").splitlines():
        try:
            found.append(from_json(Line, json.loads(text), str(path)))
        except (json.JSONDecodeError, InputError):
            continue
    return found


def _append(log: Path | None, line: Line) -> None:
    if log is None:
        return
    path = log.with_suffix(SUFFIX)
    whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    facts = {key: value for key, value in asdict(line).items() if value not in ("", None, 0)}
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True)
    with writing(path), path.open("a") as file:
        file.write(f"{'' if whole else chr(10)}{text}\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

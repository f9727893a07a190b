"""The study as it stands now: what each job's last run is at, read from files alone.

Nothing is asked of a process, so a study on another node is seen as well as one here. Jobs say that
they live by the time of their `*.runs.jsonl` (common/history.py), how far they are by the lines of
progress in their logs.
"""

import os
import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from workflow_scripts.common import history
from workflow_scripts.common.artifacts import read_json
from workflow_scripts.common.errors import InputError
from workflow_scripts.common.history import (
    BEAT_S,
    DONE,
    FAILED,
    INTERRUPTED,
    SUFFIX,
    WORKFLOW,
    JobRun,
    WorkflowCall,
)
from workflow_scripts.common.methods import INFINITE, NATURAL_ARM
from workflow_scripts.common.progress import Seen, last_line
from workflow_scripts.common.records import read_record
from workflow_scripts.common.tables.grade import GRADE

RUNNING, DIED, SILENT, UNKNOWN = "running", "died", "silent", "unknown"
STATES = (RUNNING, SILENT, DIED, FAILED, INTERRUPTED, UNKNOWN, DONE)
BEATS_MISSED = 8  # a file system that is shared may show a time this late
TAIL = 64_000  # bytes of a log that are read
NO_PROCESS = "no process {pid} on {host}: killed, or out of memory. Run the same command again"
SILENCE = "no sign of life for {age} from {host}: killed, or its node or the file system is gone"


@dataclass(frozen=True)
class Job:
    """The last run of a job.

    state     one of STATES: died is known, silent is what another node can tell of it
    seconds   since its start, or from its start to its end
    progress  the last line of progress of its log, if it has any
    quiet     seconds since the log's last line; None where there is no log
    message   why it failed, or how it is known to be dead
    started   seconds since 1970
    ago       seconds since its end, or since it was last known to live
    """

    name: str
    state: str
    seconds: float
    progress: Seen | None
    quiet: float | None
    message: str
    host: str
    log: Path
    started: float
    ago: float


@dataclass(frozen=True)
class Accuracy:
    """Of a model's natural end on a benchmark, as graded.

    correct, count  generations
    stale           the model was asked, or is being asked, again since
    """

    model: str
    dataset: str
    correct: int
    count: int
    stale: bool


@dataclass(frozen=True)
class Workflow:
    """A run of snakemake.

    alive        None where its process cannot be seen from here
    ended        its log says so
    done, total  steps; 0 where its log tells of none
    """

    host: str
    alive: bool | None
    ended: bool
    done: int
    total: int


@dataclass(frozen=True)
class Live:
    """A study's results folder at one moment.

    workflow  the snakemake that worked on it last, where it is known
    """

    results: Path
    study: str
    jobs: tuple[Job, ...]
    accuracies: tuple[Accuracy, ...]
    ungraded: tuple[str, ...]
    workflow: Workflow | None

    def of(self, *states: str) -> list[Job]:
        """Jobs in these states, the latest start first."""
        return sorted((j for j in self.jobs if j.state in states), key=lambda j: -j.started)


def look(results: Path) -> Live:
    """What a results folder tells. InputError where it is none."""
    if not (results / "logs").is_dir():
        raise InputError(
            f"{results} holds no logs of jobs: it is no results folder, or nothing ran there yet"
        )
    jobs = tuple(read_jobs(results / "logs", time.time()))
    graded = tuple(accuracies(results, jobs))
    asked = {j.name.split("/")[1] for j in jobs if j.name.startswith("generate/")}
    ungraded = tuple(sorted(asked - {each.model for each in graded}))
    return Live(results, _study(results), jobs, graded, ungraded, _workflow(results))


def folders(here: Path) -> list[Path]:
    """Results folders under a working directory, the one where something happened last first."""
    found = {mark.parent for mark in (*here.glob("*/study.json"), *here.glob("*/*/study.json"))}
    return sorted((f for f in found if (f / "logs").is_dir()), key=_latest, reverse=True)


def _latest(results: Path) -> float:
    return max((p.stat().st_mtime for p in (results / "logs").rglob(f"*{SUFFIX}")), default=0.0)


def read_jobs(logs: Path, now: float) -> Iterable[Job]:
    """The last run of each job."""
    return [_job(run, logs, now) for run in history.runs(logs) if run.last]


def _job(run: JobRun, logs: Path, now: float) -> Job:
    beat = logs / f"{run.job}{SUFFIX}"
    log = logs / f"{run.job}.log"
    start = _seconds(run.start, now)
    state, message = _state(run, now - beat.stat().st_mtime)
    until = _seconds(run.end, now) if run.end else now
    if state in (DIED, SILENT):
        until = beat.stat().st_mtime  # it lived until then, at least
    quiet = now - log.stat().st_mtime if log.exists() else None
    seen = last_line(_tail(log))
    took, ago = max(until - start, 0.0), max(now - until, 0.0)
    return Job(run.job, state, took, seen, quiet, message, run.host, log, start, ago)


def _state(run: JobRun, age: float) -> tuple[str, str]:
    """Of a run whose file was last touched `age` seconds ago, and how that is known."""
    if run.outcome:
        return run.outcome, run.message
    if not run.host:
        return UNKNOWN, "an older version's job, of which nothing tells whether it lives"
    if run.host == socket.gethostname():
        alive = is_alive(run.pid)
        return (RUNNING, "") if alive else (DIED, NO_PROCESS.format(pid=run.pid, host=run.host))
    if age <= BEATS_MISSED * BEAT_S:
        return RUNNING, ""
    return SILENT, SILENCE.format(age=clock(age), host=run.host)


def is_alive(pid: int, word: bytes = b"workflow_scripts") -> bool:
    """Whether a process of this machine is ours, by a word of its command line.

    Its number alone says little: numbers are used again.
    """
    command = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            words = command.read_bytes()
        except OSError:
            return False
        return word in words  # empty of one that has ended and was not waited for
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def accuracies(results: Path, jobs: Iterable[Job]) -> Iterable[Accuracy]:
    """Natural ends that are graded; a grade table that cannot be read is left to its rule."""
    asked = {j.name: j.started for j in jobs if j.name.startswith("generate/")}
    natural = (pl.col("method") == NATURAL_ARM) & (pl.col("budget") == INFINITE)
    for path in sorted((results / "grades").glob("*.parquet")):
        own = [t for name, t in asked.items() if name.split("/")[1] == path.stem]
        rows = GRADE.read(path).filter(natural)
        for (model, dataset), part in rows.group_by("model", "dataset", maintain_order=True):
            correct = int(part["verdict"].sum())
            stale = path.stat().st_mtime < max(own, default=0.0)
            yield Accuracy(str(model), str(dataset), correct, part.height, stale)


def clock(seconds: float) -> str:
    """A duration as a person says it: 45 s, 12 min, 3 h 05."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d}"


def _seconds(stamp: str, otherwise: float) -> float:
    try:
        return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return otherwise


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        return file.read().decode(errors="replace")


def _study(results: Path) -> str:
    mark = results / "study.json"
    return str(read_json(mark).get("study", "")) if mark.exists() else ""


def _workflow(results: Path) -> Workflow | None:
    """The last snakemake that worked on this folder."""
    path = results / WORKFLOW
    if not path.exists():
        return None
    call = read_record(path, WorkflowCall)
    text = _tail(Path(call.log))
    found = re.findall(r"^(\d+) of (\d+) steps", text, re.MULTILINE)
    done, total = map(int, found[-1]) if found else (0, 0)
    ended = re.search(r"^(Complete log|Exiting because|Shutting down|Terminating)", text, re.M)
    here = call.host == socket.gethostname()
    runs = is_alive(call.pid, b"snakemake") if here else None
    return Workflow(call.host, None if ended else runs, bool(ended), done, total)

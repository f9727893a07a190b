"""`s1flow status` on folders that real jobs wrote: running, done, failed, killed, elsewhere."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.patience import Watch
from workflow_scripts import cli
from workflow_scripts.common import history
from workflow_scripts.common.history import BEAT_S, beating, started, workflow_started
from workflow_scripts.common.progress import Progress, last_line
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.reporting.live import BEATS_MISSED, look

JOB = """
import sys, time
from workflow_scripts.common.errors import InputError
from workflow_scripts.common.job import run
from workflow_scripts.common.progress import Progress

def work(args):
    progress = Progress("generate s1k", 200, "rows")
    progress.update(50, tokens_s="1,234")
    print(progress.line(), file=sys.stderr, flush=True)
    if args.settings.get("fail"):
        raise InputError("rows.jsonl, row 3: no question")
    time.sleep(args.settings.get("wait", 0))

run(work, "workflow_scripts", {}, ())
"""


def job(results: Path, name: str, **settings: object) -> subprocess.Popen:
    words = ["--settings", json.dumps(settings), "--log", str(results / f"logs/{name}.log")]
    marked = [sys.executable, "-c", JOB, *words]
    return subprocess.Popen(marked, stderr=subprocess.DEVNULL)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen]:
    process = job(tmp_path, "generate/s1k", wait=600)
    log = tmp_path / "logs/generate/s1k.log"
    watch = Watch(process.pid)
    while not (log.exists() and "rows" in log.read_text()):
        watch.check()
        time.sleep(0.05)
    yield process
    process.kill()
    process.wait()


def test_a_running_job_shows_its_progress_rate_and_time_left(tmp_path, running) -> None:
    (found,) = look(tmp_path).jobs
    assert (found.name, found.state) == ("generate/s1k", "running")
    assert (found.progress.done, found.progress.total) == (50, 200)
    assert found.progress.facts == "tokens/s 1,234"


def test_a_killed_job_is_known_at_once_on_its_machine(tmp_path, running) -> None:
    running.send_signal(signal.SIGKILL)
    running.wait()
    (found,) = look(tmp_path).jobs
    assert found.state == "died"
    assert f"no process {running.pid}" in found.message


def test_a_process_of_another_program_with_its_number_is_not_the_job(tmp_path) -> None:
    log = tmp_path / "logs/train/s1k.log"
    log.parent.mkdir(parents=True)
    started(log, {})
    path = log.with_suffix(history.SUFFIX)
    with subprocess.Popen(["sleep", "60"]) as other:
        path.write_text(json.dumps({**json.loads(path.read_text()), "pid": other.pid}) + "\n")
        (found,) = look(tmp_path).jobs
        other.kill()
    assert found.state == "died"


@pytest.mark.parametrize(("age", "state"), [(1, "running"), (2 * BEATS_MISSED * BEAT_S, "silent")])
def test_a_job_on_another_node_lives_by_its_beat(tmp_path: Path, age: float, state: str) -> None:
    log = tmp_path / "logs/train/s1k.log"
    log.parent.mkdir(parents=True)
    started(log, {})
    path = log.with_suffix(history.SUFFIX)
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": "node7"}) + "\n")
    os.utime(path, (time.time() - age,) * 2)
    (found,) = look(tmp_path).jobs
    assert found.state == state
    assert state == "running" or "node7" in found.message


def test_a_job_beats_while_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "BEAT_S", 0.01)
    log = tmp_path / "generate.log"
    started(log, {})
    path = log.with_suffix(history.SUFFIX)
    os.utime(path, (1, 1))
    with beating(log):
        while (
            path.stat().st_mtime == 1
        ):  # a job that never beats would be stopped by the run's limit
            time.sleep(0.01)


def test_jobs_of_older_versions_are_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / f"logs/cut{history.SUFFIX}"
    path.parent.mkdir()
    path.write_text('{"at": "2026-01-01T00:00:00+00:00", "settings": {}}\n')
    (found,) = look(tmp_path).jobs
    assert found.state == "unknown"


def test_failed_and_done_jobs_and_a_line_for_logs(tmp_path: Path, capsys) -> None:
    assert job(tmp_path, "generate/base").wait() == 0
    assert job(tmp_path, "generate/s1k", fail=True).wait() == 1
    assert cli.main(["status", "--results", str(tmp_path)]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert "1 failed, 1 done" in line and "generate/s1k failed" in line
    assert cli.main(["status", "--results", str(tmp_path), "--full"]) == 0
    page = capsys.readouterr().out
    assert "rows.jsonl, row 3: no question" in page
    assert "50/200 rows (25%)" in page and "tokens/s 1,234" in page
    assert "nothing is graded yet" in page


def test_accuracies_are_those_of_the_grades_and_older_ones_are_marked(tmp_path, capsys) -> None:
    (tmp_path / "logs").mkdir()
    rows = [
        {
            "model": "s1k", "dataset": "math", "method": method, "budget": "infinite",
            "question_id": str(i), "sample": 0, "verdict": i < right, "extracted": "1",
            "extraction": "boxed", "rule": "number", "flags": [], "no_answer": False,
            "seconds": 0.0,
        }
        for method, right in (("natural", 3), ("force-wait-1", 1))
        for i in range(4)
    ]  # fmt: skip
    GRADE.write(tmp_path / "grades/s1k.parquet", pl.DataFrame(rows, schema=GRADE.schema), {})
    (found,) = look(tmp_path).accuracies
    assert (found.correct, found.count, found.stale) == (3, 4, False)
    os.utime(tmp_path / "grades/s1k.parquet", (1, 1))
    assert job(tmp_path, "generate/s1k").wait() == 0
    assert job(tmp_path, "generate/base").wait() == 0
    cli.main(["status", "--results", str(tmp_path), "--full"])
    page = capsys.readouterr().out
    assert "math 75.0% (of 4); of its decoding before the last" in page
    assert "base  not graded yet" in page


def test_snakemake_that_was_killed_is_told_from_one_that_ended(tmp_path: Path, capsys) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "snakemake.log"
    log.write_text("3 of 38 steps (8%) done\n")
    workflow_started(tmp_path, [str(log)])
    cli.main(["status", "--results", str(tmp_path)])
    assert "snakemake was killed: 3 of 38 steps" in capsys.readouterr().out
    log.write_text("38 of 38 steps (100%) done\nComplete log(s): x\n")
    cli.main(["status", "--results", str(tmp_path)])
    assert "snakemake has ended after 38 of 38 steps" in capsys.readouterr().out


def test_a_folder_without_jobs_is_refused(tmp_path: Path, capsys, monkeypatch) -> None:
    assert cli.main(["status", "--results", str(tmp_path / "absent")]) == 1
    assert "no results folder" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert cli.main(["status"]) == 1
    assert "name its results" in capsys.readouterr().err


def test_a_line_of_progress_is_read_as_it_was_written() -> None:
    progress = Progress("grade s1k: answers", 1234567, "distinct")
    progress.update(1000, tokens_s="5,064", cut="66%")
    seen = last_line(f"noise\n{progress.line()}\r\nmore: 1/2 of it\n")
    assert (seen.label, seen.done, seen.total) == ("grade s1k: answers", 1000, 1234567)
    assert (seen.unit, seen.facts) == ("distinct", "tokens/s 5,064, cut 66%")
    assert last_line("nothing: here") is None

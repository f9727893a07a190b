"""The pool: hard deadlines, killed workers, memory, order, hostile answers."""

import os
import signal
import time

import pytest

from workflow_scripts.grading.batch import Limits, grade_all
from workflow_scripts.grading.grader import Question
from workflow_scripts.grading.workers import Pool, WorkerError

SLOW = r"\binom{3000000}{1500000}"  # does not come back from the parser
HOSTILE = {
    "tower": "9^{9^{9^{9}}}",
    "towers": "2^{" * 60 + "2" + "}" * 60,
    "tiny tower": "10^{-10^{10^{10}}}",
    "factorials": "((((9!)!)!)!)!",
    "sum": r"\sum_{n=1}^{10^9} n",
    "product": r"\prod_{n=1}^{1000000} n^n",
    "integral": r"\int_0^{10^{9}} e^{x^x} dx",
    "sine": r"\sin(10^{10^{10}})",
    "powers": "x^{x^{x^{x^{x^{x}}}}}",
    "braces": "{" * 10_000 + "42" + "}" * 10_000,
    "parentheses": "(" * 3_000 + "42" + ")" * 3_000,
    "fractions": r"\frac{" * 500 + "1" + "}{2}" * 500,
    "roots": r"\sqrt{" * 300 + "2" + "}" * 300,
    "terms": "1+" * 5_000 + "1",
    "minus": "-" * 401 + "42",
    "megabyte": "5" * 1_000_000,
    "dollars": "$" * 50_000,
    "open boxes": r"\boxed{" * 3_000 + "42",
    "stars": "*" * 50_000,
    "answers": "answer " * 20_000,
    "answer signs": "answer:" * 20_000,
    "spaces": "42" + " " * 300_000 + "x",
    "nul": "4\x002",
    "nul after": "42\x00",
    "right to left": "4\u202e2",
    "right-to-left mark": "\u200f42",
    "input": r"\input{/etc/passwd}",
    "write": r"\immediate\write18{touch /tmp/x} 42",
    "import": "__import__('os').system('true')",
    "attributes": "().__class__.__bases__[0].__subclasses__()",
    "eval": 'eval("42")',
    "lambda": "(lambda: 42)()",
    "zero": r"\frac{42}{1-1}",
}


def task(gold: str, text: str) -> dict:
    common = {"gold": gold, "kind": "math", "options": None, "last": None}
    return {"op": "compare", "text": text, "rule": "bare", **common}


def test_hostile_answers_are_wrong_with_a_reason() -> None:
    limits = Limits(timeout=2.0, memory_mb=1024, threads=2)
    questions = [Question("42", "math")] * len(HOSTILE)
    verdicts = grade_all(questions, list(HOSTILE.values()), limits)
    assert not [name for name, v in zip(HOSTILE, verdicts, strict=True) if v.verdict]
    assert all(verdict.rule for verdict in verdicts)


def test_a_slow_task_is_cut_off_and_the_rest_is_graded() -> None:
    tasks = [task("5", "5"), task("5", SLOW), *[task(str(n), str(n)) for n in range(40)]]
    with Pool(2, timeout=1.0, memory_mb=2048) as pool:
        results = dict(pool.run(tasks))
    assert sorted(results) == list(range(len(tasks)))
    assert results[1]["failed"] == "timeout"
    assert all(results[n]["equal"] for n in results if n != 1)


def test_killing_a_worker_loses_no_other_verdict() -> None:
    tasks = [task(str(n), f"{n}.0") for n in range(300)]
    results = {}
    with Pool(2, timeout=5.0, memory_mb=2048) as pool:
        for index, result in pool.run(tasks):
            results[index] = result
            if len(results) == 20:
                os.kill(pool.workers[0].process.pid, signal.SIGKILL)
    assert sorted(results) == list(range(300))
    lost = [result for result in results.values() if "failed" in result]
    assert len(lost) <= 1
    assert all(result["failed"] == "killed" for result in lost)


def test_a_stopped_worker_is_cut_off_at_the_deadline() -> None:
    tasks = [task(str(n), f"{n}.0") for n in range(60)]
    results = {}
    with Pool(1, timeout=1.0, memory_mb=2048) as pool:
        for index, result in pool.run(tasks):
            results[index] = result
            if len(results) == 3:
                os.kill(pool.workers[0].process.pid, signal.SIGSTOP)
    assert sorted(results) == list(range(60))
    assert sum(result.get("failed") == "timeout" for result in results.values()) <= 1


def test_no_process_is_left() -> None:
    with Pool(2, timeout=1.0, memory_mb=2048) as pool:
        list(pool.run([task("1", "1")] * 4))
        pids = [member.process.pid for member in pool.workers]
    time.sleep(0.05)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_that_cannot_start_are_an_error() -> None:
    with Pool(1, timeout=1.0, memory_mb=16) as pool, pytest.raises(WorkerError, match="16 MB"):
        list(pool.run([task("1", "1")]))


def test_equal_pairs_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    run = Pool.run

    def counted(self: Pool, tasks: list) -> object:
        seen.append(len(tasks))
        return run(self, tasks)

    monkeypatch.setattr(Pool, "run", counted)
    questions = [Question("1/2", "math"), Question("1/2", "math"), Question("2", "math")]
    texts = [r"so \boxed{0.5}", "Answer: 0.5", r"so \boxed{0.5}"]
    verdicts = grade_all(questions, texts, Limits(threads=1))
    assert [verdict.verdict for verdict in verdicts] == [True, True, False]
    assert seen == [2, 3]  # the same text is searched once; rules of finding differ

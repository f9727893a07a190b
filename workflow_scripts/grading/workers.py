"""Killable workers: the processes that comparisons run in, and the pool that watches over them.

A worker gets tasks as JSON lines and answers in JSON lines. It holds nothing that matters, so that
the parent can kill it at any moment; nothing that it receives is evaluated as code, and it opens no
file for a task. A worker that passes its deadline costs its current task only: the tasks queued
behind it go to another worker, and verdicts that were sent are kept. A worker that is killed costs
nothing: its task is tried once more. Workers die with their parent.
"""

import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workflow_scripts.common.end_with_parent import end_with_parent
from workflow_scripts.common.errors import UserError

MODULE = "workflow_scripts.grading.workers"  # what a child process runs
CPU_GRACE_S = 2  # beyond the deadline, before the kernel ends a worker that nobody watches
SOFT_SHARE = 0.8  # of the hard limit: a comparison that notices its time is up says so itself
ROOT = Path(__file__).resolve().parents[2]
BATCH_BYTES = 24_000  # fits a pipe, so that writing never blocks
BATCH_TASKS = 32
START_S = 120.0  # for imports on a loaded machine
GRACE_S = 0.2
MAX_FAILED_STARTS = 3


class Deadline(BaseException):
    """The time of one task is up. Not an Exception, so that no library swallows it."""


def serve(timeout: float, memory_mb: int, parent: int) -> None:
    """Answer tasks from stdin until it closes. `memory_mb` limits the address space.

    The kernel ends the process when `parent` ends, and when a task takes more CPU time than its
    deadline allows.
    """
    end_with_parent(parent, signal.SIGKILL)
    limit = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from workflow_scripts.grading import one_answer  # after the limits, in the child only

    signal.signal(signal.SIGALRM, _expired)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_answer.warm_up()
    _reply({"ready": True})
    for line in sys.stdin:
        _reply(_answer(line, timeout, one_answer.carry_out))


def _limit_cpu(timeout: float) -> None:
    """Let the kernel end this process when the next task takes too much CPU time."""
    used = time.process_time()
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used + timeout) + CPU_GRACE_S
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))


def _expired(_signal: int, _frame: Any) -> None:
    raise Deadline


def _answer(line: str, timeout: float, run: Any) -> dict[str, Any]:
    start = time.perf_counter()
    _limit_cpu(timeout)
    try:
        signal.setitimer(signal.ITIMER_REAL, timeout * SOFT_SHARE)
        try:
            result = asdict(run(json.loads(line)))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Deadline:
        result = {"failed": "timeout"}
    except MemoryError:
        result = {"failed": "memory"}
    except RecursionError:
        result = {"failed": "recursion"}
    except Exception as error:  # a task never ends the worker; the verdict carries the reason
        result = {"failed": f"error:{type(error).__name__}"}
    return {**result, "seconds": time.perf_counter() - start}


def _reply(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, default=sorted) + "\n")
    sys.stdout.flush()


class WorkerError(UserError):
    """Workers cannot be started: the machine, or the memory limit, is at fault."""


class _Worker:
    """One child process and the tasks that it holds."""

    def __init__(self, timeout: float, memory_mb: int) -> None:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        limits = [str(timeout), str(memory_mb), str(os.getpid())]
        command = [sys.executable, "-P", "-m", MODULE, *limits]
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **threads, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.buffer = b""
        self.held: deque[int] = deque()
        self.ready = False
        self.since = time.monotonic()

    def send(self, numbers: Sequence[int], lines: Sequence[bytes]) -> None:
        """Hand over tasks; the worker must be idle, so that large ones do not block."""
        assert self.process.stdin is not None
        self.held.extend(numbers)
        self.since = time.monotonic()
        try:
            self.process.stdin.write(b"".join(lines))
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # its death is seen when its output ends

    def receive(self) -> tuple[list[dict[str, Any]], bool]:
        """Complete result lines that have arrived, and whether the worker has ended."""
        assert self.process.stdout is not None
        try:
            data = os.read(self.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return [], False
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\n")
        return [json.loads(line) for line in lines], not data

    def last_words(self) -> str:
        """The last line that the worker wrote to its stderr, "" if none."""
        self.errors.seek(0)
        lines = self.errors.read()[-2000:].decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def stop(self) -> None:
        """Kill the worker and close what belongs to it."""
        self.process.kill()
        self.errors.close()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                continue
        self.process.wait()


class Pool:
    """`size` workers; `timeout` seconds and `memory_mb` per task are hard limits.

    Use as a context manager; leaving it kills every worker.
    """

    def __init__(self, size: int, timeout: float, memory_mb: int) -> None:
        self.size, self.timeout, self.memory_mb = max(1, size), timeout, memory_mb
        self.workers: list[_Worker] = []
        self.failed_starts = 0
        self.retried: set[int] = set()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.workers:
            member.stop()
        self.workers.clear()

    def run(self, tasks: Sequence[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
        """(index, result) of every task exactly once, as they finish.

        A result of a task that was cut off is {"failed": "timeout" | "killed", "seconds"}; a task
        whose worker was killed is tried once more before it is given up.
        Raises WorkerError if workers die before they take a task, three times in a row.
        """
        self.retried.clear()
        queue = deque(range(len(tasks)))
        left = len(tasks)
        while left:
            self._start(min(self.size, left))
            for member in self.workers:
                if member.ready and not member.held and queue:
                    self._feed(member, queue, tasks)
            for result in self._collect(queue):
                left -= 1
                yield result

    def drop_ended(self) -> None:
        """Forget workers that ended between two runs: they have cost nothing yet."""
        for member in list(self.workers):
            if member.process.poll() is not None:
                member.stop()
                self.workers.remove(member)

    def _start(self, wanted: int) -> None:
        while len(self.workers) < wanted:
            self.workers.append(_Worker(self.timeout, self.memory_mb))

    def _feed(self, member: _Worker, queue: deque[int], tasks: Sequence[dict[str, Any]]) -> None:
        share = max(1, min(BATCH_TASKS, len(queue) // (2 * self.size)))
        numbers, lines, size = [], [], 0
        while queue and len(numbers) < share:
            line = json.dumps(tasks[queue[0]]).encode() + b"\n"
            if numbers and size + len(line) > BATCH_BYTES:
                break
            numbers.append(queue.popleft())
            lines.append(line)
            size += len(line)
        member.send(numbers, lines)

    def _collect(self, queue: deque[int]) -> list[tuple[int, dict[str, Any]]]:
        with selectors.DefaultSelector() as selector:
            for member in self.workers:
                assert member.process.stdout is not None
                selector.register(member.process.stdout, selectors.EVENT_READ, member)
            events = selector.select(self._patience())
        found = []
        for key, _ in events:
            found += self._results(key.data, queue)
        for member in list(self.workers):
            if member.held and time.monotonic() - member.since > self.timeout + GRACE_S:
                found += self._lose(member, "timeout", queue)
            elif not member.ready and time.monotonic() - member.since > START_S:
                found += self._lose(member, "killed", queue)
        return found

    def _patience(self) -> float:
        """Seconds until the next deadline."""
        now = time.monotonic()
        ends = [m.since + (self.timeout + GRACE_S if m.ready else START_S) for m in self.workers]
        return max(0.01, min(ends, default=now) - now) if ends else 0.01

    def _results(self, member: _Worker, queue: deque[int]) -> list[tuple[int, dict[str, Any]]]:
        replies, ended = member.receive()
        found = []
        for reply in replies:
            member.since = time.monotonic()
            if reply.get("ready"):
                member.ready = True
                self.failed_starts = 0
            elif member.held:
                found.append((member.held.popleft(), reply))
        return found + (self._lose(member, "killed", queue) if ended else [])

    def _lose(
        self, member: _Worker, reason: str, queue: deque[int]
    ) -> list[tuple[int, dict[str, Any]]]:
        """Remove a worker: its current task gets the reason, the rest goes back to the queue."""
        seconds = time.monotonic() - member.since
        last_words = member.last_words()
        member.stop()
        self.workers.remove(member)
        if not member.ready:
            self._count_failed_start(last_words)
        if not member.held:
            return []
        lost = member.held.popleft()
        queue.extendleft(reversed(member.held))
        if reason == "killed" and lost not in self.retried:
            self.retried.add(lost)
            queue.appendleft(lost)
            return []
        return [(lost, {"failed": reason, "seconds": seconds})]

    def _count_failed_start(self, last_words: str) -> None:
        self.failed_starts += 1
        if self.failed_starts >= MAX_FAILED_STARTS:
            why = f" ({last_words[:200]})" if last_words else ""
            raise WorkerError(
                f"grading workers end before they are ready{why}: the memory limit is "
                f"{self.memory_mb} MB (grading.memory_mb, --memory-mb); a worker needs about 300"
            )


if __name__ == "__main__":
    serve(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

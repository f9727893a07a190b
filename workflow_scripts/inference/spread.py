"""Several engines side by side: data parallel over GPUs, with every chain on one of them.

A question's segments stay on the engine that has their prefix in its cache; new questions go to the
engine with the least work.
"""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.inference.engine import Engine, Output, Request

TICK_S = 0.002  # how long an engine with work waits for new requests between two polls


@dataclass(frozen=True)
class Worker:
    """How to start one engine in its own process, and which GPUs it sees."""

    make: Callable[..., Engine]
    arguments: tuple[Any, ...]
    gpus: str


class SpreadEngine:
    """The `Engine` protocol over several engines in processes of their own."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for worker in workers:
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(worker, there), daemon=False)
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)
        self._facts = [self._receive(i) for i in range(len(workers))]
        self._home: dict[str, int] = {}
        self._load = [0] * len(workers)
        self._length: dict[str, tuple[int, int]] = {}

    def submit(self, requests: Sequence[Request]) -> None:
        batches: list[list[Request]] = [[] for _ in self._pipes]
        for request in requests:
            question = request.owner.split(" ", 1)[0]
            home = self._home.setdefault(question, self._load.index(min(self._load)))
            self._load[home] += request.max_tokens
            self._length[request.key] = (home, request.max_tokens)
            batches[home].append(request)
        for pipe, batch in zip(self._pipes, batches, strict=True):
            if batch:
                pipe.send(batch)

    def poll(self) -> list[Output]:
        if not self._length:
            return []
        outputs: list[Output] = []
        for ready in wait(self._pipes):
            outputs += self._receive(self._pipes.index(ready))
        for output in outputs:
            if output.finished:
                home, tokens = self._length.pop(output.key)
                self._load[home] -= tokens
        return outputs

    def _receive(self, number: int) -> Any:
        try:
            kind, value = self._pipes[number].recv()
        except EOFError:
            self._processes[number].join(5)
            code = self._processes[number].exitcode
            self.close()
            raise UserError(
                f"engine {number} of {len(self._pipes)} died (exit status {code}); its messages "
                "are in the log above. What was decoded is in the store: start again to go on"
            ) from None
        if kind == "error":
            self.close()
            raise UserError(f"engine {number} of {len(self._pipes)}: {value}")
        return value

    def facts(self) -> dict[str, Any]:
        return {**self._facts[0], "engines": len(self._pipes)}

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()  # a worker ends when its pipe does
        for process in self._processes:
            process.join(60)
            if process.is_alive():
                process.terminate()


def _serve(worker: Worker, pipe: Connection) -> None:
    """Body of a worker process: one engine, fed through a pipe."""
    os.environ["CUDA_VISIBLE_DEVICES"] = worker.gpus
    try:
        engine = worker.make(*worker.arguments)
        pipe.send(("ready", engine.facts()))
        _loop(engine, pipe)
        engine.close()
    except (EOFError, BrokenPipeError):
        return
    except UserError as error:
        pipe.send(("error", str(error)))
    except Exception as error:
        traceback.print_exc()
        pipe.send(("error", f"{type(error).__name__}: {error}"))


def _loop(engine: Engine, pipe: Connection) -> None:
    running: set[str] = set()
    while True:
        while pipe.poll(TICK_S if running else None):
            batch = pipe.recv()
            running.update(request.key for request in batch)
            engine.submit(batch)
            if not pipe.poll(0):
                break
        outputs = engine.poll()
        running.difference_update(output.key for output in outputs if output.finished)
        if outputs:
            pipe.send(("outputs", outputs))

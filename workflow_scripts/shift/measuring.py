"""Both models of a pair over stored texts, batch by batch, with a store that a kill cannot empty.

Each text that was read is a file of the store, named by a hash of its ids; a run that goes on
reads only what is missing. Models are loaded when the first text is missing, not before.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.common.artifacts import atomic
from workflow_scripts.common.errors import InputError
from workflow_scripts.common.progress import Progress
from workflow_scripts.shift.scoring import (
    BATCH_TOKENS,
    NULL_CHUNK,
    Arrays,
    Reader,
    Text,
    batches,
    compared,
    judged,
)

FORMAT = "1"  # of the store: raised when what is computed changes


@dataclass
class Pair:
    """Two models that read the same texts; `load` is called once, when something has to be read.

    read   tokens of all forward passes
    busy   seconds in them
    """

    load: Callable[[], tuple[Reader, Reader]]
    read: int = 0
    busy: float = 0.0

    @cached_property
    def readers(self) -> tuple[Reader, Reader]:
        """The model, and its base."""
        return self.load()

    @property
    def loaded(self) -> bool:
        """Whether something had to be read."""
        return "readers" in self.__dict__


@dataclass(frozen=True)
class Task:
    """A text and what is asked of it.

    again  the base reads it a second time, in other chunks
    """

    text: Text
    again: bool = False


@dataclass(frozen=True)
class Kept:
    """Results by text, each in a file of its own that is there whole or not at all."""

    folder: Path

    def path(self, task: Task, what: str) -> Path:
        """Where a text's results lie."""
        words = [FORMAT, what, str(task.again), str(task.text.end), str(task.text.ends)]
        total = hashlib.sha256("\0".join(words).encode())
        for ids in (task.text.ids, task.text.places):
            total.update(np.ascontiguousarray(ids, dtype=np.int64).tobytes() + b"\0")
        return self.folder / f"{total.hexdigest()[:32]}.npz"

    def get(self, task: Task, what: str) -> Arrays | None:
        """Results of a text, or None. InputError for a damaged file."""
        path = self.path(task, what)
        try:
            with np.load(path, allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path} is damaged ({error}); delete it and run again") from None

    def put(self, task: Task, what: str, found: Arrays) -> None:
        """Keep results of a text."""
        with atomic(self.path(task, what)) as part, part.open("wb") as file:
            np.savez(file, **{name: value for name, value in found.items()})  # pyright: ignore[reportArgumentType]


@dataclass
class Measured:
    """Texts through both models.

    what  is computed: "pair" (one vocabulary) or "model", "base" (each reads ids of its own)
    """

    pair: Pair
    kept: Kept
    batch_tokens: int = BATCH_TOKENS
    reused: int = field(default=0)

    def run(self, tasks: Sequence[Task], what: str, label: str) -> list[Arrays]:
        """Results of each text, in order; what is missing is read, longest texts first."""
        found = [self.kept.get(task, what) for task in tasks]
        missing = [i for i, value in enumerate(found) if value is None]
        self.reused += len(tasks) - len(missing)
        lengths = [len(tasks[i].text.ids) for i in missing]
        shown = Progress(label, sum(lengths), "tokens")
        for batch in batches(lengths, self.batch_tokens):
            numbers = [missing[i] for i in batch]
            start = time.monotonic()
            for number, arrays in self._read([tasks[i] for i in numbers], what, numbers):
                self.kept.put(tasks[number], what, arrays)
                found[number] = arrays
            self.pair.busy += time.monotonic() - start
            shown.update(sum(lengths[i] for i in batch))
        if missing:
            shown.close()
        return [value for value in found if value is not None]

    def _read(
        self, tasks: list[Task], what: str, numbers: list[int]
    ) -> Iterator[tuple[int, Arrays]]:
        """One batch through the models."""
        model, base = self.pair.readers
        texts = [task.text for task in tasks]
        readers = {"pair": (model, base), "model": (model,), "base": (base,)}[what]
        self.pair.read += sum(len(text.ids) for text in texts) * len(readers)
        rows = [reader.rows(texts) for reader in readers]
        again = dict(self._again(tasks, base, rows[-1]))
        for i, task in enumerate(tasks):
            if what == "pair":
                arrays = compared(model, base, rows[0][i], rows[1][i], task.text)
            else:
                arrays = judged(readers[0], rows[0][i], task.text)
            yield numbers[i], arrays | again.get(i, {})

    def _again(
        self, tasks: list[Task], base: Reader, rows: list[Any]
    ) -> Iterator[tuple[int, Arrays]]:
        """What the base predicts when it reads the texts in other chunks.

        rows  its final hidden states of the first time
        """
        chosen = [i for i, task in enumerate(tasks) if task.again]
        if not chosen:
            return
        texts = [tasks[i].text for i in chosen]
        longest = max(len(text.ids) for text in texts)
        self.pair.read += sum(len(text.ids) for text in texts)
        second = base.rows(texts, min(NULL_CHUNK, max(1, longest // 2)))
        for i, text, again in zip(chosen, texts, second, strict=True):
            found = compared(base, base, again, rows[i], text)
            yield i, {f"null_{name}": found[name] for name in ("kl", "rank", "top")}

"""Verdicts on responses, from workers that stay ready between calls."""

import atexit
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workflow_scripts.common.formats import FORMATS as _FORMATS
from workflow_scripts.grading.batch import Limits, grade_with
from workflow_scripts.grading.batch import Verdict as _Verdict
from workflow_scripts.grading.one_answer import Question, default_kind
from workflow_scripts.grading.workers import Pool

FORMATS = tuple(_FORMATS)
"""Names of formats: how an answer is looked for and compared."""


@dataclass(frozen=True)
class Verdict:
    """What the grader says about one response.

    correct    never None: what cannot be read is wrong
    extracted  the answer that was compared; None where the response has none
    reason     why: the rule that decided ("number", "symbolic", "letter", ...) or why there is no
               comparison ("no-answer", "unparsed", "timeout", "memory", ...)
    found_by   how the answer was found: "boxed", "final-answer", "last-line", ...
    answered   whether an answer that can be read was found
    flags      leniencies that an acceptance rests on, sorted: "unit", "percent", "rounded", ...
    """

    correct: bool
    extracted: str | None
    reason: str
    found_by: str
    answered: bool
    flags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """`if grade(...)`: is it correct?"""
        return self.correct


class Grader:
    """Grades responses in worker processes of its own, which stay ready until `close`.

    workers      processes; one is enough where responses come one by one
    timeout      seconds for one answer, hard: its worker is killed
    memory_mb    address space of a worker, hard
    last_number  take the last number of a text where nothing else is found (flag "unanchored")

    Safe to use from several threads, and in a process that was forked from one that used it. Linux
    and macOS.
    """

    def __init__(
        self,
        workers: int = 1,
        timeout: float = 5.0,
        memory_mb: int = 2048,
        last_number: bool = False,
    ) -> None:
        self._limits = Limits(timeout, memory_mb, last_number, workers)
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._owner = 0

    def grade(
        self,
        response: str | None,
        gold: str | int | float,
        format: str | None = None,
        *,
        options: Sequence[str] | None = None,
        tolerance: float | None = None,
    ) -> Verdict:
        """The verdict on one response; see `s1flow.grade`."""
        question = _question(gold, format, options, tolerance)
        return self._verdicts([question], [response])[0]

    def grade_many(
        self,
        responses: Sequence[str | None],
        golds: Sequence[str | int | float],
        format: str | None = None,
        *,
        options: Sequence[Sequence[str] | None] | None = None,
        tolerance: float | None = None,
    ) -> list[Verdict]:
        """Verdicts on `responses[i]` to the question with `golds[i]`, in order.

        Equal pairs are compared once. Raises ValueError as `grade` does, and where the lengths
        differ.
        """
        each = options if options is not None else [None] * len(golds)
        if not len(responses) == len(golds) == len(each):
            raise ValueError(
                f"{len(responses)} responses, {len(golds)} golds and {len(each)} options"
            )
        questions = [_question(g, format, o, tolerance) for g, o in zip(golds, each, strict=True)]
        return self._verdicts(questions, responses)

    def close(self) -> None:
        """End the workers; the next call starts new ones."""
        with self._lock:
            if self._pool is not None and self._owner == os.getpid():
                self._pool.__exit__()
            self._pool = None

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _verdicts(
        self, questions: Sequence[Question], texts: Iterable[str | None]
    ) -> list[Verdict]:
        answers = [_text(text) for text in texts]
        with self._lock:
            found = grade_with(self._ready(), questions, answers, self._limits)
        return [_public(verdict) for verdict in found]

    def _ready(self) -> Pool:
        """This process's own pool, without workers that have ended since the last call.

        After a fork the parent's workers are left to the parent.
        """
        if self._pool is None or self._owner != os.getpid():
            limits = self._limits
            self._pool = Pool(limits.threads, limits.timeout, limits.memory_mb)
            self._owner = os.getpid()
        self._pool.drop_ended()
        return self._pool


def grade(
    response: str | None,
    gold: str | int | float,
    format: str | None = None,
    *,
    options: Sequence[str] | None = None,
    tolerance: float | None = None,
) -> Verdict:
    """The verdict on one response, by a grader with one worker that this process shares.

    response   a bare answer or a whole response; of one with thinking (`</think>`) only what stands
               behind it counts; None is no answer
    gold       the right answer as the benchmark has it: LaTeX, a number, a letter, words
    format     one of FORMATS; None: by the gold's form (a letter, an integer, else mathematics)
    options    texts of the options A, B, ... of a multiple-choice question
    tolerance  relative error that format "number" allows, 0 to 1

    The first call of a process takes a second or two, later ones milliseconds. Raises ValueError
    for an unknown format, an empty gold, or options and a tolerance that cannot be used; never for
    what a model wrote.
    """
    return _shared.grade(response, gold, format, options=options, tolerance=tolerance)


def grade_many(
    responses: Sequence[str | None],
    golds: Sequence[str | int | float],
    format: str | None = None,
    *,
    options: Sequence[Sequence[str] | None] | None = None,
    tolerance: float | None = None,
) -> list[Verdict]:
    """Verdicts on many responses, as `grade`; for large sets use a `Grader(workers=...)`."""
    return _shared.grade_many(responses, golds, format, options=options, tolerance=tolerance)


def _question(
    gold: str | int | float,
    kind: str | None,
    options: Sequence[str] | None,
    tolerance: float | None,
) -> Question:
    text = _text(gold).strip()
    if not text:
        raise ValueError("the gold is empty: there is nothing to compare with")
    if kind is not None and kind not in _FORMATS:
        raise ValueError(f"no format '{kind}' (there are: {', '.join(FORMATS)})")
    if options is not None and (isinstance(options, str) or not 2 <= len(options) <= 26):
        raise ValueError("options are a list of 2 to 26 texts")
    if tolerance is not None and not 0 <= tolerance <= 1:
        raise ValueError(f"tolerance is {tolerance}; it is a share, 0 to 1")
    choices = tuple(map(_text, options)) if options is not None else None
    return Question(text, kind or default_kind(text), choices, tolerance)


def _text(value: object) -> str:
    """Text that UTF-8 can hold; None is an empty one."""
    return "" if value is None else str(value).encode("utf-8", "replace").decode("utf-8")


def _public(found: _Verdict) -> Verdict:
    return Verdict(
        correct=found.verdict,
        extracted=found.extracted,
        reason=found.rule,
        found_by=found.extraction,
        answered=not found.no_answer,
        flags=found.flags,
    )


_shared = Grader()
atexit.register(_shared.close)

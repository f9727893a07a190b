"""Many answers at once: every text is searched once, every distinct pair is compared once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from workflow_scripts.common.progress import Progress
from workflow_scripts.common.settings.grading import Verdicts
from workflow_scripts.grading.one_answer import Question, by_letter
from workflow_scripts.grading.workers import Pool

UNREADABLE = ("unparsed", "forbidden-character", "forbidden-command", "too-long")


@dataclass(frozen=True)
class Limits:
    """Hard limits and options of a grading job.

    timeout      seconds per comparison
    memory_mb    address space of a worker
    last_number  take the last number of a text where nothing else is found
    threads      workers
    """

    timeout: float = 5.0
    memory_mb: int = 2048
    last_number: bool = False
    threads: int = 2

    @classmethod
    def of(cls, settings: Verdicts, threads: int) -> "Limits":
        """Limits of a job: those of its settings, and the threads that it was given."""
        return cls(settings.timeout, settings.memory_mb, settings.last_number, threads)


@dataclass(frozen=True)
class Verdict:
    """The grade of one answer.

    verdict     never null: what cannot be read is wrong
    extracted   the answer that was compared; None when there was none
    extraction  the rule that found it
    rule        why the verdict is what it is
    flags       lenient conventions that an acceptance rests on, sorted
    span        where the answer stands in the text
    seconds     time of search and comparison; 0 for what was known already
    """

    verdict: bool
    extracted: str | None
    extraction: str
    rule: str
    flags: tuple[str, ...] = ()
    span: tuple[int, int] = (0, 0)
    seconds: float = 0.0

    @property
    def no_answer(self) -> bool:
        """Whether the text held no answer that can be read."""
        return self.extracted is None or self.rule in UNREADABLE


@dataclass
class _Job:
    """Distinct tasks in order of first use."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    places: dict[tuple, int] = field(default_factory=dict)

    def add(self, key: tuple, task: dict[str, Any]) -> int:
        if key not in self.places:
            self.places[key] = len(self.tasks)
            self.tasks.append(task)
        return self.places[key]

    def run(self, pool: Pool, progress: Progress | None) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = [{} for _ in self.tasks]
        for place, result in pool.run(self.tasks):
            results[place] = result
            if progress:
                progress.update()
        return results


def grade_all(
    questions: Sequence[Question], texts: Sequence[str], limits: Limits, label: str | None = None
) -> list[Verdict]:
    """Verdicts on `texts[i]` as an answer to `questions[i]`, in order, one for each.

    With a label, two progress lines are shown: answers found, pairs compared.
    """
    with Pool(limits.threads, limits.timeout, limits.memory_mb) as pool:
        return grade_with(pool, questions, texts, limits, label)


def grade_with(
    pool: Pool,
    questions: Sequence[Question],
    texts: Sequence[str],
    limits: Limits,
    label: str | None = None,
) -> list[Verdict]:
    """The same with workers that are there already."""
    found_at, found = _find(pool, questions, texts, limits, label)
    extractions = [found[place] for place in found_at]
    compared_at, compared = _compare(pool, questions, extractions, label)
    seen: set[int] = set()
    verdicts = []
    for find_place, compare_place in zip(found_at, compared_at, strict=True):
        first = compare_place not in seen
        seen.add(compare_place)
        verdicts.append(_verdict(found[find_place], compared[compare_place], first))
    return verdicts


def _find(
    pool: Pool,
    questions: Sequence[Question],
    texts: Sequence[str],
    limits: Limits,
    label: str | None,
) -> tuple[list[int], list[dict[str, Any]]]:
    job = _Job()
    places = []
    for question, text in zip(questions, texts, strict=True):
        task = {"op": "find", "text": text, "last_number": limits.last_number, **_asked(question)}
        asked = (question.gold, question.options) if by_letter(question) else ()
        places.append(job.add((text, asked), task))
    return places, _shown(job, pool, f"{label}: answers" if label else None)


def _compare(
    pool: Pool,
    questions: Sequence[Question],
    extractions: Sequence[dict[str, Any]],
    label: str | None,
) -> tuple[list[int], list[dict[str, Any]]]:
    job = _Job()
    places = []
    for question, found in zip(questions, extractions, strict=True):
        text, last = found.get("text"), found.get("last")
        rule = found.get("rule", found.get("failed", "none"))
        task = {"op": "compare", "text": text, "rule": rule, "last": last, **_asked(question)}
        places.append(job.add((question, text, rule, last), task))
    return places, _shown(job, pool, f"{label}: pairs" if label else None)


def _asked(question: Question) -> dict[str, Any]:
    return asdict(question)


def _shown(job: _Job, pool: Pool, label: str | None) -> list[dict[str, Any]]:
    progress = Progress(label, len(job.tasks), "distinct") if label else None
    results = job.run(pool, progress)
    if progress:
        progress.close(cut_off=sum("failed" in result for result in results))
    return results


def _verdict(found: dict[str, Any], compared: dict[str, Any], first: bool) -> Verdict:
    seconds = round(found["seconds"] + (compared["seconds"] if first else 0.0), 6)
    extraction = found.get("rule", found.get("failed", "none"))
    if "failed" in compared:
        return Verdict(False, found.get("text"), extraction, compared["failed"], seconds=seconds)
    equal = bool(compared["equal"])
    text = found.get("text")
    if equal and found.get("last") is not None and "boxes" in compared["flags"]:
        text = found["last"]
    span = tuple(found.get("span", (0, 0)))
    flags = tuple(sorted(compared["flags"]))
    return Verdict(equal, text, extraction, compared["rule"], flags, span, seconds)  # type: ignore[arg-type]

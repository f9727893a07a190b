"""The report's data chapter: traces that were made here, and what the data took upstream."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from workflow_scripts.common.markdown import code, plain
from workflow_scripts.common.tables.manifests import EngineManifest
from workflow_scripts.common.tables.traces import TeacherFacts, TraceFacts
from workflow_scripts.common.tables.upstream import GRADER, SOLVER, TEACHER, Upstream, UpstreamWork
from workflow_scripts.reporting.draw_findings import families, family_title
from workflow_scripts.reporting.markdown import table
from workflow_scripts.reporting.naming import DASH, number, percent, significant
from workflow_scripts.reporting.study_results import Results

HOUR = 3600
KINDS = {
    TEACHER: "teacher's traces and answers",
    SOLVER: "answers of solver {}",
    GRADER: "verdicts of {}",
}
CHOICES = {"limo": "highest LIMO score", "random": "random"}
HERE = "measured here"


@dataclass(frozen=True)
class DataWork:
    """What went into the data.

    upstream  work on the pool before this study; None where no row of it is used
    pools     of traces made here
    teachers  what writing took, by teacher
    """

    upstream: Upstream | None = None
    pools: Sequence[TraceFacts] = ()
    teachers: Mapping[str, EngineManifest] = field(default_factory=dict)

    @classmethod
    def read(
        cls, upstream: Sequence[Path], pools: Sequence[Path], teachers: Sequence[Path]
    ) -> "DataWork":
        """From the files of the rules; a teacher's folder has its name."""
        return cls(
            Upstream.read(upstream[0]) if upstream else None,
            [TraceFacts.read(path) for path in pools],
            {path.parent.name: EngineManifest.read(path) for path in teachers},
        )


def values(results: Results, work: DataWork) -> dict[str, Any]:
    """Values of the template's data chapter."""
    return {
        "traces": traces_table(work),
        "teachers": teachers_table(work),
        "upstream": upstream_table(results, work),
        "again": again(results, work),
    }


def traces_table(work: DataWork) -> str:
    """A row for every pool of traces made here; "" without any."""
    headers = (
        "pool", "draws kept", "teachers", "questions asked", "answered right", "questions kept",
        "rows", "mean trace, tokens",
    )  # fmt: skip
    rows = [
        (
            code(pool.pool),
            f"{pool.answers}, {CHOICES.get(pool.choose, pool.choose)}",
            ", ".join(plain(one.teacher) for one in pool.teachers),
            number(pool.asked, 0),
            _share(pool.right_questions, pool.asked),
            number(pool.questions, 0),
            number(pool.rows, 0),
            number(pool.mean_trace_tokens),
        )
        for pool in work.pools
    ]
    return table(headers, rows, left=3) if rows else ""


def teachers_table(work: DataWork) -> str:
    """A row for every teacher: what became of its draws, and what they took; "" without any."""
    headers = (
        "teacher", "model", "draws", "right", "unfinished or looping", "unreadable", "tokens",
        "tokens for each right draw", "device hours",
    )  # fmt: skip
    rows = [
        _teacher_row(one, work.teachers[one.teacher])
        for one in _teachers(work).values()
        if one.teacher in work.teachers
    ]
    return table(headers, rows, left=2) if rows else ""


def _teachers(work: DataWork) -> dict[str, TeacherFacts]:
    """Facts by teacher; its draws are the same in every pool."""
    return {one.teacher: one for pool in work.pools for one in pool.teachers}


def _teacher_row(facts: TeacherFacts, manifest: EngineManifest) -> tuple[str, ...]:
    spent = manifest.device_seconds
    unreadable = facts.faults("unreadable") + facts.faults("without-thinking")
    return (
        plain(facts.teacher),
        plain(manifest.model),
        number(facts.draws, 0),
        _share(facts.right, facts.draws),
        _share(facts.faults("unfinished") + facts.faults("looping"), facts.draws),
        _share(unreadable, facts.draws),
        number(facts.tokens, 0),
        number(facts.tokens / facts.right, 0) if facts.right else DASH,
        significant(spent / HOUR) if spent else DASH,
    )


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else DASH


@dataclass(frozen=True)
class Rate:
    """Seconds of one device for a token, and where that is from."""

    seconds: float
    source: str

    def hours(self, tokens: int) -> float:
        """Device hours of so many tokens."""
        return tokens * self.seconds / HOUR


def upstream_table(results: Results, work: DataWork) -> str:
    """Tokens and device hours of data and training, side by side; "" without a pool."""
    if work.upstream is None:
        return ""
    rate = decode_rate(results)
    rows = [_upstream_row(one, rate) for one in work.upstream.work]
    rows += [_made_row(name, manifest) for name, manifest in work.teachers.items()]
    rows += list(_training_rows(results))
    headers = ("what", "rows", "tokens read", "tokens written", "device hours here", "known from")
    return table(headers, rows, left=1)


def _upstream_row(one: UpstreamWork, rate: Rate | None) -> tuple[str, ...]:
    graded = one.kind == GRADER
    hours = None if graded or rate is None else rate.hours(one.written)
    counted = {TEACHER: "counted in the pool", SOLVER: "assumed as long as the teacher's answers"}
    return (
        KINDS[one.kind].format(code(one.name)),
        number(one.rows, 0),
        number(one.read, 0),
        DASH if graded else number(one.written, 0),
        DASH if hours is None else significant(hours),
        counted.get(one.kind, "texts counted; verdicts are a few words"),
    )


def _made_row(teacher: str, manifest: EngineManifest) -> tuple[str, ...]:
    took, spent = manifest.tokens, manifest.device_seconds
    draws = sum(cell.rows for cell in manifest.cells)
    return (
        f"traces of teacher {plain(teacher)}, made here",
        number(draws, 0),
        number(took.prefilled + took.cached, 0),
        number(took.decoded, 0),
        significant(spent / HOUR) if spent else DASH,
        HERE,
    )


def _training_rows(results: Results) -> Iterable[tuple[str, ...]]:
    """A row for each family of models; of several seeds their sums."""
    seeds = families(results)
    several = set(chain(*seeds.values()))
    alone = {model: [model] for model in results.training if model not in several}
    for name, members in {**alone, **seeds}.items():
        manifests = [results.training[m] for m in members if m in results.training]
        title, runs = results.model_titles.get(name, name), ""
        if name in seeds:
            title, runs = family_title(results, members), f", {len(manifests)} seeds"
        if manifests:
            yield (
                f"training {title}{runs}, all epochs",
                number(manifests[0].samples, 0),
                number(sum(one.throughput.tokens for one in manifests), 0),
                DASH,
                significant(sum(one.throughput.device_hours for one in manifests)),
                HERE,
            )


def decode_rate(results: Results) -> Rate | None:
    """Of the base, or of the focus: as measured, else as estimated; None where neither is known."""
    for name in (results.base, results.focus):
        manifest = results.engines.get(name) if name else None
        if manifest is None:
            continue
        title = results.model_titles[manifest.model]
        if manifest.seconds_per_token:
            return Rate(manifest.seconds_per_token, f"as measured of {title}")
        if manifest.estimate:
            devices = max(1, manifest.gpus)
            return Rate(devices / manifest.estimate.decode_rate, f"as estimated for {title}")
    return None


def again(results: Results, work: DataWork) -> list[str]:
    """Sentences: what making the pool again would take here, beside what training took."""
    if work.upstream is None:
        return []
    written = sum(one.written for one in work.upstream.work)
    told = [f"{written:,} tokens were written for the {work.upstream.rows:,} rows of the pool"]
    rate, trained = decode_rate(results), _trained_hours(results)
    if rate is not None:
        hours = rate.hours(written)
        told.append(
            f"Writing them again with this study's engine would take {significant(hours)} device "
            f"hours{_times(hours, trained)}, at {number(1 / rate.seconds, 0)} tokens a device "
            f"second, {rate.source}; a larger model takes longer, about as its weights are larger"
        )
    spent = [manifest.device_seconds or 0 for manifest in work.teachers.values()]
    if any(spent):
        hours = sum(spent) / HOUR
        told.append(
            f"The traces made here took {significant(hours)} device hours{_times(hours, trained)}"
        )
    return told


def _trained_hours(results: Results) -> float:
    return sum(manifest.throughput.device_hours for manifest in results.training.values())


def _times(hours: float, trained: float) -> str:
    if not trained:
        return ""
    return f" ({significant(hours / trained, 2)} times the {significant(trained)} of all training)"

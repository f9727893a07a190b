"""Which models of several studies face each other, and on which questions."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from workflow_scripts.analysis.contrasts import Rule
from workflow_scripts.analysis.quality import NOTE, Finding
from workflow_scripts.analysis.ranking import ranked, scopes, standings
from workflow_scripts.common.errors import UserError
from workflow_scripts.comparing.differences import Match
from workflow_scripts.comparing.questions import Shared, elsewhere, shared
from workflow_scripts.comparing.sides import Side, order

Pairings = Mapping[tuple[str, str], Sequence[Shared]]


def matches(sides: Sequence[Side]) -> tuple[list[Match], list[Finding]]:
    """Every other study's models against those of the first, and models that face nobody.

    Models of one name face each other; where no name is in both, the only model of a study faces
    all of the other's.
    UserError where no model can be matched.
    """
    first, found, alone = sides[0], [], []
    for other in sides[1:]:
        pairs = _pairs(first, other)
        found += [Match(first, other, a, b) for a, b in pairs]
        for side, place in ((first, 0), (other, 1)):
            left = [m for m in side.models if m not in {pair[place] for pair in pairs}]
            if left:
                where = f"{first.name} and {other.name}"
                what = f"only in {side.name}, not compared: {', '.join(left)}"
                alone.append(Finding("lone-model", NOTE, where, len(left), what))
    return found, alone


def _pairs(a: Side, b: Side) -> list[tuple[str, str]]:
    both = [model for model in a.models if model in b.models]
    if both:
        return [(model, model) for model in both]
    if min(len(a.models), len(b.models)) == 1:
        return [(one, other) for one in a.models for other in b.models]
    raise UserError(
        f"{a.folder} has {', '.join(a.models)} and {b.folder} has {', '.join(b.models)}: no model "
        f"is in both. Name the two to compare, {a.folder}:{a.models[0]} {b.folder}:{b.models[0]}"
    )


def pairings(sides: Sequence[Side]) -> dict[tuple[str, str], list[Shared]]:
    """Shared questions of the first study and every other, by their names and benchmark.

    UserError where two studies share no question.
    """
    first = sides[0]
    found = {}
    for other in sides[1:]:
        both = [name for name in order(first) if name in other.asked]
        own = [
            shared(name, first.asked[name], other.asked[name], (first.name, other.name))
            for name in both
        ]
        if not any(one.pairs for one in own):
            raise UserError(_nothing(first, other, own))
        found[first.name, other.name] = own
    return found


def _nothing(a: Side, b: Side, own: Sequence[Shared]) -> str:
    """Why two studies share no question."""
    told = [f"{a.folder} and {b.folder} share no question (benchmarks: {', '.join(order(a))}; "]
    told += [f"{', '.join(order(b))})"]
    told += [f"; {finding.where}: {finding.message}" for one in own for finding in one.findings]
    told += [f"; {text}: give the benchmark one name" for text in elsewhere(a.asked, b.asked)]
    return "".join(told)


def benchmark_findings(sides: Sequence[Side]) -> Iterator[Finding]:
    """Benchmarks that not all studies have, and those that have other names."""
    first = sides[0]
    for other in sides[1:]:
        for side, rest in ((first, other), (other, first)):
            left = [name for name in order(side) if name not in rest.asked]
            if left:
                what = f"only in {side.name}, not compared: {', '.join(left)}"
                where = f"{first.name} and {other.name}"
                yield Finding("lone-benchmark", NOTE, where, len(left), what)
        for text in elsewhere(first.asked, other.asked):
            where = f"{first.name} and {other.name}"
            yield Finding("other-benchmark-name", NOTE, where, 0, f"{text}, not paired")


def contestants(found: Sequence[Match]) -> dict[str, tuple[Side, str]]:
    """Names in rankings, `STUDY/MODEL`, of every model that faces another."""
    every = [one for m in found for one in ((m.a, m.model_a), (m.b, m.model_b))]
    return {f"{side.name}/{model}": (side, model) for side, model in every}


def rankings(
    sides: Sequence[Side], found: Sequence[Match], paired: Pairings, rule: Rule
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables RANKING and RANKING_PAIRS of all models, on questions that all studies share."""
    common = {name: _common(name, sides, paired) for name in order(sides[0])}
    common = {name: ids for name, ids in common.items() if ids}
    own = contestants(found)
    points = pl.concat(
        [_points(name, *one, common) for name, one in own.items()], how="vertical_relaxed"
    )
    outcomes = pl.concat(
        [_outcomes(name, *one, common, _ids(sides[0], one[0], paired)) for name, one in own.items()]
    )
    told = standings(points, outcomes, list(own), rule.seed)
    return ranked(scopes(common, {}), list(own), told, rule)


def _common(dataset: str, sides: Sequence[Side], paired: Pairings) -> set[str]:
    """Questions that every study shares with the first, by the first one's ids."""
    found = []
    for other in sides[1:]:
        own = {one.dataset: one for one in paired[sides[0].name, other.name]}
        found.append(set(own[dataset].pairs) if dataset in own else set())
    return set.intersection(*found)


def _ids(first: Side, side: Side, paired: Pairings) -> dict[tuple[str, str], str]:
    """A study's ids of shared questions -> the first study's, by benchmark."""
    if side is first:
        return {}
    own = paired[first.name, side.name]
    return {(one.dataset, j): i for one in own for i, j in one.pairs.items()}


def _points(name: str, side: Side, model: str, common: Mapping[str, set[str]]) -> pl.DataFrame:
    rows = side.points.filter(
        (pl.col("model") == model) & pl.col("dataset").is_in(list(common))
    ).with_columns(model=pl.lit(name), model_title=pl.lit(name))
    counts = {dataset: len(ids) for dataset, ids in common.items()}
    asked = pl.col("dataset").replace_strict(counts, return_dtype=pl.Int64, default=0)
    return rows.with_columns(expected_questions=asked)


def _outcomes(
    name: str,
    side: Side,
    model: str,
    common: Mapping[str, set[str]],
    ids: Mapping[tuple[str, str], str],
) -> pl.DataFrame:
    rows = side.outcomes.filter(
        (pl.col("model") == model) & pl.col("dataset").is_in(list(common))
    ).with_columns(model=pl.lit(name))
    if ids:
        names = pl.DataFrame(
            [(*key, i) for key, i in ids.items()],
            schema={"dataset": pl.String, "question_id": pl.String, "first": pl.String},
            orient="row",
        )
        rows = rows.join(names, on=["dataset", "question_id"], maintain_order="left")
        rows = rows.with_columns(question_id=pl.col("first")).drop("first")
    kept = pl.DataFrame(
        [(dataset, i) for dataset, own in common.items() for i in sorted(own)],
        schema={"dataset": pl.String, "question_id": pl.String},
        orient="row",
    )
    return rows.join(kept, on=["dataset", "question_id"], how="semi")

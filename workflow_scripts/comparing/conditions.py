"""`--fail-if`: what a difference must not be, as a small expression.

    CONDITION   VALUE COMPARISON NUMBER
    VALUE       CELL | upper(CELL) | lower(CELL)
    CELL        [MODEL/]BENCHMARK METHOD[@BUDGET], `*` for any
    COMPARISON  <  <=  >  >=

Numbers are points: the later study minus the first. A bare cell is the estimate; `upper` and
`lower` are the ends of its interval, widened for the number of cells that the conditions of one
call look at in this way, so that in equal studies hardly any call fails by chance.
"""

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.analysis.intervals import difference_interval
from workflow_scripts.common.cell_pattern import CELL, CellPattern
from workflow_scripts.common.errors import UserError
from workflow_scripts.comparing.differences import Difference

ESTIMATE, LOWER, UPPER = "estimate", "lower", "upper"
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(
    rf"\s*(?:(?P<bound>lower|upper)\s*\(\s*(?P<inner>{re.sub(r'[?]P<[a-z]+>', '?:', CELL)})\s*\)"
    rf"|(?P<outer>{re.sub(r'[?]P<[a-z]+>', '?:', CELL)}))"
    r"\s*(?P<comparison><=|>=|<|>)\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*"
)
EXAMPLES = '"math500 truncation@4000 < -2" or "upper(s1k/* natural) < 0"'


@dataclass(frozen=True)
class Condition:
    """One condition: `bound` of the difference of `cells` compared with `number` points."""

    text: str
    bound: str
    cells: CellPattern
    comparison: str
    number: float


@dataclass(frozen=True)
class Judged:
    """A condition on one difference: whether it holds, and the sentence that says so.

    holds  True too where there is no number: what nobody can judge has not passed
    """

    condition: Condition
    difference: Difference
    holds: bool
    sentence: str


def read(text: str) -> Condition:
    """A condition from a command line; UserError shows the form."""
    found = _FORM.fullmatch(text)
    if not found:
        raise UserError(
            f"--fail-if {text!r} is no condition; write [upper|lower](CELL) COMPARISON POINTS, "
            f"such as {EXAMPLES}"
        )
    cell = found["inner"] or found["outer"]
    return Condition(
        text.strip(),
        found["bound"] or ESTIMATE,
        CellPattern.read(cell, f"--fail-if {text!r}"),
        found["comparison"],
        float(found["number"]),
    )


def judged(
    conditions: Sequence[Condition], differences: Sequence[Difference], confidence: float
) -> list[Judged]:
    """Every condition on every difference that it names. UserError where it names none."""
    looked = [(one, own) for one in conditions for own in _named(one, differences)]
    bounds = sum(one.bound != ESTIMATE for one, _ in looked)
    wide = 1 - (1 - confidence) / max(1, bounds)
    return [_judge(one, own, confidence, wide) for one, own in looked]


def _named(condition: Condition, differences: Sequence[Difference]) -> list[Difference]:
    found = [
        one
        for one in differences
        if any(
            condition.cells.fits(model, one.dataset, one.method, one.budget)
            for model in (one.match.model_a, one.match.model_b)
        )
    ]
    if found:
        return found
    cells = dict.fromkeys(f"{one.dataset} {one.method}@{one.budget}" for one in differences)
    models = dict.fromkeys(one.match.model_a for one in differences)
    listed = ", ".join(list(cells)[:8]) + (", ..." if len(cells) > 8 else "")
    raise UserError(
        f"--fail-if {condition.text!r} names no cell that both studies have (models: "
        f"{', '.join(models)}; cells: {listed})"
    )


def _judge(condition: Condition, one: Difference, confidence: float, wide: float) -> Judged:
    row = one.row
    where = f"{_models(one)}{one.dataset} {one.method}@{one.budget}"
    who = f"{row['study_b']} against {row['study_a']}"
    if one.change is None:
        sentence = (
            f"{where}, {who}: no number ({row['note']}), so `{condition.text}` is not ruled out"
        )
        return Judged(condition, one, True, sentence)
    low, high = row["difference_low"], row["difference_high"]
    told = f"{where}, {who}: {row['difference']:+.1f} points [{low:.1f}, {high:.1f}]"
    value = row["difference"]
    if condition.bound != ESTIMATE:
        ends = difference_interval(one.change, one.once, wide)
        value = ends[condition.bound == UPPER]
        told += f", {condition.bound} end at {100 * wide:.4g} % {value:+.1f}"
    holds = COMPARISONS[condition.comparison](value, condition.number)
    sentence = f"{told}: `{condition.text}` {'holds' if holds else 'does not hold'}"
    if holds and condition.bound == ESTIMATE and not _resolved(condition, low, high):
        sentence += (
            f" by the estimate alone; the {100 * confidence:g} % interval leaves it open "
            "(`upper` and `lower` ask for that)"
        )
    return Judged(condition, one, holds, sentence)


def _models(one: Difference) -> str:
    a, b = one.match.model_a, one.match.model_b
    return f"{a}/" if a == b else f"{b} against {a}, "


def _resolved(condition: Condition, low: float, high: float) -> bool:
    """Whether the whole interval meets a condition."""
    compare = COMPARISONS[condition.comparison]
    return compare(low, condition.number) and compare(high, condition.number)


def sentences(found: Sequence[Judged]) -> Iterator[str]:
    """Those that hold."""
    return (one.sentence for one in found if one.holds)

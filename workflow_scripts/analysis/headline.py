"""Control, Budget Error, Max Performance: the headline metrics that are not slopes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, log

import numpy as np

from workflow_scripts.common.methods import INFINITE

CLASS_CONTROL = 50.0
BY_DECREE = "50 % by decree: no cap to exceed"
NO_CAP = "no cap: nothing to exceed"
UNCOUNTED = "nobody counted the tokens of its thinking"


@dataclass(frozen=True)
class Run:
    """One cell as the metrics see it.

    bounded  whether its budget caps thinking, or is what the prompt states
    forced   with continuations
    mean_tokens  NaN where nobody counted them
    asks     -1 or 1 where the prompt asks for less or more thinking, 1 also where its template is
             told a level, else 0
    over     generations above budget plus slack
    """

    method: str
    budget: str
    bounded: bool
    forced: bool
    asks: int
    questions: int
    correct: float
    accuracy: float
    mean_tokens: float
    over: float

    @property
    def limit(self) -> int | None:
        """Thinking tokens that the run should keep to, None without such a number."""
        return int(self.budget) if self.bounded and self.budget != INFINITE else None


@dataclass(frozen=True)
class Value:
    """A metric with its footnote; None with the reason when it cannot be computed."""

    value: float | None
    note: str = ""


def control(runs: Sequence[Run]) -> Value:
    """Percent of generations above their budget plus slack, over limited runs; 0 is perfect.

    A prompt that states a number is a limit, too: what exceeds it is what is measured.
    """
    if all(run.asks for run in runs):
        return Value(CLASS_CONTROL, BY_DECREE)
    limited = [run for run in runs if run.limit]
    total = sum(run.questions for run in limited)
    if not total:
        return Value(None, NO_CAP)
    return Value(100 * sum(run.over for run in limited) / total)


def control_paper(runs: Sequence[Run], natural_tokens: float | None) -> Value:
    """Percent of runs whose mean thinking tokens lie within the budget; 100 is perfect.

    A class prompt has no budget: its run counts as controlled when it moved the expected way from
    the run without a prompt (arXiv 2501.19393, section 4.1). `natural_tokens` is that run's mean.
    """
    if all(run.asks for run in runs):
        if natural_tokens is None:
            return Value(None, "no run without a class prompt to compare with")
        moved = [
            run.mean_tokens < natural_tokens if run.asks < 0 else run.mean_tokens > natural_tokens
            for run in runs
        ]
        return Value(100 * sum(moved) / len(moved), "share of prompts that moved the expected way")
    limits = [(run.mean_tokens, run.limit) for run in runs if run.limit]
    if not limits:
        return Value(None, NO_CAP)
    return Value(100 * sum(tokens <= limit for tokens, limit in limits) / len(limits))


def budget_error(runs: Sequence[Run], targets: Sequence[int]) -> Value:
    """Mean over targets t of abs(mean tokens of the run for t - t) / t, in percent.

    A limited method's run for t is its run at budget t (the mean over its runs there when several
    methods are pooled). Without limits it is the run whose mean is nearest to t in log distance.
    """
    if not targets:
        return Value(None, "no targets configured")
    if any(isnan(run.mean_tokens) for run in runs):
        return Value(None, UNCOUNTED)
    if not any(run.bounded for run in runs):
        errors = [abs(_nearest(runs, t).mean_tokens - t) / t for t in targets]
        return Value(100 * float(np.mean(errors)), "run nearest to each target: no caps")
    at_target = {t: [r for r in runs if r.limit == t] for t in targets}
    missing = [str(t) for t, found in at_target.items() if not found]
    if missing:
        return Value(None, f"no run at {', '.join(missing)} thinking tokens")
    per_target = [np.mean([abs(r.mean_tokens - t) / t for r in at_target[t]]) for t in targets]
    return Value(100 * float(np.mean(per_target)))


def _nearest(runs: Sequence[Run], target: int) -> Run:
    return min(runs, key=lambda run: abs(log(max(run.mean_tokens, 1e-9)) - log(target)))

"""The cells of a study: every (method, budget) that a model is run at, from the config's lists."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.errors import ConfigError

INFINITE = "infinite"
UNCAPPED = ("natural", "class-short", "class-long")
CONDITIONAL = ("token-conditional", "step-conditional")
SAMPLED = ("rejection", "majority")


@dataclass(frozen=True)
class Method:
    """One method with its parameters, e.g. forcing with the phrase "Wait" twice.

    name      directory name: "truncation", "force-wait-2", "class-short", ...
    family    methods that one row of the metrics table speaks about: "force-wait", ...
    kind      "natural", "truncation", "force", "class-short", "class-long", "token-conditional",
              "step-conditional", "rejection", "majority"
    phrase    continuation spliced in by "force"; "" elsewhere
    n         number of continuations asked for; 0 elsewhere
    budgets   budgets as written in file names, smallest first
    samples   draws per question: votes of "majority", tries of "rejection"
    temperature  of methods that draw; the others use the study's
    forced    conditional control that is also cut at its budget
    """

    name: str
    family: str
    kind: str
    phrase: str = ""
    n: int = 0
    budgets: tuple[str, ...] = (INFINITE,)
    samples: int = 1
    temperature: float = 0.0
    forced: bool = False


@dataclass(frozen=True)
class Cell:
    """A method at one budget."""

    method: Method
    budget: str

    @property
    def path(self) -> str:
        """`method/budget`, as in file names."""
        return f"{self.method.name}/{self.budget}"


def slug(phrase: str) -> str:
    """File-name form of a continuation phrase: "Let me check" -> "let-me-check", "" -> "empty".

    A phrase without Latin letters or digits, such as a Chinese one, is named by its hash.
    """
    if not phrase:
        return "empty"
    return re.sub(r"[^a-z0-9]+", "-", phrase.lower()).strip("-") or f"phrase-{_mark(phrase)}"


def slugs(phrases: Iterable[str]) -> dict[str, str]:
    """Slugs by phrase. Of phrases with one slug ("Wait", "Wait,") the first keeps it bare.

    So a phrase that is added later renames no file of those that stood before it.
    """
    found: dict[str, str] = {}
    for phrase in phrases:
        bare = slug(phrase)
        if phrase not in found:
            found[phrase] = f"{bare}-{_mark(phrase)}" if bare in found.values() else bare
    return found


def _mark(phrase: str) -> str:
    return hashlib.sha256(phrase.encode()).hexdigest()[:6]


def budget_names(budgets: Iterable[Any]) -> tuple[str, ...]:
    """Budgets as strings, ascending, `infinite` last. ConfigError on anything but n >= 1."""
    numbers = []
    infinite = False
    for budget in budgets:
        if budget == INFINITE:
            infinite = True
        elif isinstance(budget, int) and not isinstance(budget, bool) and budget > 0:
            numbers.append(budget)
        else:
            raise ConfigError(f"budget {budget!r}: use a whole number above 0 or '{INFINITE}'")
    if len(set(numbers)) != len(numbers):
        raise ConfigError(f"budgets {numbers}: a budget is listed twice")
    return (*map(str, sorted(numbers)), *((INFINITE,) if infinite else ()))


def methods(inference: dict[str, Any]) -> list[Method]:
    """Methods of the config's `inference` section, in the order written, `n` ascending."""
    budgets = budget_names(inference["budgets"])
    forcing = [entry for entry in inference["methods"] if entry["method"] == "force"]
    names = slugs(entry["phrase"] for entry in forcing)
    found: list[Method] = []
    for entry in inference["methods"]:
        kind = entry["method"]
        if kind in UNCAPPED:
            family = "class-conditional" if kind.startswith("class-") else kind
            found.append(Method(kind, family, kind))
        elif kind == "truncation":
            found.append(Method(kind, kind, kind, budgets=_own_budgets(entry, budgets)))
        elif kind == "force":
            name = f"force-{names[entry['phrase']]}"
            found += _force(entry, name, _own_budgets(entry, budgets))
        elif kind in CONDITIONAL:
            found.append(_conditional(entry, _own_budgets(entry, budgets)))
        elif kind in SAMPLED:
            found.append(_sampled(entry, _own_budgets(entry, budgets)))
        else:
            raise ConfigError(f"inference.methods: unknown method {kind!r}")
    written = [method.name for method in found]
    twice = {name for name in written if written.count(name) > 1}
    if twice:
        raise ConfigError(f"inference.methods: {', '.join(sorted(twice))} occurs twice")
    return found


def _own_budgets(entry: dict[str, Any], default: tuple[str, ...]) -> tuple[str, ...]:
    return budget_names(entry["budgets"]) if "budgets" in entry else default


def _force(entry: dict[str, Any], family: str, budgets: tuple[str, ...]) -> list[Method]:
    phrase = entry["phrase"]
    return [
        Method(f"{family}-{n}", family, "force", phrase, n, budgets) for n in sorted(entry["n"])
    ]


def _conditional(entry: dict[str, Any], budgets: tuple[str, ...]) -> Method:
    """The prompt states the budget; with `forced`, thinking is also cut there."""
    kind, forced = entry["method"], bool(entry.get("forced", False))
    name = f"{kind}-forced" if forced else kind
    if INFINITE in budgets:
        raise ConfigError(f"inference.methods: {kind} states its budget: numbers only")
    return Method(name, name, kind, budgets=budgets, forced=forced)


def _sampled(entry: dict[str, Any], budgets: tuple[str, ...]) -> Method:
    """Several draws per question: a vote over all, or the first that ends within the budget."""
    kind = entry["method"]
    return Method(
        kind,
        kind,
        kind,
        budgets=budgets if kind == "rejection" else (INFINITE,),
        samples=entry.get("samples", 8),
        temperature=float(entry.get("temperature", 1.0)),
    )


def cells(inference: dict[str, Any]) -> list[Cell]:
    """All cells that a model is run at, method by method."""
    return [Cell(method, budget) for method in methods(inference) for budget in method.budgets]

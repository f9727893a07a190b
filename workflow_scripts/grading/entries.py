"""Comparing the entries of lists, sets and tuples: in order, or in any order."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from workflow_scripts.grading.evaluate import TooLarge, Undefined
from workflow_scripts.grading.forms import Form
from workflow_scripts.grading.outcome import Outcome, joined, refused
from workflow_scripts.grading.repair import Unparsed

T = TypeVar("T")
Same = Callable[[Form, Form], Outcome]


def ordered(gold: Sequence[Form], candidate: Sequence[Form], same: Same) -> Outcome:
    """Entry by entry, in order."""
    if len(gold) != len(candidate):
        return refused("structure")
    return joined(map(same, gold, candidate), "structure")


def distinct(items: Sequence[Form], same: Same) -> list[Form]:
    """The items without those that equal an earlier one."""
    found: list[Form] = []
    for item in items:
        if not any(_quietly(item, other, same) for other in found):
            found.append(item)
    return found


def _quietly(a: Form, b: Form, same: Same) -> bool:
    try:
        return same(a, b).equal
    except (Unparsed, Undefined, TooLarge):
        return a == b


def matched(ours: Sequence[T], theirs: Sequence[T], same: Callable[[T, T], Outcome]) -> Outcome:
    """One-to-one matching of entries in any order, exact ones first."""
    left = list(theirs)
    flags: frozenset[str] = frozenset()
    last: Outcome = refused("structure")
    for item in ours:
        found = []
        for place, other in enumerate(left):
            outcome = same(item, other)
            last = outcome
            if outcome.equal:
                found.append((len(outcome.flags), place, outcome))
                if not outcome.flags:
                    break
        if not found:
            return last if not last.equal else refused("structure")
        best = min(found, key=lambda f: f[:2])
        flags |= best[2].flags
        del left[best[1]]
    return Outcome(True, "structure", flags)

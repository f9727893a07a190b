"""The result of comparing two answers: a verdict with its reason and the leniency it needed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Outcome:
    """Verdict, the rule that decided it, and the lenient conventions (flags) that it rests on."""

    equal: bool
    rule: str
    flags: frozenset[str] = frozenset()

    def flagged(self, *flags: str) -> "Outcome":
        """The same outcome with more flags, if it is an acceptance."""
        return replace(self, flags=self.flags | set(flags)) if self.equal else self


def refused(rule: str) -> Outcome:
    """Not equal, for this reason."""
    return Outcome(False, rule)


def joined(outcomes: Iterable[Outcome], rule: str) -> Outcome:
    """All parts must be equal; the first part that is not gives the reason."""
    flags: frozenset[str] = frozenset()
    for outcome in outcomes:
        if not outcome.equal:
            return outcome
        flags |= outcome.flags
    return Outcome(True, rule, flags)

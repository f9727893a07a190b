"""Several samples of one question: unbiased maj@k and pass@k from one pool of samples."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import comb


def pass_at(samples: int, correct: int, k: int) -> float:
    """Chance that at least one of k of the samples, drawn without replacement, is correct.

    1 - C(samples - correct, k) / C(samples, k) (Chen et al., arXiv 2107.03374).
    ValueError when k exceeds the number of samples.
    """
    _check(samples, k)
    return 1 - comb(samples - correct, k) / comb(samples, k)


def majority_at(answers: Sequence[str | None], gold: str, k: int) -> float:
    """Chance that the most frequent answer among k of the samples is `gold`.

    `answers` holds one answer per sample in a canonical form, None where none was found: such a
    sample casts no vote. k samples are drawn without replacement; a tie is broken evenly among the
    answers that share the lead. Exact, by counting all C(len(answers), k) draws.
    ValueError when k exceeds the number of samples.
    """
    _check(len(answers), k)
    votes = Counter(answer for answer in answers if answer is not None)
    own = votes.pop(gold, 0)
    silent = len(answers) - own - sum(votes.values())
    total = Fraction(0)
    for lead in range(1, min(own, k) + 1):
        won = comb(own, lead) * _ways(list(votes.values()), silent, lead, k - lead)
        total += won
    return float(total / comb(len(answers), k))


def _ways(rivals: list[int], silent: int, lead: int, rest: int) -> Fraction:
    """Draws of `rest` samples in which no rival exceeds `lead`, each weighted by 1 / (1 + ties)."""
    ways: dict[tuple[int, int], int] = {(0, 0): 1}  # (samples drawn, rivals level with the lead)
    for size in rivals:
        grown: Counter[tuple[int, int]] = Counter()
        for (drawn, level), count in ways.items():
            for take in range(min(size, lead, rest - drawn) + 1):
                grown[drawn + take, level + (take == lead)] += count * comb(size, take)
        ways = grown
    return sum(
        (
            Fraction(count * comb(silent, rest - drawn), level + 1)
            for (drawn, level), count in ways.items()
            if rest - drawn <= silent
        ),
        Fraction(0),
    )


def _check(samples: int, k: int) -> None:
    if not 1 <= k <= samples:
        raise ValueError(f"k = {k} samples out of {samples}")

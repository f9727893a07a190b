"""Formats of benchmarks, one record each: what a question offers, what guessing gives, its group.

To add one: a line in FORMATS, how its golds are written in `GOLDS` of curation/golds.py,
how answers are compared in `COMPARERS` of grading/one_answer.py. Everything else asks the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # of options; a choice has at most so many
MATH, OTHER = "math", "other"
REASONING, NON_REASONING = "other reasoning", "non-reasoning"
AREAS = (MATH, REASONING, NON_REASONING)  # of benchmarks, by their groups
# As the makers of Qwen, QwQ and DeepSeek-R1 recommend it for mathematics; the others follow it.
BOXED = r"Please reason step by step, and put your final answer{} within \boxed{{}}."
LETTER = r"Please reason step by step, and put the letter of the right option within \boxed{}."


@dataclass(frozen=True)
class Format:
    """How the questions of a benchmark are asked and answered.

    name         in the config, and `kind` in tables
    group        MATH or OTHER: what a gain on it says something about
    instruction  what a model is told behind the question where it is asked in its own form
    lettered     options stand behind the question, and the answer is a letter
    answers      how many different ones there are, all as likely; 0 where there is no end of them
    """

    name: str
    group: str
    instruction: str
    lettered: bool = False
    answers: int = 0

    def chance(self, gold: str, options: Sequence[str] | None) -> float:
        """Chance that a guess is right; options that repeat the right one's text are right, too."""
        if self.lettered and options:
            return options.count(options[LETTERS.index(gold)]) / len(options)
        return 1 / self.answers if self.answers else 0.0


FORMATS = {
    one.name: one
    for one in (
        Format("math", MATH, BOXED.format("")),  # LaTeX or words, compared as mathematics
        Format(  # 0 to 999, as AIME has it
            "integer", MATH, BOXED.format(", a whole number from 0 to 999,"), answers=1000
        ),
        Format(  # letters of options; where a table lacks the options: four
            "choice", OTHER, LETTER, lettered=True, answers=4
        ),
        Format("number", OTHER, BOXED.format(", a number,")),  # within a relative tolerance
        Format("text", OTHER, BOXED.format("")),  # compared as it is spelt
    )
}

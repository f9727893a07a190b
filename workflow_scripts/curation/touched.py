"""Which benchmark questions share anything with a training set, stock phrases included.

Decontamination sets stock phrases apart and keeps their rows. What that leaves to doubt is told by
accuracy without these questions.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import polars as pl

from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.curation.contamination import Exam
from workflow_scripts.curation.letter_grams import near_questions
from workflow_scripts.curation.overlap import exam_positions, plain_form

NEAR = 0.6
TOUCHED = {
    "set": pl.String,
    "dataset": pl.String,
    "question_id": pl.String,
    "how": pl.String,  # "n-gram", "letters" or both
    "rows": pl.Int64,  # rows of the set that share something with it
}


def touched_questions(
    sets: Mapping[str, Sequence[str]], questions: Sequence[Question], n: int
) -> pl.DataFrame:
    """One row (TOUCHED) per set and question that share a word n-gram or most of their letters.

    sets  the questions of each set's rows
    """
    lines = []
    for name, texts in sets.items():
        for number, ways in sorted(_touched(texts, questions, n).items()):
            rows = set().union(*ways.values())
            question = questions[number]
            how = ", ".join(sorted(ways, reverse=True))
            lines.append((name, question.dataset, question.question_id, how, len(rows)))
    return pl.DataFrame(lines, schema=TOUCHED, orient="row")


def _touched(
    texts: Sequence[str], questions: Sequence[Question], n: int
) -> dict[int, dict[str, set[int]]]:
    """Question -> the ways in which it is touched -> the rows."""
    asked = [question.question for question in questions]
    found: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    form = plain_form(texts, asked, n)
    places = Exam(form, [question.dataset for question in questions], 1).places
    positions = exam_positions(form)
    for position, row in zip(
        positions.tolist(), form.pool.text_of(positions).tolist(), strict=True
    ):
        for question, _ in places.get(form.gram(position), ()):
            found[question]["n-gram"].add(row)
    for near in near_questions(texts, asked, NEAR):
        found[near.question]["letters"].add(near.row)
    return found

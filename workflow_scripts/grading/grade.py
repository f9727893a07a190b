"""Grade every generation of a model: the verdict on its answer text, and why.

Only the answer text is read; an answer that stands only inside the thinking does not count.
"""

import argparse
from pathlib import Path

import polars as pl

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.job import MANY, run
from workflow_scripts.common.provenance import provenance
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.grading import GradeSettings
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.common.tables.imported import IMPORTED_ROWS
from workflow_scripts.grading.batch import Limits, Verdict, grade_all
from workflow_scripts.grading.one_answer import Question

ASKED = ("gold", "kind", "options", "tolerance")
PACKAGES = ("sympy", "latex2sympy2", "mpmath", "antlr4-python3-runtime")


def work(args: argparse.Namespace) -> None:
    """Read generations and benchmarks, grade, write one row per generation."""
    limits = Limits.of(read(GradeSettings, args.settings, "--settings"), args.threads)
    rows = as_shown(load(args.generations, args.benchmarks), args.imported)
    questions = [
        Question(gold, kind, tuple(options) if options is not None else None, tolerance)
        for gold, kind, options, tolerance in rows.select(ASKED).iter_rows()
    ]
    label = f"grade {', '.join(rows['model'].unique(maintain_order=True))}"
    verdicts = grade_all(questions, rows["answer_text"].fill_null("").to_list(), limits, label)
    grades = pl.concat([rows.select(GRADE.key), frame(verdicts)], how="horizontal")
    GRADE.write(args.grades, grades, provenance(args.settings, *PACKAGES))


def load(generations: list[Path], benchmarks: list[Path]) -> pl.DataFrame:
    """Keys and answer texts of all generations, with ASKED of their questions.

    Raises InputError naming the first generation whose question is in no benchmark.
    """
    if not generations:
        raise InputError("no generations to grade")
    answers = pl.concat(
        [GENERATION.read(path).select(*GRADE.key, "answer_text") for path in generations]
    )
    golds = pl.concat([BENCHMARK.read(path) for path in benchmarks]).select(
        "dataset", "question_id", *ASKED
    )
    rows = answers.join(golds, on=["dataset", "question_id"], how="left", maintain_order="left")
    lost = rows.filter(pl.col("gold").is_null())
    if lost.height:
        key = dict(zip(GRADE.key, lost.row(0), strict=False))
        raise InputError(f"{lost.height} generations of questions that no benchmark has: {key}")
    return rows


def as_shown(rows: pl.DataFrame, imported: list[Path]) -> pl.DataFrame:
    """The rows with gold and options as another harness showed them, where it did.

    A harness shuffles the options of a choice in its own way: its letters are not the benchmark's.
    """
    if not imported:
        return rows
    shown = pl.concat([IMPORTED_ROWS.read(path) for path in imported]).select(
        "model", "dataset", "question_id", "sample", "graded_gold", "graded_options"
    )
    key = ["model", "dataset", "question_id", "sample"]
    found = rows.join(shown, on=key, how="left", maintain_order="left")
    choice = (pl.col("kind") == "choice") & pl.col("graded_gold").is_not_null()
    return found.with_columns(
        gold=pl.when(choice).then("graded_gold").otherwise("gold"),
        options=pl.when(choice).then("graded_options").otherwise("options"),
    ).drop("graded_gold", "graded_options")


def frame(verdicts: list[Verdict]) -> pl.DataFrame:
    """The verdict columns of the GRADE table."""
    names = ("verdict", "extracted", "extraction", "rule", "flags", "no_answer", "seconds")
    schema = {name: GRADE.schema[name] for name in names}
    rows = [[getattr(verdict, name) for name in names] for verdict in verdicts]
    for row in rows:
        row[4] = list(row[4])
    return pl.DataFrame(rows, schema=schema, orient="row")


def main() -> None:
    """Command line of rule `grade`."""
    inputs = {"generations": MANY, "benchmarks": MANY, "imported": MANY}
    run(work, __doc__, inputs, ("grades",), granted=("threads",))


if __name__ == "__main__":
    main()

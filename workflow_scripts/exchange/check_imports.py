"""Verdicts of other harnesses beside ours: counts, and each response that differs."""

from argparse import Namespace

import polars as pl

from workflow_scripts.analysis.tables import write_table
from workflow_scripts.common.job import MANY, log, run
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.common.tables.imported import DISAGREEMENTS, IMPORTED_ROWS, VERDICTS

KEY = ["model", "dataset", "question_id", "sample"]


def work(args: Namespace) -> None:
    """Join the rows of every imported model with its grades; write counts and disagreements."""
    rows = pl.concat([IMPORTED_ROWS.read(path) for path in args.rows])
    grades = pl.concat([GRADE.read(path) for path in args.grades])
    both = beside(rows, grades)
    write_table(args.verdicts, counts(both), VERDICTS)
    odd = disagreements(both)
    write_table(args.disagreements, odd, DISAGREEMENTS)
    log.info("%d of %d responses are judged otherwise by their harness", odd.height, both.height)


def beside(rows: pl.DataFrame, grades: pl.DataFrame) -> pl.DataFrame:
    """One row per imported response with `ours` and `theirs`: verdicts, theirs null where partial.

    A score between wrong and right, or none, is no verdict.
    """
    ours = grades.select(*KEY, "verdict", "rule", "no_answer", read_here="extracted")
    joined = rows.join(ours, on=KEY, how="inner", maintain_order="left")
    whole = pl.col("score").is_in([0.0, 1.0])
    return joined.rename({"verdict": "ours"}).with_columns(
        theirs=pl.when(whole).then(pl.col("score") == 1.0)
    )


def counts(both: pl.DataFrame) -> pl.DataFrame:
    """VERDICTS: how often each grader says right, and how often only one of them does."""
    told = pl.col("theirs").is_not_null()
    found = both.group_by("model", "dataset", maintain_order=True).agg(
        metric=pl.col("metric").first(),
        responses=pl.len(),
        judged=told.sum(),
        both_right=(told & pl.col("ours") & pl.col("theirs")).sum(),
        only_ours=(told & pl.col("ours") & ~pl.col("theirs")).sum(),
        only_theirs=(told & ~pl.col("ours") & pl.col("theirs")).sum(),
        both_wrong=(told & ~pl.col("ours") & ~pl.col("theirs")).sum(),
        right_here=pl.col("ours").sum(),
    )
    return found.select([pl.col(name).cast(kind) for name, kind in VERDICTS.items()])


def disagreements(both: pl.DataFrame) -> pl.DataFrame:
    """DISAGREEMENTS: the responses that one grader holds for right and the other for wrong."""
    odd = both.filter(pl.col("theirs").is_not_null() & (pl.col("ours") != pl.col("theirs")))
    named = odd.rename({"extracted": "read_there"}).with_columns(
        response=pl.col("response").str.tail(400)
    )
    return named.select([pl.col(name).cast(kind) for name, kind in DISAGREEMENTS.items()])


def main() -> None:
    """Command line of rule `check_imports`."""
    run(work, __doc__, {"rows": MANY, "grades": MANY}, ("verdicts", "disagreements"))


if __name__ == "__main__":
    main()

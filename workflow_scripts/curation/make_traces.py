"""Teachers' graded draws become a pool of traces in the form of the 59K pool.

--settings: `MakeTracesSettings`; --generations and --grades have a file of each of its teachers.
"""

import argparse

import polars as pl

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.job import MANY, ONE, log, run
from workflow_scripts.common.provenance import provenance
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.traces import MakeTracesSettings
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.common.tables.pool import POOL
from workflow_scripts.common.tables.traces import TRACES, TraceFacts
from workflow_scripts.curation.pool import scan_rows, write_pool
from workflow_scripts.curation.teacher_draws import (
    choose,
    pool_rows,
    read_draws,
    scored,
    trace_facts,
)


def work(args: argparse.Namespace) -> None:
    """Choose among all draws, and write the pool, every draw's fate and the counts."""
    settings = read(MakeTracesSettings, args.settings, "--settings")
    asked = BENCHMARK.read(args.benchmark)["question_id"]
    files = zip(settings.teachers or (), args.generations, args.grades, strict=True)
    drawn = [
        read_draws(name, GENERATION.read(generations), GRADE.read(grades))
        for name, generations, grades in files
    ]
    chosen = choose(scored(pl.concat(drawn)), settings)
    rows = pool_rows(chosen, scan_rows(args.pool, asked, list(POOL.schema)))
    facts = trace_facts(chosen, asked.len(), settings)
    write_pool(args.made, [rows], provenance(args.settings, made=_told(facts)))
    TRACES.write(args.traces, chosen.drop("trace", "attempt"), provenance(args.settings))
    write_json(args.counts, facts.to_json())
    log.info("%s", _told(facts))


def _told(facts: TraceFacts) -> str:
    """What a pool was made of, for messages."""
    return (
        f"pool {facts.pool} of traces holds {facts.rows:,} rows of {facts.questions:,} questions "
        f"({facts.asked:,} asked, {facts.right_questions:,} answered right); "
    )


def main() -> None:
    """Command line of rule `make_traces`."""
    run(
        work,
        __doc__,
        inputs={"pool": ONE, "benchmark": ONE, "generations": MANY, "grades": MANY},
        outputs=("made", "traces", "counts"),
    )


if __name__ == "__main__":
    main()

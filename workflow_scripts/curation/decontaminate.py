"""Remove rows that share text with a benchmark, then all but one of rows that repeat each other.

--settings: `DecontaminateSettings`, the config's `curation.decontamination`; the benchmarks listed
under its `extra` are passed as further --benchmarks.
"""

import argparse
from dataclasses import asdict

import polars as pl

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.job import MANY, ONE, log, run
from workflow_scripts.common.provenance import provenance
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.curation import DecontaminateSettings
from workflow_scripts.common.tables.benchmark import read_questions
from workflow_scripts.common.tables.pool import DECISIONS
from workflow_scripts.curation.pool import scan_rows
from workflow_scripts.curation.shared_text import (
    COLUMNS,
    contamination_facts,
    decontaminate,
    for_responses,
)


def work(args: argparse.Namespace) -> None:
    """Compare the kept rows with the benchmarks and with each other; decide on each."""
    settings = read(DecontaminateSettings, args.settings, "--settings")
    questions = read_questions(args.benchmarks)
    kept = DECISIONS.read(args.quality).filter("keep")
    length = pl.col("trace").str.len_chars().fill_null(0).alias("trace_characters")
    rows = scan_rows(args.pool, kept["row_id"], [*COLUMNS[:-1], length])
    asked = rows.unique("question", keep="first", maintain_order=True)
    compared = asked if settings.responses else rows
    decisions, findings = decontaminate(compared, questions, settings)
    if settings.responses:
        decisions = for_responses(decisions, rows)
    facts = contamination_facts(findings)
    frame = DECISIONS.frame([asdict(decision) for decision in decisions])
    DECISIONS.write(args.decontamination, frame, provenance(args.settings))
    write_json(args.contamination, facts)
    for reason, count in frame["reason"].value_counts(sort=True).rows():
        log.info("%7d  %s", count, reason)
    log.info("each setting would remove: %s", facts["would_remove"])


def main() -> None:
    """Command line of rule `decontaminate`."""
    run(
        work,
        __doc__,
        inputs={"pool": ONE, "quality": ONE, "benchmarks": MANY},
        outputs=("decontamination", "contamination"),
    )


if __name__ == "__main__":
    main()

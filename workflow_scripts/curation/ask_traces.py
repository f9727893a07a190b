"""Turn rows of the pool into the questions that teachers answer.

--settings: `AskPoolSettings`. --rows are the decisions of a filter, or a training set; the
questions go to `generate`, `cut` and `grade` like any benchmark, then to `make_traces`.
"""

import argparse

from workflow_scripts.common.artifacts import read_facts, reading
from workflow_scripts.common.job import ONE, log, run
from workflow_scripts.common.provenance import provenance
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.curation import AskPoolSettings
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.common.tables.pool import DECISIONS, SELECTED
from workflow_scripts.curation.graded_labels import pool_questions
from workflow_scripts.curation.pool import scan_rows


def work(args: argparse.Namespace) -> None:
    """Choose the rows that teachers are asked, and write them as a benchmark."""
    settings = read(AskPoolSettings, args.settings, "--settings")
    with reading(args.rows):
        filtered = read_facts(args.rows).get("table") == DECISIONS.name
    decided = DECISIONS.read(args.rows).filter("keep") if filtered else SELECTED.read(args.rows)
    rows = scan_rows(args.pool, decided["row_id"], ("row_id", "question", "solution"))
    frame = pool_questions(rows, settings.sample, settings.seed)
    BENCHMARK.write(args.benchmark, frame, provenance(args.settings))
    log.info("%d of %d rows are asked", frame.height, rows.height)


def main() -> None:
    """Command line of rule `ask_traces`."""
    run(work, __doc__, inputs={"pool": ONE, "rows": ONE}, outputs=("benchmark",))


if __name__ == "__main__":
    main()

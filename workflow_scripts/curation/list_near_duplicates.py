"""List pairs of kept rows that nearly repeat each other, for a human to look at; drops nothing.

--settings: {"similarity": least Jaccard similarity of word 5-grams (default 0.5), "seed"}.
"""

import argparse

import polars as pl

from workflow_scripts.common.artifacts import write_csv
from workflow_scripts.common.job import ONE, log, run
from workflow_scripts.common.tables.pool import DECISIONS
from workflow_scripts.curation.minhash import near_duplicates
from workflow_scripts.curation.pool_scan import scan_rows

SCHEMA = {
    "similarity": pl.Float64,
    "row_id": pl.String,
    "other_row_id": pl.String,
    "source_name": pl.String,
    "other_source_name": pl.String,
    "question": pl.String,
    "other_question": pl.String,
}


def work(args: argparse.Namespace) -> None:
    settings = args.settings
    kept = DECISIONS.read(args.decontamination).filter("keep")["row_id"]
    rows = scan_rows(args.pool, kept, ("row_id", "source_name", "question"))
    ids, names, texts = (column.to_list() for column in rows.get_columns())
    pairs = near_duplicates(texts, settings.get("similarity", 0.5), settings.get("seed", 42))
    listed = [
        (p.similarity, *(column[i] for column in (ids, names, texts) for i in (p.first, p.second)))
        for p in pairs
    ]
    write_csv(args.pairs, pl.DataFrame(listed, schema=SCHEMA, orient="row"))
    log.info("%d pairs among %d rows", len(pairs), rows.height)


def main() -> None:
    run(work, __doc__, inputs={"pool": ONE, "decontamination": ONE}, outputs=("pairs",))


if __name__ == "__main__":
    main()

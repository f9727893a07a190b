"""Funnel, domain and source tables, dropped rows, curation.md, and touched benchmark questions.

--settings: `SummariseCurationSettings`, the names of the sets in the order of --sets.
"""

import argparse

import polars as pl

from workflow_scripts.common.artifacts import atomic, read_json, write_csv, write_text
from workflow_scripts.common.job import MANY, ONE, log, run
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.curation import SummariseCurationSettings
from workflow_scripts.common.tables.benchmark import read_questions
from workflow_scripts.common.tables.pool import SELECTED
from workflow_scripts.curation.near import touched_questions
from workflow_scripts.curation.page import Evidence, curation_page
from workflow_scripts.curation.pool import scan_columns
from workflow_scripts.curation.row_counts import (
    GROUPS,
    balance,
    domain_table,
    dropped_rows,
    eligible_ids,
    funnel,
    length_shift,
    rank_correlations,
    source_table,
)
from workflow_scripts.curation.selection import STAGES, read_decisions

LENGTH = pl.col("trace").str.len_chars().alias("trace_characters")


def work(args: argparse.Namespace) -> None:
    """Write tables and the page of what was kept and dropped, and why."""
    settings = read(SummariseCurationSettings, args.settings, "--settings")
    columns = ["row_id", "question", "source", "source_name", "domain", LENGTH]
    labels = scan_columns(args.pool, columns)
    decisions = read_decisions({name: getattr(args, name) for name in STAGES}, labels["row_id"])
    paths = dict(zip(settings.selectors, args.sets, strict=True))
    every = {name: SELECTED.read(path) for name, path in paths.items()}
    names = settings.shown
    sets = {name: every[name] for name in names}
    eligible = eligible_ids(decisions, names[0] if names else "s1k", settings.rules)
    domains, sources = domain_table(labels, eligible, sets), source_table(labels, eligible, sets)
    dropped = dropped_rows(decisions, labels)
    kept = labels.filter(pl.col("row_id").is_in(eligible.implode()))
    readable = pl.col("reason").is_in(["kept", *GROUPS["teacher"]])
    clean = decisions["quality"].filter(readable)["row_id"]
    shifts = [
        length_shift(kept, labels.filter(pl.col("row_id").is_in(frame["row_id"].implode())))
        for frame in sets.values()
    ]
    correlations, used = rank_correlations(args.pool, clean, settings.seed)
    balances = {"pool": labels, "eligible": kept, **sets}
    evidence = Evidence(
        funnel(labels.height, decisions, sets, settings.rules),
        domains,
        sources,
        dropped,
        read_json(args.contamination),
        sets,
        {
            name: balance(frame.drop_nulls("domain")["domain"].value_counts()["count"].to_list())
            for name, frame in balances.items()
        },
        shifts[0] if shifts else None,
        correlations,
        used,
        len(every) - len(sets),
    )
    write_csv(args.funnel, evidence.funnel)
    write_csv(args.domains, domains)
    write_csv(args.sources, sources)
    with atomic(args.dropped) as part:
        dropped.write_parquet(part, compression="zstd")
    write_text(args.report, curation_page(evidence))
    questions = {name: frame["question"].to_list() for name, frame in every.items()}
    n = evidence.contamination["ngram"]
    write_csv(args.touched, touched_questions(questions, read_questions(args.benchmarks), n))
    log.info("%d of %d rows are left after the filters", eligible.len(), labels.height)


def main() -> None:
    """Command line of rule `summarise_curation`."""
    run(
        work,
        __doc__,
        inputs={"pool": ONE, **dict.fromkeys(STAGES, ONE), "contamination": ONE}
        | {"sets": MANY, "benchmarks": MANY},
        outputs=("funnel", "domains", "sources", "dropped", "report", "touched"),
    )


if __name__ == "__main__":
    main()

"""Choose the training set from the rows that survived the filters.

--settings: `SelectSettings`, with the config's `curation.selection` and the tokenizer that
--lengths was counted with.
"""

import argparse

import polars as pl

from workflow_scripts.common.artifacts import read_facts, write_json
from workflow_scripts.common.job import ONE, log, run
from workflow_scripts.common.provenance import provenance
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.curation import SelectSettings
from workflow_scripts.common.tables.pool import LENGTHS, SELECTED
from workflow_scripts.curation.pool import pool_sources, scan_columns
from workflow_scripts.curation.selection import (
    STAGES,
    Request,
    check_pins,
    choose,
    chosen_rule,
    eligible_rows,
    find_selector,
    in_order,
    of_teacher,
    read_decisions,
    require_enough,
    selected_frame,
    set_facts,
    stage,
)
from workflow_scripts.curation.trace_parts import limo_levels


def work(args: argparse.Namespace) -> None:
    """Draw one training set from the rows that every filter kept."""
    settings = read(SelectSettings, args.settings, "--settings")
    options, rule = settings.selection, chosen_rule(settings)
    selector, size = find_selector(rule)
    size = settings.size or size or options.size
    paths = {stage_name: getattr(args, stage_name) for stage_name in STAGES}
    labels = scan_columns(args.pool, ["row_id", "teacher_correct"])
    decisions = read_decisions(paths, labels["row_id"])
    last = decisions["difficulty" if selector.hard else "decontamination"]
    eligible = of_teacher(last.filter("keep")["row_id"], labels, settings.teacher)
    check_pins(options.pins, pool_sources(args.pool))
    stages = [stage(stage_name, decisions[stage_name]) for stage_name in STAGES]
    rows = eligible_rows(args.pool, eligible, LENGTHS.read(args.lengths))
    if settings.level is not None:
        levels = limo_levels(rows).filter(pl.col("level") == settings.level)
        rows = rows.join(levels, on="row_id", how="semi", maintain_order="left")
    made = read_facts(args.pool).get("made", "")
    require_enough(rule, rows, size, stages, selector.hard, options, settings, made)
    base = options.size if rule != settings.selector else size
    picks = choose(rule, Request(rows, base, options, settings.seed))
    frame = in_order(selected_frame(args.pool, rows, picks), settings.order)
    SELECTED.write(args.set, frame, provenance(args.settings, "tokenizers", "transformers"))
    facts = set_facts(settings.name or settings.selector, frame, rows, stages)
    own = {key: args.settings[key] for key in ("teacher", "level", "order") if key in args.settings}
    write_json(args.counts, {**facts, **own, "tokenizer": args.settings["tokenizer"]})
    log.info("%s: %d of %d eligible rows", facts["selector"], frame.height, rows.height)


def main() -> None:
    """Command line of rule `select`."""
    run(
        work,
        __doc__,
        inputs={"pool": ONE, **dict.fromkeys(STAGES, ONE), "lengths": ONE},
        outputs=("set", "counts"),
    )


if __name__ == "__main__":
    main()

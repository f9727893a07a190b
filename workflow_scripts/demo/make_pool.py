"""Write the demo's pool and the ground truth of the defects planted in it."""

import argparse

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.job import log, run
from workflow_scripts.demo.pool import PoolSettings, make_pool
from workflow_scripts.demo.records import settings_of, write_records


def work(args: argparse.Namespace) -> None:
    """Make the rows; settings are the fields of PoolSettings."""
    rows, truth = make_pool(settings_of(PoolSettings, args.settings, "make_pool"))
    write_records(args.pool, rows)
    write_json(args.planted, truth)
    counts = ", ".join(f"{name} {len(lines)}" for name, lines in truth["planted"].items())
    log.info("%d rows; planted: %s", len(rows), counts)


def main() -> None:
    """Command line."""
    run(work, __doc__, inputs={}, outputs=("pool", "planted"))


if __name__ == "__main__":
    main()

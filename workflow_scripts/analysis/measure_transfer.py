"""Measure what training did to each area of benchmarks, and the Transferability Index."""

from argparse import Namespace

from workflow_scripts.analysis.study import models
from workflow_scripts.analysis.tables import (
    OUTCOMES,
    POINTS,
    TRANSFER,
    read_table,
    write_table,
)
from workflow_scripts.analysis.transfer import Resampling, transfer
from workflow_scripts.common.job import ONE, log, run


def work(args: Namespace) -> None:
    """Read points and outcomes, write the table."""
    settings = args.settings
    analysis = settings["analysis"]
    how = Resampling(analysis["confidence"], analysis["bootstrap"], settings["seed"])
    areas = {entry["name"]: entry["area"] for entry in settings["benchmarks"]}
    points, outcomes = read_table(args.points, POINTS), OUTCOMES.read(args.outcomes)
    found = transfer(points, outcomes, models(settings), areas, how)
    write_table(args.transfer, found, TRANSFER)
    log.info("%d models and areas", found.height)


def main() -> None:
    """Command line."""
    run(work, __doc__, {"points": ONE, "outcomes": ONE}, ("transfer",))


if __name__ == "__main__":
    main()

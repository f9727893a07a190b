"""Compare results with what the config expects of them, and warn of what lies outside."""

from argparse import Namespace

from workflow_scripts.analysis.expectations import broken, expectations, in_short
from workflow_scripts.analysis.tables import (
    CONTRASTS,
    EXPECTATIONS,
    POINTS,
    read_table,
    write_table,
)
from workflow_scripts.common.job import ONE, log, run, warn
from workflow_scripts.common.settings.analysis import FAIL, WARN, Expectation
from workflow_scripts.common.settings.base import build


def work(args: Namespace) -> None:
    """Read points and contrasts; write a row per expectation and cell."""
    expected = [build(Expectation, entry) for entry in args.settings["expect"]]
    points, contrasts = read_table(args.points, POINTS), read_table(args.contrasts, CONTRASTS)
    table = expectations(expected, points, contrasts)
    write_table(args.expectations, table, EXPECTATIONS)
    rows = table.to_dicts()
    for message in broken(rows, WARN):
        warn(f"not as expected: {message}")
    for message in broken(rows, FAIL):
        log.error("not as expected: %s", message)
    log.info("%s", in_short(rows))


def main() -> None:
    """Command line."""
    run(work, __doc__, {"points": ONE, "contrasts": ONE}, ("expectations",))


if __name__ == "__main__":
    main()

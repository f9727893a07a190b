"""Draw accuracy against the rows of the training set."""

from argparse import Namespace

from workflow_scripts.analysis.tables import CONTRASTS, POINTS, SETS, read_table
from workflow_scripts.common.job import ONE, run
from workflow_scripts.reporting.figure_sets import sets_plot
from workflow_scripts.reporting.style import save


def work(args: Namespace) -> None:
    """Read the tables, write the figure as PNG with SVG and PDF beside it."""
    points, contrasts = read_table(args.points, POINTS), read_table(args.contrasts, CONTRASTS)
    table = read_table(args.set_table, SETS)
    confidence = args.settings["analysis"]["confidence"]
    save(sets_plot(table, points, contrasts, confidence), args.png)


def main() -> None:
    """Command line."""
    run(work, __doc__, dict.fromkeys(("points", "contrasts", "set_table"), ONE), ("png",))


if __name__ == "__main__":
    main()

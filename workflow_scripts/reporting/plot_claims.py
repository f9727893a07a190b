"""Draw the key paired differences, and the cases where accuracy does not rise beyond doubt."""

from argparse import Namespace

from workflow_scripts.analysis.tables import METRICS, PAIRS, POINTS, read_table
from workflow_scripts.common.job import ONE, run
from workflow_scripts.reporting.figure_effects import effects_plot
from workflow_scripts.reporting.figure_flat import flat_plot
from workflow_scripts.reporting.style import save


def work(args: Namespace) -> None:
    """Read the tables, write both figures as PNG, SVG and PDF."""
    points, pairs = read_table(args.points, POINTS), read_table(args.pairs, PAIRS)
    save(effects_plot(points, pairs, args.settings.get("base")), args.effects)
    save(flat_plot(points, read_table(args.metrics, METRICS)), args.flat)


def main() -> None:
    """Command line."""
    inputs = dict.fromkeys(("points", "metrics", "pairs"), ONE)
    run(work, __doc__, inputs, ("effects", "flat"))


if __name__ == "__main__":
    main()

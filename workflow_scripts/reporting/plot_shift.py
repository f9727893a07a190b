"""Draw what training changed: KL, ranks, hidden states and words of second thoughts."""

from argparse import Namespace

from workflow_scripts.analysis.tables import read_table
from workflow_scripts.common.job import ONE, run
from workflow_scripts.reporting.figure_shift import kl_plot, markers_plot, ranks_plot, states_plot
from workflow_scripts.reporting.style import save
from workflow_scripts.shift.tables import KL, LAYERS, MARKERS, RANKS


def work(args: Namespace) -> None:
    """Read the tables, write four figures as PNG, SVG and PDF."""
    titles, datasets = (
        {entry["name"]: entry["title"] for entry in args.settings[key]}
        for key in ("models", "benchmarks")
    )
    save(kl_plot(read_table(args.kl, KL), titles), args.shift_kl)
    save(ranks_plot(read_table(args.ranks, RANKS), titles, datasets), args.shift_ranks)
    save(states_plot(read_table(args.states, LAYERS), titles), args.shift_states)
    markers = read_table(args.markers, MARKERS)
    save(markers_plot(markers, titles, datasets), args.shift_markers)


def main() -> None:
    """Command line of rule `plot_shift`."""
    inputs: dict[str, str] = dict.fromkeys(("kl", "ranks", "states", "markers"), ONE)
    run(work, __doc__, inputs, ("shift_kl", "shift_ranks", "shift_states", "shift_markers"))


if __name__ == "__main__":
    main()

"""Draw the curation funnel, and domains and sources before and after selection."""

from argparse import Namespace
from pathlib import Path

import polars as pl

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.job import ONE, run
from workflow_scripts.reporting.figure_curation import funnel_plot, shares_plot
from workflow_scripts.reporting.style import save

COUNTS = ("pool", "eligible", "selected", "paper")


def read(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """A CSV with at least these columns; InputError names the file otherwise."""
    if not path.exists():
        raise InputError(f"{path} does not exist")
    frame = pl.read_csv(path, infer_schema_length=None)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; rebuild it")
    return frame.with_columns(pl.col("paper").cast(pl.Float64, strict=False).cast(pl.Int64))


def work(args: Namespace) -> None:
    """Read the three tables, write the three figures as PNG, SVG and PDF."""
    save(
        funnel_plot(read(args.funnel, ("stage", "reason", "removed", "remaining", "paper"))),
        args.funnel_png,
    )
    save(shares_plot(read(args.domains, ("domain", *COUNTS)), "domain"), args.domains_png)
    save(shares_plot(read(args.sources, ("source_name", *COUNTS)), "source_name"), args.sources_png)


def main() -> None:
    """Command line."""
    names = ("funnel", "domains", "sources")
    run(work, __doc__, dict.fromkeys(names, ONE), tuple(f"{name}_png" for name in names))


if __name__ == "__main__":
    main()

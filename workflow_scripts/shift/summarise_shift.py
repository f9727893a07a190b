"""Summarise what changed for every pair: KL, ranks, words, layers and second thoughts as CSV files.

settings: `markers` and `analysis.confidence`.
"""

from argparse import Namespace
from pathlib import Path

import polars as pl

from workflow_scripts.common.artifacts import write_csv
from workflow_scripts.common.job import MANY, run
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.shift.second_thoughts import counted, marker_rows, table
from workflow_scripts.shift.summary import kl_rows, rank_rows, word_rows
from workflow_scripts.shift.tables import LAYERS, POSITIONS, STATES, ShiftManifest

COLUMNS = (
    "model", "dataset", "method", "budget", "question_id", "sample", "thinking_tokens",
    "thinking_text",
)  # fmt: skip


def work(args: Namespace) -> None:
    """Read what was measured of each pair, write five tables."""
    settings = args.settings
    confidence = settings["analysis"]["confidence"]
    pairs = [ShiftManifest.read(path) for path in args.manifests]
    positions = [POSITIONS.read(path) for path in args.positions]
    each = list(zip(positions, pairs, strict=True))
    write_csv(args.kl, pl.concat(kl_rows(*one, confidence) for one in each))
    write_csv(args.ranks, pl.concat(rank_rows(*one, confidence) for one in each))
    write_csv(args.words, pl.concat(word_rows(*one, confidence) for one in each))
    write_csv(args.layers, pl.concat(map(layers, args.states, pairs)))
    generations = pl.concat(GENERATION.read(path).select(COLUMNS) for path in args.generations)
    grades = pl.concat(GRADE.read(path) for path in args.grades)
    counts = counted(generations, grades, tuple(settings["markers"]))
    rows = [marker_rows(counts, pair.model, pair.base, settings["seed"]) for pair in pairs]
    write_csv(args.markers, table([row for those in rows for row in those]))


def layers(path: Path, pair: ShiftManifest) -> pl.DataFrame:
    """LAYERS of one pair: distances in units of the base's spread."""
    spread = pl.col("spread")
    frame = STATES.read(path).with_columns(
        model=pl.lit(pair.model),
        base=pl.lit(pair.base),
        prompts=pl.lit(pair.prompts, pl.Int64),
        shift=pl.col("distance") / spread,
        null=pl.col("null_distance") / spread,
        halves=pl.col("halves_distance") / spread,
    )
    return frame.select(pl.col(name).cast(kind) for name, kind in LAYERS.items())


def main() -> None:
    """Command line of rule `summarise_shift`."""
    inputs: dict[str, str] = dict.fromkeys(
        ("positions", "states", "manifests", "generations", "grades"), MANY
    )
    run(work, __doc__, inputs, ("kl", "ranks", "words", "layers", "markers"))


if __name__ == "__main__":
    main()

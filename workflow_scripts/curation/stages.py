"""How many rows each stage of the curation left, and which rule took most."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.tables.pool import DECISIONS

STAGES = ("quality", "decontamination", "difficulty")


@dataclass(frozen=True)
class Stage:
    """One filter's outcome: rows in, rows kept, rows per reason (largest first, without "kept")."""

    name: str
    entered: int
    kept: int
    dropped: tuple[tuple[str, int], ...]

    def line(self) -> str:
        """E.g. "quality kept 51,581 of 59,029 (most lost to no-solution: 519)"."""
        most = (
            f" (most lost to {self.dropped[0][0]}: {self.dropped[0][1]:,})" if self.dropped else ""
        )
        return f"{self.name} kept {self.kept:,} of {self.entered:,}{most}"


def stage(name: str, decisions: pl.DataFrame) -> Stage:
    """Count one decision table."""
    dropped = decisions.filter(~pl.col("keep")).group_by("reason").len()
    ordered = dropped.sort("len", "reason", descending=[True, False]).rows()
    return Stage(name, decisions.height, int(decisions["keep"].sum()), tuple(ordered))


def read_decisions(paths: dict[str, Path], pool_ids: pl.Series) -> dict[str, pl.DataFrame]:
    """The three decision tables, each on exactly the rows that the one before it kept.

    InputError when a table speaks about other rows: it was made from another pool.
    """
    tables = {}
    expected = pool_ids
    for name in STAGES:
        table = DECISIONS.read(paths[name])
        if not table["row_id"].sort().equals(expected.sort()):
            raise InputError(
                f"{paths[name]} does not decide on the rows that the stage before it kept: "
                "rebuild it from the same pool"
            )
        tables[name] = table
        expected = table.filter("keep")["row_id"]
    return tables

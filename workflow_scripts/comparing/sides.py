"""A study as `s1flow compare` reads it: a results folder, all of its models or one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.analysis.draws import per_question
from workflow_scripts.analysis.quality import ERROR, WARNING, Finding
from workflow_scripts.analysis.tables import OUTCOMES, POINTS, VOTING, file_hash, read_table
from workflow_scripts.common.artifacts import read_json
from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.common.tables.benchmark import BENCHMARK

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CELL = ["model", "dataset", "method", "budget"]
SHARE = 1e-6  # by which an accuracy may differ from the same one in points.csv


@dataclass(frozen=True)
class Asked:
    """A word of the command line, [NAME=]FOLDER[:MODEL].

    name   by which it is called; default: its letter
    model  the one that is compared; None: all
    """

    name: str
    folder: Path
    model: str | None


@dataclass(frozen=True)
class Side:
    """One study.

    points     of its cells (POINTS), for flags and titles
    outcomes   a row per generation (OUTCOMES)
    questions  a row per question, draws averaged or voted on, as `draws.per_question` gives them
    asked      benchmark tables by name, with the questions that were asked alone
    findings   what is wrong with the folder
    """

    name: str
    folder: Path
    models: tuple[str, ...]
    points: pl.DataFrame
    outcomes: pl.DataFrame
    questions: pl.DataFrame
    asked: dict[str, pl.DataFrame]
    findings: tuple[Finding, ...] = ()
    quality: dict[str, Any] = field(default_factory=dict)


def asked(words: Sequence[str]) -> list[Asked]:
    """The studies of a command line; UserError where one is named twice or a name is no name."""
    found = [_asked(word, LETTERS[i % len(LETTERS)]) for i, word in enumerate(words)]
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f"two studies are called '{twice}'; give each a name: NAME=FOLDER[:MODEL]")
    if len(found) < 2:
        raise UserError("name two results folders or more: s1flow compare A B")
    return found


def _asked(word: str, letter: str) -> Asked:
    named = re.fullmatch(r"(?:([\w.-]+)=)?(.+)", word)
    name, place = named.groups() if named else (None, word)
    folder, _, model = place.rpartition(":")
    if folder and not Path(place).exists():
        return Asked(name or letter, Path(folder), model)
    return Asked(name or letter, Path(place), None)


def read(one: Asked) -> Side:
    """A study from its folder. InputError names what lacks there, and how to make it."""
    if not one.folder.is_dir():
        raise InputError(f"{one.folder} is no folder; name the `results` of a study")
    tables = one.folder / "analysis"
    _whole(one.folder, tables)
    points = read_table(tables / "points.csv", POINTS)
    outcomes = OUTCOMES.read(tables / "outcomes.parquet")
    models = tuple(points["model"].unique(maintain_order=True))
    if one.model is not None and one.model not in models:
        raise UserError(
            f"{one.folder} has no results of a model '{one.model}' (there are: {', '.join(models)})"
        )
    models = (one.model,) if one.model else models
    points = points.filter(pl.col("model").is_in(list(models)))
    outcomes = outcomes.filter(pl.col("model").is_in(list(models)))
    outcomes = outcomes.join(points.select(CELL), on=CELL, how="semi")
    voting = points.filter(VOTING)["method"].unique()
    asked_again = per_question(outcomes, voting)
    _same_run(one.folder, points, asked_again)
    quality, findings = _quality(one, tables)
    return Side(
        one.name,
        one.folder,
        models,
        points,
        outcomes,
        asked_again,
        _benchmarks(one.folder, outcomes),
        findings,
        quality,
    )


def _whole(folder: Path, tables: Path) -> None:
    """InputError where a study is not finished, or the folder is none of a study."""
    lacking = [n for n in ("points.csv", "outcomes.parquet") if not (tables / n).exists()]
    if not lacking:
        return
    what = f"{folder} has no {' and no '.join(f'analysis/{name}' for name in lacking)}"
    if (folder / "study.json").exists() or (folder / "generations").exists():
        raise InputError(
            f"{what}: the study has not come that far; run it to its end (`snakemake report` "
            "with its config), then compare"
        )
    raise InputError(f"{what}: it is no results folder of a study (`results:` in its config)")


def _same_run(folder: Path, points: pl.DataFrame, questions: pl.DataFrame) -> None:
    """InputError where points and outcomes are not of one run: one of them is half-written."""
    again = questions.group_by(CELL).agg(again=pl.col("verdict").mean(), counted=pl.len())
    both = points.select(*CELL, "accuracy", "questions").join(again, on=CELL, how="full")
    odd = both.filter(
        pl.col("again").is_null()
        | pl.col("accuracy").is_null()
        | (pl.col("counted") != pl.col("questions"))
        | ((pl.col("again") - pl.col("accuracy")).abs() > SHARE)
    )
    if odd.height:
        row = odd.row(0, named=True)
        cell = "/".join(str(row[name] or row[f"{name}_right"]) for name in CELL)
        raise InputError(
            f"{folder}/analysis: points.csv and outcomes.parquet tell {odd.height} cells "
            f"differently ({cell}): they are of two runs, or one is half-written. Run the study "
            "again to its end"
        )


def _quality(one: Asked, tables: Path) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """What the study's own checks say of its tables, and what they did not know."""
    path = tables / "quality.json"
    if not path.exists():
        what = "no analysis/quality.json: nobody checked whether all cells were counted"
        return {}, (Finding("unchecked", WARNING, one.name, 0, what),)
    quality = read_json(path)
    found = []
    if quality["counted_cells"] < quality["expected_cells"]:
        gap = quality["expected_cells"] - quality["counted_cells"]
        what = f"{quality['counted_cells']} of {quality['expected_cells']} cells were counted"
        found.append(Finding("missing-cells", ERROR, one.name, gap, what))
    if quality.get("sha256", {}).get("points.csv") not in (None, file_hash(tables / "points.csv")):
        what = "points.csv is not as it was written: changed by hand"
        found.append(Finding("edited-by-hand", ERROR, one.name, 1, what))
    errors = [f for f in quality["findings"] if f["severity"] == ERROR]
    if errors:
        kinds = ", ".join(dict.fromkeys(f["kind"] for f in errors))
        what = f"errors that its own report names: {kinds}"
        found.append(Finding("own-errors", WARNING, one.name, len(errors), what))
    return quality, tuple(found)


def _benchmarks(folder: Path, outcomes: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The questions that were asked, by benchmark."""
    found = {}
    for name in outcomes["dataset"].unique().sort():
        path = folder / "benchmarks" / f"{name}.parquet"
        if not path.exists():
            raise InputError(
                f"{path} does not exist: without the questions' texts nobody knows which of them "
                "two studies share. Run the study again to its end"
            )
        ids = outcomes.filter(pl.col("dataset") == name).select("question_id").unique()
        found[name] = BENCHMARK.read(path).join(ids, on="question_id", how="semi")
        if found[name].height < ids.height:
            gap = ids.height - found[name].height
            raise InputError(f"{path} lacks {gap} questions that {folder} has results of")
    return found


def order(side: Side) -> list[str]:
    """Benchmarks of a study, in its own order."""
    return side.points["dataset"].unique(maintain_order=True).to_list()

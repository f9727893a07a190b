"""What the study cost, measured."""

from collections.abc import Sequence

import polars as pl

from workflow_scripts.analysis.study import CELL_KEY
from workflow_scripts.analysis.tables import VOTING
from workflow_scripts.common.tables.manifests import IMPORTED
from workflow_scripts.reporting.markdown import table
from workflow_scripts.reporting.naming import DASH, number
from workflow_scripts.reporting.study_results import Results

# Mean tokens a question that the model wrote itself, by cell.
WRITTEN = (
    pl.col("mean_total_tokens")
    - pl.col("mean_spliced_tokens")
    - pl.col("mean_answer_spliced_tokens")
)


def apart_tokens(points: pl.DataFrame, model: str, draws: pl.DataFrame) -> float:
    """Tokens that a model would write if every cell were generated on its own.

    draws  the table DRAWS of a study with several draws; a vote's tokens are those of all its draws
    """
    own = points.filter(pl.col("model") == model)
    own = own.join(draws.select(*CELL_KEY, "draws"), on=CELL_KEY, how="left")
    times = pl.when(VOTING).then(1).otherwise(pl.col("draws").fill_null(1))
    return float(own.select((WRITTEN * pl.col("questions") * times).sum()).item())


def units(results: Results, apart: bool) -> list[tuple[str, list[str]]]:
    """Titles and models of the lines of a table of costs.

    apart  whether models that differ in their training seed alone have a line each
    """
    families = {} if apart else results.families
    family_of = {model: name for name, own in families.items() for model in own}
    names = dict.fromkeys(family_of.get(model, model) for model in results.model_titles)
    titles = results.unit_titles
    return [
        (f"{titles[name]} ({len(families[name])} seeds)", families[name])
        if name in families
        else (titles[name], [name])
        for name in names
    ]


def engine_table(results: Results, apart: bool = False) -> str:
    """Decoding per model, or for all seeds of one training together.

    Its weights' digest, tokens, seconds on the clock and the rate in them (of shards the longest
    counts), device hours of all, and the saving of cutting one chain often.
    """
    rows = []
    for title, models in units(results, apart):
        own = [model for model in models if model in results.engines]
        if len(own) == 1:
            rows.append(_engine_row(results, own[0], title))
        elif own:
            rows.append(_summed_row(results, own, title))
    headers = (
        "model", "weights (SHA-256)", "engine", "tokens decoded", "decoded twice", "seconds",
        "tokens/s", "device hours", "tokens if every cell were generated alone", "saved",
    )  # fmt: skip
    return table(headers, rows, left=3)


def _engine_row(results: Results, model: str, title: str) -> list[str]:
    manifest = results.engines[model]
    took, spent = manifest.tokens, manifest.device_seconds
    if manifest.kind == IMPORTED:
        return [title, f"`{manifest.digest[:12]}` (files)", manifest.engine, *[DASH] * 7]
    apart = apart_tokens(results.points, model, results.drawn.draws)
    measured = took.decoded and took.wall
    split = f", {manifest.shards} shards" if manifest.shards > 1 else ""
    split += "; token counts inexact" if manifest.inexact else ""
    return [
        title,
        f"`{manifest.digest[:12]}`",
        manifest.engine + split,
        number(took.decoded, 0),
        number(took.decoded_twice, 0),
        number(took.wall),
        number(took.decoded / took.wall) if measured else DASH,
        number(spent / 3600, 3) if spent else DASH,
        number(apart, 0),
        f"{apart / took.decoded:.1f}×" if took.decoded else DASH,
    ]


def _summed_row(results: Results, models: Sequence[str], title: str) -> list[str]:
    """What all models of a family took; an engine's name stands for all that have it."""
    manifests = [results.engines[model] for model in models]
    took = [manifest.tokens for manifest in manifests]
    decoded, wall = sum(one.decoded for one in took), sum(one.wall for one in took)
    spent = sum(manifest.device_seconds or 0 for manifest in manifests)
    apart = sum(apart_tokens(results.points, model, results.drawn.draws) for model in models)
    return [
        title,
        DASH,
        "; ".join(dict.fromkeys(manifest.engine for manifest in manifests)),
        number(decoded, 0),
        number(sum(one.decoded_twice for one in took), 0),
        number(wall),
        number(decoded / wall) if wall else DASH,
        number(spent / 3600, 3) if spent else DASH,
        number(apart, 0),
        f"{apart / decoded:.1f}×" if decoded else DASH,
    ]


def training_table(results: Results, apart: bool = False) -> str:
    """Training per model, or for all seeds together; "" where nothing is trained.

    Steps of one run, tokens, time, utilisation, memory.
    """
    if not results.training:
        return ""
    trained = [
        (title, [m for m in own if m in results.training]) for title, own in units(results, apart)
    ]
    known = {model for _, own in trained for model in own}
    trained += [(model, [model]) for model in results.training if model not in known]
    rows = [_training_row(results, title, own) for title, own in trained if own]
    headers = (
        "model", "steps", "tokens", "seconds", "tokens/s", "MFU, %", "peak memory, MB",
        "device hours",
    )  # fmt: skip
    return table(headers, rows)


def _training_row(results: Results, title: str, models: Sequence[str]) -> list[str]:
    """Sums over the models; rate and utilisation are the mean of each, memory the highest."""
    manifests = [results.training[model] for model in models]
    took = [manifest.throughput for manifest in manifests]
    return [
        title,
        number(manifests[0].steps, 0),
        number(sum(one.tokens for one in took), 0),
        number(sum(one.step_seconds for one in took)),
        number(sum(one.tokens_per_second for one in took) / len(took), 0),
        number(100 * sum(one.mfu for one in took) / len(took)),
        number(max(one.peak_memory_mb for one in took), 0),
        number(sum(one.device_hours for one in took), 3),
    ]


def total_device_hours(results: Results, made: float = 0.0) -> float | None:
    """Device hours of all engines and trainings that were measured, and of traces made here."""
    engines = [(m.device_seconds or 0) / 3600 for m in results.engines.values()]
    trainings = [m.throughput.device_hours for m in results.training.values()]
    total = sum(engines) + sum(trainings) + made
    return total or None

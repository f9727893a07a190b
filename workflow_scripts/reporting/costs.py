"""What the study cost, measured."""

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


def engine_table(results: Results) -> str:
    """Decoding per model.

    Its weights' digest, tokens, seconds on the clock and the rate in them (of shards the longest
    counts), device hours of all, and the saving of cutting one chain often.
    """
    rows = [
        _engine_row(results, model, title)
        for model, title in results.model_titles.items()
        if model in results.engines
    ]
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


def training_table(results: Results) -> str:
    """Training per model: steps, tokens, time, utilisation, memory; "" where nothing is trained."""
    if not results.training:
        return ""
    rows = []
    for model, manifest in results.training.items():
        took = manifest.throughput
        rows.append(
            [
                results.model_titles.get(model, model),
                number(manifest.steps, 0),
                number(took.tokens, 0),
                number(took.step_seconds),
                number(took.tokens_per_second, 0),
                number(100 * took.mfu),
                number(took.peak_memory_mb, 0),
                number(took.device_hours, 3),
            ]
        )
    headers = (
        "model", "steps", "tokens", "seconds", "tokens/s", "MFU, %", "peak memory, MB",
        "device hours",
    )  # fmt: skip
    return table(headers, rows)


def total_device_hours(results: Results) -> float | None:
    """Device hours of all engines and trainings that were measured."""
    engines = [(m.device_seconds or 0) / 3600 for m in results.engines.values()]
    trainings = [m.throughput.device_hours for m in results.training.values()]
    total = sum(engines) + sum(trainings)
    return total or None

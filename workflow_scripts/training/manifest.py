"""What a training run did and what it cost: the manifest of the train rule."""

from typing import Any

import numpy as np
import polars as pl

from workflow_scripts.common.provenance import package_versions
from workflow_scripts.training.flops import CONVENTION
from workflow_scripts.training.launch import world_size
from workflow_scripts.training.loop import Run

PACKAGES = ("torch", "deepspeed", "transformers", "flash-attn", "triton", "safetensors")

CURVE_SCHEMA = {
    "step": pl.Int64,
    "epoch": pl.Float64,
    "loss": pl.Float64,
    "grad_norm": pl.Float64,
    "learning_rate": pl.Float64,
    "tokens": pl.Int64,
    "seconds": pl.Float64,
    "tokens_per_second": pl.Float64,
    "mfu": pl.Float64,
    "memory_mb": pl.Float64,
}


def curve_frame(curve: list[dict[str, Any]]) -> pl.DataFrame:
    """The log as a data frame, one row per step."""
    return pl.DataFrame(curve, schema=CURVE_SCHEMA, orient="row")


def throughput(run: Run, curve: pl.DataFrame) -> dict[str, Any]:
    """Tokens, seconds and rates of all steps, and of those after the first few (warm)."""
    warm = curve.slice(min(3, curve.height - 1))
    flops = float(run.shape.per_sample(run.store.lengths).sum()) * run.schedule.epochs
    seconds = float(warm["seconds"].sum())
    share = float((warm["mfu"] * warm["seconds"]).sum() / seconds)
    return {
        "tokens": int(curve["tokens"].sum()),
        "step_seconds": float(curve["seconds"].sum()),
        "tokens_per_second": float(warm["tokens"].sum() / seconds),
        "flops": flops,
        "mfu": share,
        "mfu_convention": CONVENTION,
        "peak_flops": run.peak.rate,
        "peak_source": run.peak.source,
        "peak_memory_mb": float(curve["memory_mb"].max()),
        "gpus": world_size() if run.device.type == "cuda" else 0,
        "device_hours": float(curve["seconds"].sum()) * world_size() / 3600,
    }


def loss_summary(curve: pl.DataFrame, steps_per_epoch: int) -> dict[str, Any]:
    """First and last loss, and the mean of every epoch."""
    losses = curve["loss"].to_numpy()
    epochs = np.split(losses, np.arange(steps_per_epoch, len(losses), steps_per_epoch))
    return {
        "first": float(losses[0]),
        "last": float(losses[-1]),
        "epoch_means": [float(part.mean()) for part in epochs],
    }


def movement_summary(moved: dict[str, float]) -> dict[str, Any]:
    """Smallest, median and largest change of a tensor, and all of them by name."""
    values = np.array(list(moved.values()))
    return {
        "tensors": len(moved),
        "smallest": float(values.min()),
        "median": float(np.median(values)),
        "largest": float(values.max()),
        "by_tensor": moved,
    }


def versions() -> dict[str, str]:
    """Versions of the packages that decide the result."""
    return package_versions(*PACKAGES)

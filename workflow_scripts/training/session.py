"""One fine-tuning run from start to finish: load, train or resume, save, verify."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.job import log, warn
from workflow_scripts.training import cpu_linear, export, manifest
from workflow_scripts.training.attention import Backend, choose
from workflow_scripts.training.checkpoints import Checkpoints, Saved
from workflow_scripts.training.compile_layers import should_compile
from workflow_scripts.training.deepspeed_config import deepspeed_config, zero_stage
from workflow_scripts.training.disk import NoRoom, Room
from workflow_scripts.training.engine import Engine, start_distributed
from workflow_scripts.training.identity import Record, identity, run_identity, trained_card
from workflow_scripts.training.launch import rank, world_size
from workflow_scripts.training.loop import Run, train_steps
from workflow_scripts.training.loss import SLAB_ROWS
from workflow_scripts.training.micro_batch import Packed, assemble, sample_weights
from workflow_scripts.training.model_card import ModelCard
from workflow_scripts.training.model_files import read_config
from workflow_scripts.training.packed_model import load
from workflow_scripts.training.preparation import ready_run
from workflow_scripts.training.recipe import TrainSettings
from workflow_scripts.training.schedule import MicroBatch
from workflow_scripts.training.stop_signal import StopSignal
from workflow_scripts.training.token_store import TokenStore

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


@dataclass(frozen=True)
class Outcome:
    """What the train rule writes."""

    card: ModelCard
    record: Record
    summary: str


def finetune(
    settings: TrainSettings, store: TokenStore, base: ModelCard, device_name: str, started: float
) -> Outcome | None:
    """Train `base` on `store`; the outcome on rank 0, None on the others.

    `started` is `time.perf_counter()` at the start of the job, for the total cost.
    """
    stop = StopSignal()
    stop.install()
    start_distributed(device_name)
    device, dtype = torch.device(device_name), DTYPES[settings.precision]
    if device_name == "cpu":
        torch.set_num_threads(max(1, settings.threads // world_size()))
    _check_vocabulary(store, base)
    backend, error = choose(settings.attention, device, dtype)
    run, saved = _prepare(settings, store, base, backend, device, dtype)
    curve: list[dict[str, Any]] = list(saved.curve) if saved else []
    if saved:
        run.checkpoints.load(run.engine, saved)
        log.info("going on after step %d of %d", saved.step, run.schedule.total)
    if rank() == 0 and run.checkpoint_every >= run.schedule.total:
        log.info(
            "checkpoint_every is %d and the run has %d steps: at most one early checkpoint is kept",
            *(run.checkpoint_every, run.schedule.total),
        )
    loaded = time.perf_counter()
    train_steps(run, saved.step if saved else 0, curve, stop)
    trained = time.perf_counter()
    facts = _save(settings, run, base, dtype)
    if settings.keep_optimizer:
        _keep_final(run, curve)
    if rank() != 0:
        return None
    seconds = {
        "load": loaded - started,
        "train": trained - loaded,
        "save": time.perf_counter() - trained,
        "total": time.perf_counter() - started,
    }
    facts |= {
        "attention": {"backend": backend.name, "relative_error": error},
        "resumed_at_step": saved.step if saved else None,
        "seconds": seconds,
    }
    outcome = _outcome(settings, run, base, manifest.curve_frame(curve), facts)
    outcome.record.write(Path(settings.weights))
    run.checkpoints.remove(keep_final=settings.keep_optimizer)  # not before the record is there
    return outcome


def _keep_final(run: Run, curve: list[dict[str, Any]]) -> None:
    """Keep the optimiser's states; the weights are on disk, so want of room is a warning."""
    try:
        run.checkpoints.keep_final(
            run.engine, run.schedule.total, run.plan.micro_batch_tokens, curve
        )
    except NoRoom as error:
        if rank() == 0:
            warn(f"training.keep_optimizer: {error}; the trained weights are complete")


def _prepare(
    settings: TrainSettings,
    store: TokenStore,
    base: ModelCard,
    backend: Backend,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Run, Saved | None]:
    compiled = should_compile(settings.compile, device.type, backend.name)
    config = deepspeed_config(settings, device.type, compiled)
    shared = run_identity(settings, store, base, device.type, world_size())
    checkpoints = Checkpoints(Room.of(settings, base.parameters, shared), shared)
    checkpoints.tidy_others()
    saved = checkpoints.find()
    partitioned = config if zero_stage(config) == 3 else None
    model = load(base.folder, backend, dtype, SLAB_ROWS, partitioned)
    if partitioned is None:
        model = model.to(device)
        if device.type == "cpu" and cpu_linear.available():
            cpu_linear.use_onednn(model)
    engine = Engine(model, config, settings.recipe.weight_decay)
    return ready_run(settings, store, engine, device, compiled, checkpoints, saved), saved


def _check_vocabulary(store: TokenStore, base: ModelCard) -> None:
    size, largest = read_config(base.folder).get("vocab_size"), int(store.ids.max())
    if size is not None and largest >= size:
        raise InputError(
            f"token id {largest} is outside the vocabulary of {base.name} ({size}); the set was "
            "tokenised for another model: run the tokenize rule again"
        )


def _save(settings: TrainSettings, run: Run, base: ModelCard, dtype: torch.dtype) -> dict[str, Any]:
    """Check that weights moved, save the model, and check that it computes the same."""
    folder = Path(settings.weights)
    moved = export.movement(run.engine, base.folder)
    export.save_model(run.engine, base.folder, folder)
    gap = export.logit_gap(run.engine, folder, _probe(run), run.device)
    if rank() == 0:
        export.check_saved(gap, dtype)
    return {"weights_moved": manifest.movement_summary(moved), "saved_logit_gap": gap}


def _probe(run: Run) -> Packed:
    """The shortest sample alone: what live and saved model are compared on."""
    shortest = int(np.argmin(run.store.lengths))
    weights = sample_weights(run.store, [shortest], run.recipe.loss)
    return assemble(run.store, MicroBatch((shortest,)), weights).to(run.device)


def _outcome(
    settings: TrainSettings,
    run: Run,
    base: ModelCard,
    curve: pl.DataFrame,
    facts: dict[str, Any],
) -> Outcome:
    card = trained_card(settings, base)
    rates = manifest.throughput(run, curve)
    written = {
        "model": settings.name,
        "digest": card.digest,
        "base": base.name,
        "base_digest": base.digest,
        "samples": len(run.store),
        "steps": run.schedule.total,
        "steps_per_epoch": run.schedule.steps_per_epoch,
        "micro_batch_tokens": run.plan.micro_batch_tokens,
        "compiled": hasattr(run.engine.module.layers[0], "compiled_forward"),
        "throughput": rates,
        "loss": manifest.loss_summary(curve, run.schedule.steps_per_epoch),
        **facts,
        "settings": settings.to_json(),
        "deepspeed": run.engine.config,
        "versions": manifest.versions(),
    }
    summary = (
        f"trained {settings.name}: {run.schedule.total} steps, {rates['tokens']:,} tokens at "
        f"{rates['tokens_per_second']:,.0f} tokens/s, MFU {rates['mfu']:.1%} (causal), loss "
        f"{written['loss']['first']:.4f} -> {written['loss']['last']:.4f}"
    )
    record = Record(identity(settings, run.store, base), card.digest, written, curve.write_csv())
    return Outcome(card, record, summary)

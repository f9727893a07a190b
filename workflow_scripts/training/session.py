"""One fine-tuning run from start to finish: load, train or resume, save, verify."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.job import log
from workflow_scripts.training import cpu_linear, export, manifest
from workflow_scripts.training.attention import Backend, choose
from workflow_scripts.training.checkpoints import Checkpoints, Saved
from workflow_scripts.training.compile_layers import compile_layers, should_compile
from workflow_scripts.training.deepspeed_config import deepspeed_config, zero_stage
from workflow_scripts.training.engine import Engine, start_distributed
from workflow_scripts.training.flops import device_peak, model_shape
from workflow_scripts.training.launch import rank, world_size
from workflow_scripts.training.loop import Run, train_steps
from workflow_scripts.training.loss import SLAB_ROWS
from workflow_scripts.training.memory_plan import (
    MemoryPlan,
    cpu_plan,
    gpu_plan,
    measure_token_bytes,
)
from workflow_scripts.training.micro_batch import Packed, assemble, sample_weights
from workflow_scripts.training.model_card import ModelCard
from workflow_scripts.training.model_files import describe, read_config
from workflow_scripts.training.packed_model import PackedModel, load
from workflow_scripts.training.recipe import TrainSettings
from workflow_scripts.training.schedule import MicroBatch, Schedule
from workflow_scripts.training.stop_signal import StopSignal
from workflow_scripts.training.token_store import TokenStore

LARGEST_WARM_PACK = 8192  # tokens; graphs of larger packs are the same
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


@dataclass(frozen=True)
class Outcome:
    """What the train rule writes."""

    card: ModelCard
    manifest: dict[str, Any]
    curve: pl.DataFrame
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
    run = _prepare(settings, store, base, backend, device, dtype)
    saved = run.checkpoints.find()
    curve: list[dict[str, Any]] = list(saved.curve) if saved else []
    if saved:
        run.checkpoints.load(run.engine, saved)
        log.info("going on after step %d of %d", saved.step, run.schedule.total)
    loaded = time.perf_counter()
    train_steps(run, saved.step if saved else 0, curve, stop)
    trained = time.perf_counter()
    facts = _save(settings, run, base, dtype)
    if not settings.keep_optimizer:
        run.checkpoints.remove()
    if rank() != 0:
        return None
    seconds = {
        "load": loaded - started,
        "train": trained - loaded,
        "save": time.perf_counter() - trained,
        "total": time.perf_counter() - started,
    }
    frame = manifest.curve_frame(curve)
    facts |= {
        "attention": {"backend": backend.name, "relative_error": error},
        "resumed_at_step": saved.step if saved else None,
        "seconds": seconds,
    }
    return _outcome(settings, run, base, frame, facts)


def _prepare(
    settings: TrainSettings,
    store: TokenStore,
    base: ModelCard,
    backend: Backend,
    device: torch.device,
    dtype: torch.dtype,
) -> Run:
    recipe = settings.recipe
    schedule = Schedule(len(store), recipe.batch_size, recipe.epochs, settings.seed)
    compiled = should_compile(settings.compile, device.type, backend.name)
    config = deepspeed_config(settings, device.type, compiled)
    checkpoints = Checkpoints(Path(settings.checkpoints), identity(settings, store, base, config))
    resumed = checkpoints.find()  # another run's is refused before anything is loaded
    partitioned = config if zero_stage(config) == 3 else None
    model = load(base.folder, backend, dtype, SLAB_ROWS, partitioned)
    if partitioned is None:
        model = model.to(device)
    shape = model_shape(model.causal_lm)
    if device.type == "cpu" and zero_stage(config) < 3 and cpu_linear.available():
        cpu_linear.use_onednn(model)
    engine = Engine(model, config, recipe.weight_decay)
    if compiled:
        compile_layers(engine.module)
    plan = memory_plan(settings, engine, device, compiled, resumed)
    prepare_lengths(engine, store, plan, device, compiled)
    return Run(
        engine=engine,
        store=store,
        schedule=schedule,
        recipe=recipe,
        plan=plan,
        shape=shape,
        peak=device_peak(device, dtype),
        device=device,
        checkpoints=checkpoints,
        checkpoint_every=settings.checkpoint_every,
    )


def prepare_lengths(
    engine: Engine, store: TokenStore, plan: MemoryPlan, device: torch.device, compiled: bool
) -> None:
    """Build what depends on lengths before the first step, not at first sight in the middle.

    Attention plans of every sample length, and the graphs of a compiled layer: the compiler makes
    another one for short packs, seconds during which all GPUs would wait. Packs of no weight, whose
    gradients are zero, go through the model for that.
    """
    model, lengths = engine.module, store.lengths
    config, dtype = model.causal_lm.config, next(model.parameters()).dtype
    recomputed = plan.recompute(max(plan.micro_batch_tokens, int(lengths.max()))) > 0
    model.backend.prepare(config, lengths, device, dtype, recomputed)
    tokens = float(lengths.min()) if compiled else float("inf")
    while tokens <= LARGEST_WARM_PACK:
        model.recompute = plan.recompute(int(tokens))
        engine.accumulate(_weightless(int(tokens), device), last=False)
        tokens *= 1.25
    if world_size() > 1:
        torch.distributed.barrier()  # or the first step would be charged with the slowest compiler


def memory_plan(
    settings: TrainSettings,
    engine: Engine,
    device: torch.device,
    compiled: bool,
    resumed: Saved | None,
) -> MemoryPlan:
    """The plan of this run; a resumed run keeps its number of tokens per micro-batch."""
    tokens = resumed.micro_batch_tokens if resumed else settings.micro_batch_tokens
    mode, config = settings.activation_checkpointing, engine.module.causal_lm.config
    if device.type == "cpu":
        return cpu_plan(tokens, config.num_hidden_layers, mode)
    measured = None if engine.stage == 3 else probe_token_bytes(engine.module, device)
    # A byte more per token is a byte less free: ranks agree on the smallest room.
    room = [engine.free_bytes(device), -(measured or 0.0)]
    agreed = torch.tensor(room, device=device, dtype=torch.float64)
    if world_size() > 1:
        torch.distributed.all_reduce(agreed, op=torch.distributed.ReduceOp.MIN)
    free, held = float(agreed[0]), -float(agreed[1])
    sizes = (SLAB_ROWS, free, held or None, world_size(), engine.gathered_bytes())
    return gpu_plan(tokens, mode, config, compiled, *sizes)


def probe_token_bytes(model: PackedModel, device: torch.device, tokens: int = 2048) -> float:
    """Activation bytes per token and layer of this model as it runs here (see memory_plan)."""
    model.recompute = 0
    batch = _weightless(tokens, device)
    return measure_token_bytes(lambda: model.hidden(batch), tokens, len(model.layers))


def _weightless(tokens: int, device: torch.device) -> Packed:
    """One sample of `tokens` tokens whose loss counts nothing."""
    ids = torch.zeros(tokens, dtype=torch.long, device=device)
    cu_seqlens = torch.tensor([0, tokens], dtype=torch.int32, device=device)
    rows = torch.arange(tokens, device=device)
    return Packed(ids, rows, (0, tokens), cu_seqlens, rows[:-1], ids[:-1], ids[:-1].float())


def identity(
    settings: TrainSettings, store: TokenStore, base: ModelCard, config: dict[str, Any]
) -> dict[str, Any]:
    """Everything that a checkpoint must share with the run that goes on from it."""
    recipe = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(settings.recipe).items()}
    return {
        "recipe": recipe,
        "seed": settings.seed,
        "precision": settings.precision,
        "micro_batch_tokens": settings.micro_batch_tokens,
        "processes": world_size(),
        "base": base.digest,
        "tokens": store.digest,
        "deepspeed": config,
    }


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
    card = ModelCard(
        name=settings.name,
        path=settings.weights,
        revision=None,
        trained=True,
        base=base.digest,
        **describe(Path(settings.weights)),
    )
    rates = manifest.throughput(run, curve)
    written = {
        "model": settings.name,
        "base": base.name,
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
    return Outcome(card, written, curve, summary)

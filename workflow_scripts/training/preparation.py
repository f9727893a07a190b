"""What is measured and built before the first step: memory per token, graphs and kernel plans."""

import torch

from workflow_scripts.training.checkpoints import Checkpoints, Saved
from workflow_scripts.training.compile_layers import compile_layers
from workflow_scripts.training.engine import Engine
from workflow_scripts.training.flops import device_peak, model_shape
from workflow_scripts.training.launch import world_size
from workflow_scripts.training.loop import Run
from workflow_scripts.training.memory_plan import (
    MemoryPlan,
    cpu_plan,
    gpu_plan,
    measure_token_bytes,
)
from workflow_scripts.training.micro_batch import Packed
from workflow_scripts.training.packed_model import PackedModel
from workflow_scripts.training.recipe import TrainSettings
from workflow_scripts.training.schedule import Schedule
from workflow_scripts.training.token_store import TokenStore

LARGEST_WARM_PACK = 8192  # tokens; graphs of larger packs are the same


def ready_run(
    settings: TrainSettings,
    store: TokenStore,
    engine: Engine,
    device: torch.device,
    compiled: bool,
    checkpoints: Checkpoints,
    resumed: Saved | None = None,
) -> Run:
    """A run whose next call is its first step.

    compiled  whether to compile the decoder layers
    resumed   the checkpoint that the caller is going to load
    """
    recipe, model = settings.recipe, engine.module
    if compiled:
        compile_layers(model)
    plan = memory_plan(settings, engine, device, compiled, resumed)
    prepare_lengths(engine, store, plan, device, compiled)
    return Run(
        engine=engine,
        store=store,
        schedule=Schedule(len(store), recipe.batch_size, recipe.epochs, settings.seed),
        recipe=recipe,
        plan=plan,
        shape=model_shape(model.causal_lm),
        peak=device_peak(device, next(model.parameters()).dtype),
        device=device,
        checkpoints=checkpoints,
        checkpoint_every=settings.checkpoint_every,
        parameters=sum(getattr(p, "ds_numel", p.numel()) for p in model.parameters()),
    )


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
    free, held = _agreed(engine.free_bytes(device), measured or 0.0, device)
    sizes = (engine.module.slab_rows, free, held or None)
    shared = (world_size(), engine.gathered_bytes())
    return gpu_plan(tokens, mode, config, compiled, *sizes, *shared)


def _agreed(free: float, held: float, device: torch.device) -> tuple[float, float]:
    """The smallest room and the largest bytes per token of any process: all plan alike."""
    if world_size() == 1:
        return free, held
    both = torch.tensor([free, -held], device=device, dtype=torch.float64)
    torch.distributed.all_reduce(both, op=torch.distributed.ReduceOp.MIN)
    return float(both[0]), -float(both[1])


def probe_token_bytes(model: PackedModel, device: torch.device, tokens: int = 2048) -> float:
    """Activation bytes per token and layer of this model as it runs here (see memory_plan)."""
    model.recompute = 0
    batch = _weightless(tokens, device)
    return measure_token_bytes(lambda: model.hidden(batch), tokens, len(model.layers))


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
    tokens = float(lengths.min())
    while compiled and tokens <= LARGEST_WARM_PACK:
        model.recompute = plan.recompute(int(tokens))
        engine.accumulate(_weightless(int(tokens), device), last=False)
        tokens *= 1.25
    if world_size() > 1:
        torch.distributed.barrier()  # or the first step would be charged with the slowest compiler


def _weightless(tokens: int, device: torch.device) -> Packed:
    """One sample of `tokens` tokens whose loss counts nothing."""
    ids = torch.zeros(tokens, dtype=torch.long, device=device)
    cu_seqlens = torch.tensor([0, tokens], dtype=torch.int32, device=device)
    rows = torch.arange(tokens, device=device)
    return Packed(ids, rows, (0, tokens), cu_seqlens, rows[:-1], ids[:-1], ids[:-1].float())

"""What a fine-tune will take: steps, tokens, time, memory and disk, before anything is loaded.

Time is FLOPs over the device's peak and a stated share of it (MFU); nothing is measured but a CPU's
matrix products. Memory is the plan that the run itself will make.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workflow_scripts.common.storage import free_bytes
from workflow_scripts.training.disk import Room
from workflow_scripts.training.flops import PEAKS, ModelShape, device_peak, model_shape
from workflow_scripts.training.loss import SLAB_ROWS
from workflow_scripts.training.memory_plan import CPU_TOKENS, MemoryPlan, gpu_plan
from workflow_scripts.training.needs import TrainingNeeds
from workflow_scripts.training.recipe import TrainSettings
from workflow_scripts.training.schedule import Schedule

GIB = 2**30
CONTEXT = 1.2e9  # bytes of a GPU that CUDA, NCCL and kernels take before any tensor
LIVE = 1e9  # parameters that ZeRO-3 keeps gathered, DeepSpeed's default
SUMS = 4e9  # bytes of its buckets of gradients
# Nobody's GPU is asked for: kinds that are common, with the memory that the driver shows, in bytes.
KINDS = {"A100 80GB": 85.0e9, "H100 80GB": 85.0e9, "H200 141GB": 150.1e9}
MFU_GPU = (
    0.40,
    0.53,
)  # one H100 or H200, 3B: 0.51 to 0.53; ZeRO-3 on four: 0.44 (docs/training.md)
MFU_CPU = (0.2, 0.6)  # of products of 768 rows; the demo: 0.33 on two busy cores
EFFICIENCY = {1: 1.0, 2: 0.975, 4: 0.915}  # measured on H200s; more GPUs have not been tried
UNTRIED = 0.85
RECOMPUTED = 1 / 3  # of a layer's arithmetic, once more

LENGTH_LOG_MEAN, LENGTH_LOG_SD, LENGTH_MAX = 8.4375, 0.19, 9109  # s1K under Qwen2.5's tokenizer


@dataclass(frozen=True)
class Lengths:
    """Tokens of every sample of a training set, and where the numbers are from."""

    tokens: np.ndarray
    source: str


@dataclass(frozen=True)
class Device:
    """A kind of device: FLOP/s, bytes, and the share of its peak that training reaches."""

    name: str
    peak: float
    memory: float
    mfu: tuple[float, float]


@dataclass(frozen=True)
class OnDevice:
    """What a run takes on one kind of device; memory is that of each."""

    name: str
    hours_low: float
    hours_high: float
    gpu_hours_low: float
    gpu_hours_high: float
    memory_gib: float
    of_gib: float
    pack_tokens: int
    recomputed: int
    fits: bool


@dataclass(frozen=True)
class TrainingForecast:
    """What a run takes; sizes in GiB."""

    parameters: int
    layers: int
    samples: int
    steps: int
    tokens: int
    longest: int
    lengths_from: str
    flops: float
    gpus: int
    mfu: tuple[float, float]
    devices: list[OnDevice]
    host_gib: float
    checkpoint_gib: float
    weights_gib: float
    disk_gib: float
    free_gib: float

    def as_facts(self) -> dict[str, Any]:
        """Names and numbers."""
        return asdict(self)


def assumed_lengths(count: int, longest: int) -> Lengths:
    """Lengths like s1K's (log-normal, mean 4,700, longest 9,109), none above `longest`."""
    rng = np.random.default_rng(0)
    drawn = np.exp(rng.normal(LENGTH_LOG_MEAN, LENGTH_LOG_SD, count)).astype(np.int64)
    drawn[-1] = LENGTH_MAX
    kept = np.minimum(drawn, min(LENGTH_MAX, longest))
    return Lengths(kept, f"assumed: {count:,} samples as long as s1K's, mean {kept.mean():,.0f}")


def causal_shape(folder: Path) -> tuple[Any, ModelShape, int]:
    """Configuration, FLOP shape and parameters of a model folder; only config.json is read."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return config, model_shape(model), sum(p.numel() for p in model.parameters())


def devices_here(gpus: int, threads: int) -> list[Device]:
    """The kind of GPU that is present, else the common kinds; for a job without GPUs this CPU.

    A CPU's products are measured on one thread: several would wait for each other where others
    work.
    """
    if gpus == 0:
        import psutil

        torch.set_num_threads(1)
        peak = device_peak(torch.device("cpu"), torch.float32).rate * min(
            threads, psutil.cpu_count(logical=False) or threads
        )
        return [Device("this CPU", peak, psutil.virtual_memory().total, MFU_CPU)]
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        memory = torch.cuda.get_device_properties(0).total_memory
        peak = device_peak(torch.device("cuda"), torch.bfloat16)
        return [Device(name, peak.rate, memory, MFU_GPU)]
    return [Device(name, PEAKS[name.split()[0]], size, MFU_GPU) for name, size in KINDS.items()]


def forecast(
    settings: TrainSettings,
    lengths: Lengths,
    config: Any,
    shape: ModelShape,
    parameters: int,
    devices: list[Device],
) -> TrainingForecast:
    """What a run of `settings` on samples of these lengths takes, on every kind of device."""
    recipe, tokens = settings.recipe, lengths.tokens
    steps = Schedule(len(tokens), recipe.batch_size, recipe.epochs, settings.seed).total
    needs = TrainingNeeds.of(parameters, settings.to_json(), settings.gpus)
    room = Room.of(settings, parameters)
    flops = float(shape.per_sample(tokens).sum()) * recipe.epochs
    return TrainingForecast(
        parameters=parameters,
        layers=shape.layers,
        samples=len(tokens),
        steps=steps,
        tokens=int(tokens.sum()) * recipe.epochs,
        longest=int(tokens.max()),
        lengths_from=lengths.source,
        flops=flops,
        gpus=settings.gpus,
        mfu=devices[0].mfu,
        devices=[on_device(d, settings, needs, tokens, flops, config) for d in devices],
        host_gib=round(needs.host / GIB, 1),
        checkpoint_gib=round(room.checkpoint / GIB, 3),
        weights_gib=round(room.exported / GIB, 3),
        disk_gib=round(max(2 * room.checkpoint, room.checkpoint + room.exported) / GIB, 3),
        free_gib=round(free_bytes(room.checkpoints) / GIB, 1),
    )


def on_device(
    device: Device,
    settings: TrainSettings,
    needs: TrainingNeeds,
    tokens: np.ndarray,
    flops: float,
    config: Any,
) -> OnDevice:
    """Time and memory of a run on `settings.gpus` devices of one kind."""
    count, longest = max(1, settings.gpus), int(tokens.max())
    plan, fixed = memory_plan(device, settings, needs, config)
    share = math.ceil(float(tokens.mean()) * settings.recipe.batch_size / count)
    pack = max(longest, min(plan.micro_batch_tokens, share))
    deep, depth = plan.recompute(pack), config.num_hidden_layers
    held = plan.pass_bytes + plan.token_bytes * (depth - deep) + plan.kept_bytes * deep
    least = fixed + longest * (plan.pass_bytes + plan.kept_bytes * depth)
    memory = fixed + pack * held if needs.on_gpu else needs.host
    rate = device.peak * count * EFFICIENCY.get(count, UNTRIED)
    seconds = flops * (1 + RECOMPUTED * deep / depth) / rate
    hours = [seconds / mfu / 3600 for mfu in (device.mfu[1], device.mfu[0])]
    gpus = count if needs.on_gpu else 0
    return OnDevice(
        device.name,
        *(round(hour, 4) for hour in hours),
        *(round(hour * gpus, 4) for hour in hours),
        memory_gib=round(memory / GIB, 1),
        of_gib=round(device.memory / GIB, 1),
        pack_tokens=pack,
        recomputed=deep,
        fits=(least if needs.on_gpu else memory) <= device.memory,
    )


def memory_plan(
    device: Device, settings: TrainSettings, needs: TrainingNeeds, config: Any
) -> tuple[MemoryPlan, float]:
    """The plan that the run will make, and the bytes that it takes whatever the pack."""
    depth = config.num_hidden_layers
    if not needs.on_gpu:
        asked = settings.micro_batch_tokens
        return MemoryPlan(CPU_TOKENS if asked == "auto" else int(asked), depth, "none"), 0.0
    taken = needs.device + CONTEXT
    gathered = 0.0
    if needs.stage == 3:
        gathered = 2 * (LIVE + config.vocab_size * config.hidden_size) + SUMS
    plan = gpu_plan(
        settings.micro_batch_tokens,
        settings.activation_checkpointing,
        config,
        settings.compile != "off",
        SLAB_ROWS,
        device.memory - taken,
        processes=needs.processes,
        gathered_bytes=gathered,
    )
    return plan, taken + plan.fixed_bytes

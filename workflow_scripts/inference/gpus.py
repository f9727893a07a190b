"""Choosing GPUs and spreading chains over them."""

import os
import subprocess
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.inference.engine import Engine

IDLE_MEMORY_MIB = 1024
IDLE_UTILISATION = 10


def idle_gpus(listing: str) -> list[int]:
    """Indices of GPUs that nobody uses, from nvidia-smi's CSV: index, MiB used, % busy."""
    found = []
    for line in listing.strip().splitlines():
        index, used, busy = (field.strip() for field in line.split(","))
        if int(used) < IDLE_MEMORY_MIB and int(busy or 0) < IDLE_UTILISATION:
            found.append(int(index))
    return found


def choose_gpus(count: int) -> list[str]:
    """GPUs for this job: those of CUDA_VISIBLE_DEVICES when set, else idle ones.

    UserError when there are none, or fewer than `count`. Nobody's process is touched.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        chosen = [name for name in given.split(",") if name.strip()]
        source = f"CUDA_VISIBLE_DEVICES={given}"
    else:
        chosen = [str(index) for index in idle_gpus(_listing())]
        source = "idle GPUs"
    if len(chosen) < count:
        raise UserError(
            f"inference.gpus x tensor_parallel asks for {count} GPU(s), {source} are "
            f"{len(chosen)}: {', '.join(chosen) or 'none'}; lower inference.gpus, free a GPU, or "
            "name the GPUs in CUDA_VISIBLE_DEVICES"
        )
    return chosen[:count]


def _listing() -> str:
    query = ["nvidia-smi", "--query-gpu=index,memory.used,utilization.gpu"]
    try:
        done = subprocess.run(
            [*query, "--format=csv,noheader,nounits"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(
            "inference.engine.device is gpu, but no NVIDIA GPU answers here "
            f"(nvidia-smi: {error}); use device: cpu with the CPU build of vLLM, or run on a GPU "
            "machine"
        ) from None
    return done.stdout


def vllm_engines(
    model: dict[str, Any], inference: dict[str, Any], vocabulary_size: int, seed: int
) -> Engine:
    """vLLM on the CPU, on one GPU group, or one engine per group with chains assigned whole."""
    from workflow_scripts.inference.vllm_engine import VllmEngine

    engine = inference["engine"]
    if engine["device"] == "cpu":
        return VllmEngine(model, inference, vocabulary_size, seed)
    parallel = engine.get("tensor_parallel", 1)
    gpus = choose_gpus(max(inference.get("gpus", 1), parallel))
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    groups = [gpus[i : i + parallel] for i in range(0, len(gpus) - parallel + 1, parallel)]
    if len(groups) == 1:
        return VllmEngine(model, inference, vocabulary_size, seed)
    from workflow_scripts.inference.spread import SpreadEngine, Worker

    work = (model, inference, vocabulary_size, seed)
    return SpreadEngine([Worker(VllmEngine, work, ",".join(group)) for group in groups])

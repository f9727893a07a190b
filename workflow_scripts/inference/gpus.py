"""Choosing GPUs, spreading chains over them, and reading how much of their memory is in use."""

import logging
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.inference.engine import Engine

log = logging.getLogger("s1flow")

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


def gpu_memory(listing: str, visible: str) -> dict[str, int]:
    """MiB in use by GPU index, from nvidia-smi's CSV: index, UUID, MiB used.

    visible  CUDA_VISIBLE_DEVICES: indices or UUIDs, also shortened ones. Other GPUs are left out,
             and so are those whose memory nvidia-smi does not know ("[N/A]").
    """
    names = [name.strip() for name in visible.split(",") if name.strip()]
    found = {}
    for line in listing.strip().splitlines():
        index, uuid, used = (field.strip() for field in line.split(","))
        ours = any(name == index or uuid.startswith(name) for name in names)
        if ours and used.isdigit():
            found[index] = int(used)
    return found


class MemoryPeak:
    """The most memory that was in use on this job's GPUs at any reading.

    nvidia-smi is asked because the engine holds its memory in other processes. Two readings tell
    the peak: vLLM takes its share when it starts, and torch gives nothing back that it took later.
    """

    def __init__(self, engine: Mapping[str, Any]) -> None:
        """engine  the config's section; only vLLM on GPUs of this machine is watched"""
        self._watched = engine["kind"] == "vllm" and engine["device"] == "gpu"
        self._peak: dict[str, int] = {}

    def read(self) -> None:
        """Take a reading; call it after the engine has started, which chooses the GPUs."""
        if not self._watched:
            return
        try:
            listing = _ask("index,uuid,memory.used")
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("nvidia-smi told no memory in use: %s", error)
            return
        for index, used in gpu_memory(listing, os.environ.get("CUDA_VISIBLE_DEVICES", "")).items():
            self._peak[index] = max(used, self._peak.get(index, 0))

    def as_facts(self) -> dict[str, Any] | None:
        """MiB: `per_gpu` by index, and `max`; None when nothing was read."""
        return {"per_gpu": self._peak, "max": max(self._peak.values())} if self._peak else None


def _listing() -> str:
    try:
        return _ask("index,memory.used,utilization.gpu")
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(
            "inference.engine.device is gpu, but no NVIDIA GPU answers here "
            f"(nvidia-smi: {error}); use device: cpu with the CPU build of vLLM, or run on a GPU "
            "machine"
        ) from None


def _ask(fields: str) -> str:
    """nvidia-smi's answer: a line per GPU, fields separated by commas.

    Raises OSError or subprocess.SubprocessError.
    """
    done = subprocess.run(
        ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
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

"""Processes of a training job: one per GPU, through DeepSpeed's launcher when there are several."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from types import FrameType

from workflow_scripts.common.errors import UserError


def prepare_environment(device: str) -> None:
    """Environment that DeepSpeed and torch read at import; call before importing either."""
    if device == "cpu":
        os.environ["DS_ACCELERATOR"] = "cpu"
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        # Spinning at barriers costs a factor of ten or more when other jobs want the cores.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def pick_device(wanted: str) -> str:
    """`cuda` or `cpu`; UserError when a GPU is asked for and none is there.

    For `cpu` torch is not imported: OpenMP reads its environment when torch loads it.
    """
    if wanted == "cpu":
        return "cpu"
    # Waiting threads give their core away. With busy waiting, the default, other processes on the
    # machine can slow a CPU run ten times. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch

    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        raise UserError("training.device is cuda, but torch sees no GPU; set device: cpu or auto")
    return "cuda" if present else "cpu"


def is_worker() -> bool:
    """Whether a launcher started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def rank() -> int:
    """Rank of this process, 0 without a launcher."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Number of processes, 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def launch(module: str, arguments: list[str], processes: int) -> None:
    """Run `python -m module arguments` in `processes` processes under DeepSpeed's launcher.

    SIGTERM and SIGINT are passed on, so that workers save a checkpoint first. UserError when they
    fail; their own message is in the log above.
    """
    world = base64.urlsafe_b64encode(json.dumps({"localhost": list(range(processes))}).encode())
    command = [
        *(sys.executable, "-m", "deepspeed.launcher.launch", "--quiet"),
        *(f"--world_info={world.decode()}", "--master_addr=127.0.0.1"),
        *(f"--master_port={_free_port()}", "--module", "--no_local_rank", module, *arguments),
    ]
    process = subprocess.Popen(command)

    def forward(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    previous = {n: signal.signal(n, forward) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        code = process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if code:
        raise UserError(f"training stopped in a worker (exit {code}); see its message above")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

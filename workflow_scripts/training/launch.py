"""Processes of a training job: one per GPU, through DeepSpeed's launcher when there are several."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from types import FrameType

from workflow_scripts.common.end_with_parent import end_with_parent
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.gpus import device_of, held


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


def pick_device(wanted: str, gpus: int = 1) -> str:
    """`cuda` or `cpu`; takes `gpus` GPUs, but for a worker, whose launcher gave it its GPUs.

    UserError when a GPU is asked for and none is there or free. For `cpu` torch is not imported:
    OpenMP reads its environment when torch loads it.
    """
    if wanted != "cpu":
        # Waiting threads give their core away. With busy waiting, the default, other processes on
        # the machine can slow a CPU run ten times. Read when torch is imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    return device_of(wanted, 0 if is_worker() else max(1, gpus), "training.gpus")


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

    They get the GPUs that this process took, and the launcher holds the locks too, should this
    process end first. SIGTERM and SIGINT reach the workers once, so that they save a checkpoint and
    stop. UserError when they fail; their own message is in the log above.
    """
    world = base64.urlsafe_b64encode(json.dumps({"localhost": devices(processes)}).encode())
    command = [
        *(sys.executable, "-m", "deepspeed.launcher.launch", "--quiet"),
        *(f"--world_info={world.decode()}", "--master_addr=127.0.0.1"),
        *(f"--master_port={_free_port()}", "--module", "--no_local_rank", module, *arguments),
    ]
    # Sessions apart: a signal to this process group (a cluster's, or Ctrl-C) would reach workers
    # twice, and the launcher gives each of them 30 seconds only, too short for a checkpoint.
    process = subprocess.Popen(
        command, start_new_session=True, preexec_fn=end_with_parent, pass_fds=held()
    )

    def forward(number: int, _: FrameType | None) -> None:
        import psutil

        for worker in psutil.Process(process.pid).children():
            worker.send_signal(number)

    previous = {n: signal.signal(n, forward) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        code = process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if code:
        raise UserError(f"training stopped in a worker (exit {code}); see its message above")


def devices(processes: int) -> list[int | str]:
    """GPUs of `processes` workers: names from CUDA_VISIBLE_DEVICES, else 0, 1, ...

    UserError when CUDA_VISIBLE_DEVICES names fewer.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None or os.environ.get("DS_ACCELERATOR") == "cpu":
        return list(range(processes))
    names = [name.strip() for name in given.split(",") if name.strip()]
    if len(names) < processes:
        raise UserError(
            f"training.gpus is {processes}, but CUDA_VISIBLE_DEVICES={given} names {len(names)}; "
            "lower training.gpus or name more GPUs"
        )
    return names[:processes]


def check_gpus(wanted: int) -> None:
    """UserError when torch sees fewer GPUs than a job is to use."""
    import torch

    present = torch.cuda.device_count()
    if present < wanted:
        raise UserError(
            f"training.gpus is {wanted}, but torch sees {present} GPU(s); lower training.gpus or "
            "run on a machine with more"
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

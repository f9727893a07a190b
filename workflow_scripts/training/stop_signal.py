"""Requests to save and stop, agreed on by all processes: a signal, or the end of a Slurm job.

A job that meets its time limit cannot wait for a signal: where Slurm tracks processes by cgroups,
as clusters do, SIGTERM reaches the first process of a job only, which is Snakemake and not the
training, and SIGKILL follows. So training asks Slurm when its job ends.
"""

import os
import re
import signal
import subprocess
import time
from types import FrameType

import torch
import torch.distributed as dist

from workflow_scripts.common.job import log
from workflow_scripts.training.launch import rank, world_size


class StopSignal:
    """Remembers the first SIGTERM or SIGINT, and when the job ends.

    The second signal ends the process as usual.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._ends: float | None = None

    def install(self) -> None:
        """Take over both signals in this process, and ask when its job ends."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        left = seconds_left() if rank() == 0 else None
        if left is not None:
            self._ends = time.monotonic() + left
            log.info("this Slurm job ends in %.0f s; training stops with a checkpoint before", left)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)

    def requested(self, device: torch.device, reserve: float) -> bool:
        """Whether any process was asked to stop; all processes get the same answer.

        reserve  seconds that another step and a checkpoint need: stop when the job has no more left
        """
        if self._ends is not None and not self.received and time.monotonic() > self._ends - reserve:
            self.received = "the end of the Slurm job's time"
        return any_process(self.received is not None, device)


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether `flag` is true on any process; every process must call this and all agree."""
    if world_size() == 1:
        return flag
    both = torch.tensor([flag], dtype=torch.int32, device=device)
    dist.all_reduce(both, op=dist.ReduceOp.MAX)
    return bool(both.item())


def seconds_left() -> float | None:
    """Seconds until Slurm ends this job; None outside a job, without limit or answer."""
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return None
    question = ["squeue", "--noheader", "--format=%L", f"--jobs={job}"]
    try:
        done = subprocess.run(question, check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("Slurm does not tell when job %s ends (%s); a limit may lose steps", job, error)
        return None
    return read_duration(done.stdout.strip())


def read_duration(text: str) -> float | None:
    """Seconds in squeue's `days-hours:minutes:seconds`; None for words such as UNLIMITED.

    Days and hours are left out where they are 0.
    """
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", text)
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds

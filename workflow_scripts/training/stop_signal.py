"""SIGTERM and SIGINT as a request to save and stop, agreed on by all processes."""

import signal
from types import FrameType

import torch
import torch.distributed as dist

from workflow_scripts.training.launch import world_size


class StopSignal:
    """Remembers the first SIGTERM or SIGINT; the second one ends the process as usual."""

    def __init__(self) -> None:
        self.received: str | None = None

    def install(self) -> None:
        """Take over both signals in this process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)

    def requested(self, device: torch.device) -> bool:
        """Whether any process was asked to stop; all processes get the same answer."""
        return any_process(self.received is not None, device)


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether `flag` is true on any process; every process must call this and all agree."""
    if world_size() == 1:
        return flag
    both = torch.tensor([flag], dtype=torch.int32, device=device)
    dist.all_reduce(both, op=dist.ReduceOp.MAX)
    return bool(both.item())

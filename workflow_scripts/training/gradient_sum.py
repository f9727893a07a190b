"""Sums float32 gradients over all processes while the last backward pass still runs.

DeepSpeed's BF16_Optimizer keeps a group's gradients in one flat buffer and sums it after the
backward pass: 12 GB for a 3B model, with nothing else to do meanwhile. Here slices of the same
buffer go out as soon as their parameters are done.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

# Elements of one sum, 400 MB: long enough to be efficient, short enough to hide.
BUCKET = 100_000_000


@dataclass
class Bucket:
    """A slice of a flat buffer and its parameters that are not done yet."""

    part: torch.Tensor
    members: frozenset[tuple[int, int]]
    missing: set[tuple[int, int]]


class GradientSum:
    """Buckets of an optimizer's gradients, summed in the same order on every process.

    Parameters finish from the last to the first, so buckets run from the end of each buffer. One is
    sent when it and all before it are done: the order does not depend on a process's timing.
    """

    def __init__(self, optimizer: Any, elements: int = BUCKET) -> None:
        self.buckets = [
            bucket
            for group, pieces in enumerate(optimizer.fp32_groups_gradients)
            for bucket in slices(
                group,
                [len(x) for x in pieces],
                optimizer.fp32_groups_gradients_flat[group],
                elements,
            )
        ]
        self._home = {member: bucket for bucket in self.buckets for member in bucket.members}
        self._sent = 0
        self._handles: list[Any] = []

    def done(self, group: int, index: int) -> None:
        """The gradient of a parameter is whole: the last micro-batch has added its share."""
        self._home[group, index].missing.discard((group, index))
        while self._sent < len(self.buckets) and not self.buckets[self._sent].missing:
            self._send()

    def finish(self) -> None:
        """Send what is left (parameters without a gradient), wait, and be ready for a new step."""
        while self._sent < len(self.buckets):
            self._send()
        for handle in self._handles:
            handle.wait()
        self._sent, self._handles = 0, []
        for bucket in self.buckets:
            bucket.missing = set(bucket.members)

    def _send(self) -> None:
        self._handles.append(dist.all_reduce(self.buckets[self._sent].part, async_op=True))
        self._sent += 1


def slices(group: int, lengths: list[int], flat: torch.Tensor, elements: int) -> list[Bucket]:
    """Buckets of about `elements` of one flat buffer, from its end; whole parameters only.

    Padding behind the last parameter is left out.
    """
    buckets, stop = [], sum(lengths)
    members: set[tuple[int, int]] = set()
    start = stop
    for index in reversed(range(len(lengths))):
        start -= lengths[index]
        members.add((group, index))
        if stop - start >= elements or index == 0:
            buckets.append(Bucket(flat[start:stop], frozenset(members), set(members)))
            members, stop = set(), start
    return buckets

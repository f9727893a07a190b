"""Which samples form which step, and how a step's samples are packed into micro-batches.

Everything here is a pure function of seed, lengths and counts, so every process computes the same
plan and a resumed run continues it.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MicroBatch:
    """Samples of one forward pass. A `filler` takes part with weight 0 (see `share`)."""

    samples: tuple[int, ...]
    filler: bool = False


@dataclass(frozen=True)
class Schedule:
    """Data order of a run: `epochs` shuffles of `count` samples, `batch_size` per step.

    The last step of an epoch holds what is left, so every sample is seen exactly once per epoch:
    1,000 samples at 16 per step are 63 steps per epoch, 315 in five, as in s1. Without `shuffle`
    every epoch has the samples in their own order.
    """

    count: int
    batch_size: int
    epochs: int
    seed: int
    shuffle: bool = True

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps per epoch."""
        return math.ceil(self.count / self.batch_size)

    @property
    def total(self) -> int:
        """Optimiser steps of the run."""
        return self.steps_per_epoch * self.epochs

    def step(self, index: int) -> list[int]:
        """Samples of optimiser step `index` (from 0), in the order of its epoch."""
        epoch, place = divmod(index, self.steps_per_epoch)
        order = np.arange(self.count)
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
        return order[place * self.batch_size : (place + 1) * self.batch_size].tolist()


def pack(samples: list[int], lengths: np.ndarray, capacity: int) -> list[MicroBatch]:
    """First-fit decreasing: whole samples into micro-batches of at most `capacity` tokens.

    A sample longer than `capacity` gets a micro-batch of its own; none is cut. Ties in length go
    by sample number, so the result does not depend on the order of `samples`.
    """
    bins: list[list[int]] = []
    room: list[int] = []
    for sample in sorted(samples, key=lambda s: (-int(lengths[s]), s)):
        need = int(lengths[sample])
        place = next((i for i, free in enumerate(room) if free >= need), None)
        if place is None:
            bins.append([sample])
            room.append(max(0, capacity - need))
        else:
            bins[place].append(sample)
            room[place] -= need
    return [MicroBatch(tuple(members)) for members in bins]


def balance(samples: list[int], costs: np.ndarray, ranks: int) -> list[list[int]]:
    """Samples per rank.

    The most expensive first to the least loaded rank (ties: lowest rank), then exchanged as long
    as that lowers the largest load.
    """
    shares: list[list[int]] = [[] for _ in range(ranks)]
    loads = [0.0] * ranks
    for sample in sorted(samples, key=lambda s: (-float(costs[s]), s)):
        rank = min(range(ranks), key=lambda r: (loads[r], r))
        shares[rank].append(sample)
        loads[rank] += float(costs[sample])
    while exchange := _best_exchange(shares, loads, costs):
        shares[exchange.donor].remove(exchange.given)
        shares[exchange.taker].append(exchange.given)
        if exchange.returned is not None:
            shares[exchange.taker].remove(exchange.returned)
            shares[exchange.donor].append(exchange.returned)
        loads[exchange.donor] -= exchange.moved
        loads[exchange.taker] += exchange.moved
    return shares


@dataclass(frozen=True)
class _Exchange:
    """Ranks that exchange samples, the samples (none may come back), and the cost that moves."""

    donor: int
    taker: int
    given: int
    returned: int | None
    moved: float


def _best_exchange(
    shares: list[list[int]], loads: list[float], costs: np.ndarray
) -> _Exchange | None:
    """The move or swap out of the most loaded rank that leaves the smaller of both loads' maximum.

    None when nothing helps.
    """
    donor = max(range(len(loads)), key=lambda r: (loads[r], -r))
    best, lowest = None, loads[donor] * (1 - 1e-9)
    for taker in range(len(loads)):
        for given in shares[donor] if taker != donor else ():
            for returned in (None, *shares[taker]):
                moved = float(costs[given]) - (0.0 if returned is None else float(costs[returned]))
                peak = max(loads[donor] - moved, loads[taker] + moved)
                if peak < lowest:
                    best, lowest = _Exchange(donor, taker, given, returned, moved), peak
    return best


def share(
    samples: list[int], lengths: np.ndarray, costs: np.ndarray, capacity: int, ranks: int
) -> list[list[MicroBatch]]:
    """Micro-batches of one step for every rank, the same number on each.

    ZeRO gathers and reduces inside each forward and backward pass, so ranks must run equally many.
    A rank with fewer splits a micro-batch of several samples; where only single samples are left it
    repeats the step's shortest sample with weight 0.
    """
    packed = [pack(part, lengths, capacity) for part in balance(samples, costs, ranks)]
    most = max(len(batches) for batches in packed)
    shortest = min(samples, key=lambda s: (int(lengths[s]), s))
    return [_extend(batches, most, shortest) for batches in packed]


def _extend(batches: list[MicroBatch], count: int, shortest: int) -> list[MicroBatch]:
    while len(batches) < count:
        widest = max(batches, key=lambda batch: len(batch.samples), default=MicroBatch(()))
        if len(widest.samples) < 2:
            batches = [*batches, MicroBatch((shortest,), filler=True)]
            continue
        place = batches.index(widest)
        half = len(widest.samples) // 2
        parts = [MicroBatch(widest.samples[:half]), MicroBatch(widest.samples[half:])]
        batches = [*batches[:place], *parts, *batches[place + 1 :]]
    return batches

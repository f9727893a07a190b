"""Bytes that a fine-tuning run needs on disk, on its devices and on the host, by arithmetic.

Nothing is loaded for it, torch neither, so that a workflow can ask while it plans. Bytes per
parameter are DeepSpeed's, measured on a CPU with 3M and 185M parameters (docs/training.md).
"""

from dataclasses import dataclass
from typing import Any

ADAM = 8  # two float32 numbers
MASTER = 4  # the weights in float32
SUMS = 4  # gradients of a step in float32
WEIGHT = {"bf16": 2, "fp32": 4}
BUCKET = 2 * 5e8 * 4  # ZeRO-2 and 3: two buckets of gradients, DeepSpeed's default size, in float32

GPU_PROCESS = 6e9  # host memory of a process with torch, CUDA and the compiler's workers
CPU_PROCESS = 3e9  # with packs of 4,096 tokens of a small model
LIVE_ON_CPU = 20  # bytes per parameter: weights, gradients, sums or master weights, Adam
LIVE_ON_CPU_PARTITIONED = 26  # under ZeRO-3


@dataclass(frozen=True)
class TrainingNeeds:
    """Sizes of a run; every property is in bytes.

    parameters  of the model, tied ones once
    precision   bf16 | fp32
    stage       ZeRO stage
    processes   of the job, one per GPU
    offloaded   where the optimiser's states are kept on the host
    """

    parameters: int
    precision: str = "bf16"
    stage: int = 1
    processes: int = 1
    on_gpu: bool = True
    offloaded: bool = False

    @classmethod
    def of(cls, parameters: int, training: dict[str, Any], processes: int) -> "TrainingNeeds":
        """Needs of a run with the keys `precision` and `deepspeed` of the config's `training`.

        processes  GPUs, or 0 for a CPU
        """
        zero = (training.get("deepspeed") or {}).get("zero_optimization", {})
        return cls(
            parameters,
            training.get("precision", "bf16"),
            int(zero.get("stage", 1)),
            max(1, processes),
            processes > 0,
            "offload_optimizer" in zero,
        )

    @property
    def weights(self) -> int:
        """The model, in memory or as exported."""
        return self.parameters * WEIGHT[self.precision]

    @property
    def optimizer_file(self) -> int:
        """What all processes together write of the optimiser: master weights and Adam's states.

        Without ZeRO, in float32, the weights are their own master.
        """
        return self.parameters * (ADAM if self.stage == 0 else MASTER + ADAM)

    @property
    def checkpoint(self) -> int:
        """A resumable state. ZeRO-3 writes no weights beside the master weights."""
        return self.optimizer_file + (0 if self.stage == 3 else self.weights)

    @property
    def device(self) -> float:
        """Of one GPU: weights, gradient sums, master weights and Adam's states."""
        weights, states = float(self.weights), float(self.optimizer_file)
        if self.stage == 3:
            weights /= self.processes
        sums = self.parameters * SUMS
        if self.stage >= 2:
            sums = sums / self.processes + BUCKET
        return weights + sums + (0 if self.offloaded else states / self.processes)

    @property
    def host(self) -> float:
        """Of the whole job: the larger of loading the model and of reading a checkpoint back.

        Below ZeRO-3 every process loads the whole model. At a resume, DeepSpeed reads each
        process's part of the optimiser's file into host memory before it copies it to the device.
        """
        if not self.on_gpu:
            live = LIVE_ON_CPU_PARTITIONED if self.stage == 3 else LIVE_ON_CPU
            return CPU_PROCESS + self.parameters * live + self.optimizer_file
        copies = 0 if self.stage == 3 else self.processes
        kept = self.optimizer_file + self.parameters * SUMS if self.offloaded else 0
        passing = max(copies * self.weights, self.optimizer_file)
        return self.processes * GPU_PROCESS + kept + passing

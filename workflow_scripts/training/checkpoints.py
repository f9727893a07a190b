"""Resumable state of a run, in a folder outside the rule's declared outputs.

One checkpoint is kept. A new one is written beside it under a temporary name, and replaces it only
when it is complete, so a full disk or a kill in the middle leaves the previous one valid.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.distributed as dist

from workflow_scripts.common.artifacts import read_json, write_json
from workflow_scripts.common.errors import ConfigError, UserError
from workflow_scripts.common.job import log
from workflow_scripts.training.engine import Engine
from workflow_scripts.training.launch import rank

STATE = "state.json"
PART = ".part"


@dataclass(frozen=True)
class Saved:
    """What a checkpoint says of itself: steps done, the log so far, and the run's identity."""

    step: int
    tag: str
    micro_batch_tokens: int
    identity: dict[str, Any]
    curve: list[dict[str, Any]]


class Checkpoints:
    """Checkpoints of one run. `identity` is everything that decides the trained weights."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder, self.identity = folder, identity

    def find(self) -> Saved | None:
        """The checkpoint to go on from, or None. ConfigError when it is of another run."""
        if not (self.folder / STATE).is_file():
            return None
        saved = Saved(**read_json(self.folder / STATE))
        if not (self.folder / saved.tag).is_dir():
            raise UserError(f"{self.folder}: {saved.tag} is gone; delete the folder to start over")
        changes = differences(saved.identity, self.identity)
        if changes:
            listed = "\n  ".join(changes)
            raise ConfigError(
                f"{self.folder} holds step {saved.step} of a run with other settings:\n  {listed}\n"
                "Restore them to finish that run, or delete the folder to start over"
            )
        return saved

    def load(self, engine: Engine, saved: Saved) -> None:
        """Put weights, master weights and optimiser states back."""
        found, _ = engine.deepspeed.load_checkpoint(str(self.folder), tag=saved.tag)
        if found is None:
            raise UserError(f"{self.folder}/{saved.tag} does not load; delete it to start over")

    def save(
        self, engine: Engine, step: int, micro_batch_tokens: int, curve: list[dict[str, Any]]
    ) -> None:
        """Write the state after `step` steps; every process must call this.

        UserError when it cannot be written; the previous checkpoint then stays as it was.
        """
        tag = f"step-{step:06d}"
        part = self.folder / (tag + PART)
        self._clear(lambda name: name.endswith(PART))
        try:
            engine.deepspeed.save_checkpoint(str(self.folder), tag=part.name, save_latest=False)
        except (OSError, RuntimeError) as error:
            shutil.rmtree(part, ignore_errors=True)
            raise UserError(
                f"cannot write the checkpoint of step {step} to {self.folder} ({error}). Make room "
                "and run again: the previous checkpoint is intact and the run goes on from it"
            ) from error
        dist.barrier()
        if rank() == 0:
            shutil.rmtree(self.folder / tag, ignore_errors=True)
            part.rename(self.folder / tag)
            saved = Saved(step, tag, micro_batch_tokens, self.identity, curve)
            write_json(self.folder / STATE, saved.__dict__)
        self._clear(lambda name: name.startswith("step-") and name != tag)
        log.info("checkpoint of step %d in %s", step, self.folder)

    def remove(self) -> None:
        """Delete everything: the run has succeeded."""
        if rank() == 0:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _clear(self, which: Any) -> None:
        if rank() == 0 and self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.is_dir() and which(path.name):
                    shutil.rmtree(path, ignore_errors=True)
        dist.barrier()


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """`key: old -> new` for every leaf that differs, in sorted order."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        a, b, name = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(a, dict) and isinstance(b, dict):
            lines += differences(a, b, f"{name}.")
        elif a != b:
            lines.append(f"{name}: {a!r} in the checkpoint, {b!r} now")
    return lines

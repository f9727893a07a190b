"""Resumable state of a run, in a folder outside the rule's declared outputs.

Every identity of a run (data, base, recipe, numerics, code, number of processes) has a folder of
its own, so a checkpoint is never taken over by another run. In it one checkpoint is kept. A new one
is written beside it under a temporary name, and replaces it only when it is complete, so a full
disk or a kill in the middle leaves the previous one valid.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.distributed as dist

from workflow_scripts.common.artifacts import read_json, write_json
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.job import log
from workflow_scripts.common.provenance import digest
from workflow_scripts.training.engine import Engine
from workflow_scripts.training.identity import differences
from workflow_scripts.training.launch import rank

STATE = "state.json"
FINAL, FINAL_STATE = "final", "final.json"  # of a finished run, on request; never resumed from
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
    """Checkpoints of one run: `identity` is all that it must share with the run that goes on."""

    def __init__(self, root: Path, identity: dict[str, Any]) -> None:
        self.root, self.folder, self.identity = root, root / digest(identity), identity

    def find(self) -> Saved | None:
        """The checkpoint to go on from, or None."""
        if not (self.folder / STATE).is_file():
            return None
        saved = Saved(**read_json(self.folder / STATE))
        if not (self.folder / saved.tag).is_dir():
            raise UserError(f"{self.folder}: {saved.tag} is gone; delete the folder to start over")
        return saved

    def tidy_others(self) -> None:
        """Say which checkpoints of other runs lie beside this one's, and keep the newest alone.

        It stays until a run succeeds, so that settings which are put back are not trained anew.
        """
        if rank() != 0:
            return
        others = [path for path in self._others() if (path / STATE).is_file()]
        others.sort(key=lambda path: (path / STATE).stat().st_mtime)
        for path in others[:-1]:
            log.info("removing %s, an older checkpoint of other settings", path)
            shutil.rmtree(path, ignore_errors=True)
        for path in others[-1:]:
            saved = Saved(**read_json(path / STATE))
            changes = differences(saved.identity, self.identity, where="in the checkpoint")
            log.info(
                "%s holds step %d of a run with other settings, which this run does not go on "
                "from; it is removed when a run succeeds:\n  %s",
                *(path, saved.step, "\n  ".join(changes)),
            )

    def _others(self) -> list[Path]:
        found = self.root.iterdir() if self.root.is_dir() else ()
        return [path for path in found if path.is_dir() and path != self.folder]

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
        self._write(engine, Saved(step, tag, micro_batch_tokens, self.identity, curve), STATE)
        self._clear(lambda name: name.startswith("step-") and name != tag)
        log.info("checkpoint of step %d in %s", step, self.folder)

    def keep_final(
        self, engine: Engine, step: int, micro_batch_tokens: int, curve: list[dict[str, Any]]
    ) -> None:
        """Write the state of the finished run as `final`; every process must call this."""
        saved = Saved(step, FINAL, micro_batch_tokens, self.identity, curve)
        self._write(engine, saved, FINAL_STATE)
        log.info("optimiser states of the finished run in %s", self.folder / FINAL)

    def _write(self, engine: Engine, saved: Saved, state: str) -> None:
        step, tag = saved.step, saved.tag
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
            write_json(self.folder / state, saved.__dict__)

    def remove(self, keep_final: bool) -> None:
        """Delete everything, of other settings too, but `final`: the run has succeeded."""
        if rank() != 0:
            return
        for path in self._others():
            log.info("removing %s, a checkpoint of other settings: this run has succeeded", path)
        if not keep_final:
            shutil.rmtree(self.root, ignore_errors=True)
            return
        (self.folder / STATE).unlink(missing_ok=True)  # first: no state without its checkpoint
        for path in [*self._others(), *self.folder.glob("step-*")]:
            shutil.rmtree(path, ignore_errors=True)

    def _clear(self, which: Any) -> None:
        if rank() == 0 and self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.is_dir() and which(path.name):
                    shutil.rmtree(path, ignore_errors=True)
        dist.barrier()

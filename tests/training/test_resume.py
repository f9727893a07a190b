"""Runs that are killed, stopped or hindered end in the same weights, bit for bit."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.training.checkpoints import differences


def codes(runs: Path) -> dict[str, int]:
    return json.loads((runs / "codes.json").read_text())


def weights(runs: Path, name: str) -> str:
    return hashlib.sha256((runs / name / "weights" / "model.safetensors").read_bytes()).hexdigest()


def curve(runs: Path, name: str) -> list[Any]:
    """What a run logged, without timings."""
    columns = ["step", "epoch", "loss", "grad_norm", "learning_rate", "tokens"]
    return pl.read_csv(runs / name / "log.csv").select(columns).rows()


def test_kill_9_resumes_to_the_same_bits(runs: Path) -> None:
    assert codes(runs)["killed"] == -9 and codes(runs)["killed-resumed"] == 0
    assert json.loads((runs / "after-kill.json").read_text())["step"] == 4
    assert weights(runs, "kill") == weights(runs, "whole")
    assert curve(runs, "kill") == curve(runs, "whole")


def test_sigterm_saves_at_once_and_resumes_to_the_same_bits(runs: Path) -> None:
    assert codes(runs)["stopped"] == 1
    assert json.loads((runs / "after-stop.json").read_text())["step"] == 3
    assert "stopped by SIGTERM after step 3 of 6" in (runs / "stopped.log").read_text()
    assert codes(runs)["stopped-resumed"] == 0
    assert weights(runs, "stop") == weights(runs, "whole")
    assert json.loads((runs / "stop" / "manifest.json").read_text())["resumed_at_step"] == 3


def test_another_recipe_does_not_take_over_a_checkpoint(runs: Path) -> None:
    log = (runs / "other.log").read_text()
    assert codes(runs)["other"] == 1
    assert "recipe.learning_rate: 0.01 in the checkpoint, 0.5 now" in log
    assert "Traceback" not in log


def test_kill_in_the_middle_of_a_save_leaves_the_previous_checkpoint(runs: Path) -> None:
    assert codes(runs)["torn"] == -9 and codes(runs)["torn-resumed"] == 0
    assert "going on after step 2 of 6" in (runs / "torn-resumed.log").read_text()
    assert weights(runs, "torn") == weights(runs, "whole")


def test_full_disk_leaves_the_previous_checkpoint(runs: Path) -> None:
    log = (runs / "full-disk.log").read_text()
    assert codes(runs)["full-disk"] == 1
    assert "cannot write the checkpoint of step 4" in log and "No space left" in log
    assert "going on after step 2 of 6" in (runs / "full-disk-resumed.log").read_text()
    assert weights(runs, "disk") == weights(runs, "whole")


def test_bf16_with_fp32_master_weights_resumes_to_the_same_bits(runs: Path) -> None:
    assert codes(runs)["bf16-killed"] == -9
    assert weights(runs, "bf16k") == weights(runs, "bf16") != weights(runs, "whole")


def test_nan_stops_the_run_and_names_the_samples(runs: Path) -> None:
    assert codes(runs)["nan"] == 1
    found = json.loads((runs / "nan" / "ck" / "not-finite.json").read_text())
    assert found["step"] == 4 and found["reason"] == "the loss is nan"
    assert len(found["row_ids"]) == 4 and set(found["row_ids"]) <= {f"r{i:03d}" for i in range(10)}
    assert not (runs / "nan" / "model.json").exists()


def test_out_of_memory_names_the_settings_that_fit(runs: Path) -> None:
    assert codes(runs)["memory"] == codes(runs)["memory-all"] == 1
    log = (runs / "memory.log").read_text()
    longest = int(re.search(r"longest: (\d+)", log)[1])
    advised = int(re.search(r"training.micro_batch_tokens: (\d+)", log)[1])
    assert "with 0 of 2 layers recomputed" in log and "activation_checkpointing: all" in log
    assert longest <= advised < 200 and "Traceback" not in log
    log = (runs / "memory-all.log").read_text()
    assert "although every layer is recomputed" in log and "stage: 3" in log


def test_success_removes_optimiser_states_unless_kept(runs: Path) -> None:
    assert not (runs / "whole" / "ck").exists()
    kept = json.loads((runs / "stop" / "ck" / "state.json").read_text())
    assert [path.name for path in (runs / "stop" / "ck").iterdir() if path.is_dir()] == [
        kept["tag"]
    ]


def test_differences_name_every_leaf() -> None:
    old = {"a": 1, "b": {"c": 2, "d": 3}, "gone": 1}
    new = {"a": 1, "b": {"c": 5, "d": 3}, "fresh": 2}
    assert differences(old, new) == [
        "b.c: 2 in the checkpoint, 5 now",
        "fresh: None in the checkpoint, 2 now",
        "gone: 1 in the checkpoint, None now",
    ]

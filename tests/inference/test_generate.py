"""The generate job as a process: complete runs, kills, a second run beside it, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.inference import world
from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.inference import cut, engines, generate
from workflow_scripts.inference.engines import explained
from workflow_scripts.inference.scripted import ScriptedEngine
from workflow_scripts.inference.store import COUNTER_AT, Store
from workflow_scripts.training.model_card import read_card, write_card

ROOT = Path(__file__).resolve().parents[2]


class Study:
    """A folder with a model, a benchmark and settings, and its two rules."""

    def __init__(self, folder: Path, model: Path, **more: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.model = folder, model
        self.benchmark = world.write_benchmark(folder / "toy.parquet", 10)
        self.settings = world.settings(folder, **more)
        self.manifest = folder / "manifest.json"

    def start(self) -> subprocess.Popen[str]:
        """The generate job in a process of its own."""
        words = [sys.executable, "-m", "workflow_scripts.inference.generate"]
        words += ["--model", str(self.model), "--benchmarks", str(self.benchmark)]
        words += ["--manifest", str(self.manifest), "--settings", json.dumps(self.settings)]
        return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def generate(self) -> dict[str, Any]:
        """The generate job in this process; its manifest."""
        common = {"settings": self.settings, "threads": 1, "gpus": 0, "log": None}
        generate.work(
            Namespace(
                model=self.model, benchmarks=[self.benchmark], manifest=self.manifest, **common
            )
        )
        return json.loads(self.manifest.read_text())

    def cut(self) -> dict[str, pl.DataFrame]:
        """Every cell by its path."""
        cut.work(
            Namespace(
                model=self.model,
                benchmark=self.benchmark,
                manifest=self.manifest,
                settings=self.settings,
            )
        )
        out = Path(self.settings["out"])
        return {str(p.relative_to(out)): GENERATION.read(p) for p in sorted(out.rglob("*.parquet"))}

    def seen(self) -> int:
        """Ids that the running job has received."""
        lock = Path(self.settings["store"] + ".lock")
        if not lock.exists():
            return 0
        with lock.open("rb") as file:
            file.seek(COUNTER_AT)
            return int.from_bytes(file.read(8), "little")

    def kill_at(self, ids: int) -> None:
        """Start, and kill -9 once the run has received so many ids."""
        process = self.start()
        deadline = time.monotonic() + 60
        while self.seen() >= ids:  # of an earlier run
            time.sleep(0.002)
        while self.seen() < ids and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        assert process.poll() is None, "it ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def with_slow_steps(mean_length: int) -> dict[str, Any]:
    engine = world.inference()["engine"]
    options = {"mean_length": mean_length, "step_seconds": 0.004}
    return {"engine": {**engine, "options": options}}


def test_killed_twice_and_the_files_are_the_same(tmp_path: Path, model_json: Path) -> None:
    methods = [{"method": "truncation"}, {"method": "force", "phrase": "Wait", "n": [1, 2]}]
    slow = with_slow_steps(120) | {"methods": methods}
    whole = Study(tmp_path / "a", model_json, **slow)
    total = whole.generate()["tokens"]["decoded"]
    killed = Study(tmp_path / "b", model_json, **slow)
    killed.kill_at(total // 3)
    killed.kill_at(total // 3)
    tokens = killed.generate()["tokens"]
    expected, found = whole.cut(), killed.cut()
    assert list(found) == list(expected) and len(found) == 12
    assert all(found[name].equals(expected[name]) for name in expected)
    assert len(tokens["runs"]) == 3
    assert tokens["kept"] == total
    assert 0 <= tokens["decoded_twice"] <= 0.05 * total


def test_a_second_run_on_the_store_is_told_who_holds_it(tmp_path: Path, model_json: Path) -> None:
    study = Study(tmp_path, model_json, **with_slow_steps(60))
    store = Store.writable(Path(study.settings["store"]), {"model": "m", "engine": "e"})
    with pytest.raises(UserError, match=rf"in use by another run \(process {os.getpid()} on"):
        study.generate()
    store.close()


def test_a_finished_store_is_only_read(tmp_path: Path, model_json: Path) -> None:
    study = Study(tmp_path, model_json)
    first = study.generate()
    assert study.generate() == first
    assert first["prefix_check"]["rate"] == 1.0
    assert {cell["rows"] for cell in first["cells"]} == {10}
    assert first["tokens"]["decoded_twice"] == 0
    assert first["store_bytes"] == Path(study.settings["store"]).stat().st_size > 0
    assert first["gpu_memory_mib"] is None


def test_gpu_memory_is_read_with_the_engine_up_and_after_the_sweep(
    tmp_path: Path, model_json: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[bool] = []
    close = ScriptedEngine.close
    make = engines._scripted

    class Peak:
        """Notes at each reading whether an engine is up."""

        up = False

        def __init__(self, engine: dict[str, Any]) -> None: ...

        def read(self) -> None:
            readings.append(Peak.up)

        def as_facts(self) -> dict[str, Any]:
            return {"per_gpu": {"0": 7}, "max": 7}

    def started(*args: Any) -> ScriptedEngine:
        Peak.up = True
        return make(*args)

    def stopped(engine: ScriptedEngine) -> None:
        Peak.up = False
        close(engine)

    monkeypatch.setattr(generate, "MemoryPeak", Peak)
    monkeypatch.setattr(engines, "_scripted", started)
    monkeypatch.setattr(ScriptedEngine, "close", stopped)
    study = Study(tmp_path, model_json)
    assert study.generate()["gpu_memory_mib"] == {"per_gpu": {"0": 7}, "max": 7}
    assert readings == [True, True]
    # A run that decodes nothing starts no engine and keeps what was read.
    assert study.generate()["gpu_memory_mib"] == {"per_gpu": {"0": 7}, "max": 7}
    assert readings == [True, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": 60}, "question toy/q0: its prompt leaves no room to think: context 60 -"),
        ({"context": 4000}, "holds 400 tokens; set inference.context to 400 or less"),
        ({"budgets": [0, 4]}, "budget 0: use a whole number above 0"),
        ({"budgets": [-4]}, "budget -4: use a whole number above 0"),
        (
            {"methods": [{"method": "force", "phrase": "a<|im_end|>", "n": [1]}]},
            "holds '<|im_end|>', which ends thinking",
        ),
        ({"mode": "quick"}, "inference.mode is 'quick'; use one of fast, exact"),
        ({"answer_tokens": 0}, "an answer needs at least 1"),
        ({"temperature": -1.0}, "0 is greedy"),
    ],
)
def test_bad_settings(
    tmp_path: Path, model_json: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as error:
        Study(tmp_path, model_json, **change).generate()
    assert message in str(error.value)


def test_exact_mode_is_not_claimed_where_it_does_not_exist(
    tmp_path: Path, model_json: Path
) -> None:
    manifest = Study(tmp_path, model_json, mode="exact").generate()
    assert (manifest["mode"], manifest["mode_asked"]) == ("fast", "exact")
    assert "fast" in manifest["engine"]


def test_a_store_of_another_model_is_refused(tmp_path: Path, model_json: Path) -> None:
    study = Study(tmp_path, model_json)
    study.generate()
    study.model = tmp_path / "other.json"
    write_card(study.model, replace(read_card(model_json), digest="1" * 64))
    with pytest.raises(InputError, match="was written with model 000000.*Move the file away"):
        study.generate()


def test_a_store_without_the_rows_is_named_by_cut(tmp_path: Path, model_json: Path) -> None:
    study = Study(tmp_path, model_json)
    study.generate()
    study.settings["inference"]["budgets"] = [4, 17]
    with pytest.raises(InputError, match="does not hold toy/q0 .*rerun the generate rule"):
        study.cut()


def test_the_end_of_the_log_is_shown_when_an_engine_fails(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("".join(f"line {i}\n" for i in range(40)))
    with (
        pytest.raises(UserError, match=r"(?s)it died\nlast lines.*\| line 25\n.*\| line 39"),
        explained(log),
    ):
        raise UserError("it died")

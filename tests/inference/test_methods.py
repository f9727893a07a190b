"""What each method reads from chains, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from tests.inference import world
from tests.inference.test_schedule import IDENTITY, run, script
from workflow_scripts.common.cells import Cell, Method
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.inference.methods import readings
from workflow_scripts.inference.methods.arm import Arm
from workflow_scripts.inference.plan import Row, Study
from workflow_scripts.inference.prompts import Vocabulary
from workflow_scripts.inference.schedule import Sweep
from workflow_scripts.inference.scripted import ScriptedEngine
from workflow_scripts.inference.store import Store


def arms(kind: str, budget: str, **more: Any) -> list[tuple[Arm, ...]]:
    method = Method(kind, kind, kind, budgets=(budget,), **more)
    return [reading.arms for reading in readings(Cell(method, budget), world.inference())]


def test_plain_methods() -> None:
    assert arms("natural", "infinite") == [(Arm(),)]
    assert arms("truncation", "500") == [(Arm(budget=500),)]
    assert arms("force", "500", phrase="Wait", n=2) == [(Arm("", "Wait", 2, 500),)]
    assert arms("class-long", "infinite") == [(Arm("Take your time."),)]


def test_conditional_prompts_state_the_budget() -> None:
    assert arms("token-conditional", "1024") == [(Arm("Think for up to 1024 tokens."),)]
    assert arms("step-conditional", "1600") == [(Arm("Think for up to 16 steps."),)]
    with pytest.raises(ConfigError, match="needs `budgets` that are numbers"):
        arms("token-conditional", "infinite")
    with pytest.raises(ConfigError, match="no multiple of 100 tokens"):
        arms("step-conditional", "250")


def test_what_the_config_lacks_is_named() -> None:
    cell = Cell(Method("class-long", "class-conditional", "class-long"), "infinite")
    with pytest.raises(ConfigError, match="inference.class_prompts.long is missing"):
        readings(cell, world.inference(class_prompts={"short": "x"}))
    with pytest.raises(ConfigError, match="unknown method 'beam'"):
        arms("beam", "infinite")


def test_forced_conditional_control_is_cut_too() -> None:
    assert arms("token-conditional", "64", forced=True)[0][0].budget == 64


def drawn(kind: str, **more: Any) -> Method:
    return Method(kind, kind, kind, temperature=1.0, **more)


def sweep(vocabulary: Vocabulary, folder: Path, method: Method) -> list[Row]:
    cells = [Cell(method, budget) for budget in method.budgets]
    study = Study(vocabulary, world.inference(), 42, "scope", "scripted", cells)
    _, rows = run(study, folder / "s.sqlite", 8, ScriptedEngine(script(vocabulary), 8))
    return rows


def test_majority_draws_are_different_and_reproducible(
    vocabulary: Vocabulary, tmp_path: Path
) -> None:
    method = drawn("majority", samples=4)
    rows = sweep(vocabulary, tmp_path, method)
    assert [row.sample for row in rows[:4]] == [0, 1, 2, 3]
    assert len({row.cut.ids for row in rows}) == len(rows) == 32
    (tmp_path / "s.sqlite").unlink()
    assert sweep(vocabulary, tmp_path, method) == rows


def test_rejection_keeps_the_first_draw_that_fits(vocabulary: Vocabulary, tmp_path: Path) -> None:
    method = drawn("rejection", samples=3, budgets=("10", "40"))
    rows = sweep(vocabulary, tmp_path, method)
    for row in rows:
        cap = int(row.cell.budget)
        assert len(row.cut.ids) <= cap
        assert (row.cut.end == "natural") or row.tries == 3
    by_cap = {cap: [r.tries for r in rows if r.cell.budget == cap] for cap in ("10", "40")}
    assert sum(by_cap["10"]) > sum(by_cap["40"]) >= 8
    assert any(row.cut.end == "forced" for row in rows if row.cell.budget == "10")


def test_later_draws_are_only_decoded_where_earlier_ones_overran(
    vocabulary: Vocabulary, tmp_path: Path
) -> None:
    method = drawn("rejection", samples=3, budgets=("40",))
    study = Study(vocabulary, world.inference(), 42, "scope", "scripted", [Cell(method, "40")])
    plans = [study.plan(question) for question in world.questions(8)]
    store = Store.writable(tmp_path / "s.sqlite", IDENTITY)
    Sweep(plans, store, lambda: ScriptedEngine(script(vocabulary), 8)).run()
    rows = [row for plan in plans for _, row in plan.rows(store.get)]
    assert store.totals()["thinking_segments"] == sum(row.tries for row in rows)
    store.close()

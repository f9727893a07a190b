"""The sweep against the slow way: every cell generated from scratch, id by id."""

from pathlib import Path

import pytest

from tests.inference import world
from workflow_scripts.inference import schedule
from workflow_scripts.inference.engine import Engine
from workflow_scripts.inference.plan import Row, Study
from workflow_scripts.inference.prompts import Vocabulary
from workflow_scripts.inference.schedule import Sweep
from workflow_scripts.inference.scripted import NextId, ScriptedEngine, hash_script
from workflow_scripts.inference.store import Store

IDENTITY = {"model": "m", "engine": "e"}


def script(vocabulary: Vocabulary) -> NextId:
    return hash_script(range(6, 80), vocabulary.think_end, 24)


def make_study(vocabulary: Vocabulary, **more: object) -> Study:
    return Study(vocabulary, world.inference(**more), 42, "scope", "scripted")


def run(study: Study, path: Path, count: int, engine: Engine) -> tuple[Sweep, list[Row]]:
    plans = [study.plan(question) for question in world.questions(count)]
    store = Store.writable(path, IDENTITY)
    try:
        sweep = Sweep(plans, store, lambda: engine)
        sweep.run()
        rows = [row for plan in plans for _, row in plan.rows(store.get)]
    finally:
        store.close()
    assert all(isinstance(row, Row) for row in rows)
    return sweep, rows


def test_every_cell_equals_a_fresh_generation(vocabulary: Vocabulary, tmp_path: Path) -> None:
    study, next_id = make_study(vocabulary), script(vocabulary)
    engine = ScriptedEngine(next_id, 8)
    _, rows = run(study, tmp_path / "s.sqlite", 12, engine)
    assert len(rows) == 12 * len(study.cells)
    suffixes = {"class-short": "\n\nBe brief.", "class-long": "\n\nTake your time."}
    for row in rows:
        method = row.cell.method
        text = row.question.prompt + suffixes.get(method.kind, "")
        chat, prefill = vocabulary.prompt(text)
        cap = row.capacity if row.cell.budget == "infinite" else int(row.cell.budget)
        thinking, ended = world.fresh_cell(
            next_id, chat + prefill, vocabulary.encode(method.phrase), method.n,
            min(cap, row.capacity), vocabulary.think_end,
        )  # fmt: skip
        assert list(row.cut.ids) == thinking, row.cell.path
        assert (row.cut.end == "natural") == ended
        delimiter = vocabulary.delimiter(tuple(thinking), ended)
        answer, _ = world.write_out(
            next_id, chat + prefill + tuple(thinking) + delimiter, 12, vocabulary.answer_end
        )
        assert list(row.answer.ids) == answer


def test_nothing_is_decoded_twice_and_far_less_than_row_by_row(
    vocabulary: Vocabulary, tmp_path: Path
) -> None:
    engine = ScriptedEngine(script(vocabulary), 8)
    sweep, rows = run(make_study(vocabulary), tmp_path / "s.sqlite", 12, engine)
    store = Store.writable(tmp_path / "s.sqlite", IDENTITY)
    totals = store.totals()
    store.close()
    kept = totals["thinking_ids"] + totals["answer_ids"] + totals["ended"]
    assert sweep.counts.decoded == kept
    row_by_row = sum(len(row.cut.ids) + len(row.answer.ids) for row in rows)
    assert row_by_row > 2 * sweep.counts.decoded


def test_a_full_store_starts_no_engine(vocabulary: Vocabulary, tmp_path: Path) -> None:
    study = make_study(vocabulary)
    run(study, tmp_path / "s.sqlite", 5, ScriptedEngine(script(vocabulary), 8))
    plans = [study.plan(question) for question in world.questions(5)]
    store = Store.writable(tmp_path / "s.sqlite", IDENTITY)

    def never() -> Engine:
        raise AssertionError("an engine was started")

    Sweep(plans, store, never).run()
    store.close()


def test_a_larger_budget_decodes_only_what_is_new(vocabulary: Vocabulary, tmp_path: Path) -> None:
    methods = [{"method": "truncation"}, {"method": "force", "phrase": "Wait", "n": [2]}]
    small = make_study(vocabulary, budgets=[4, 10], methods=methods)
    large = make_study(vocabulary, budgets=[4, 10, 60], methods=methods)
    first, _ = run(small, tmp_path / "s.sqlite", 8, ScriptedEngine(script(vocabulary), 8))
    second, rows = run(large, tmp_path / "s.sqlite", 8, ScriptedEngine(script(vocabulary), 8))
    alone, other = run(large, tmp_path / "t.sqlite", 8, ScriptedEngine(script(vocabulary), 8))
    assert [row.cut for row in rows] == [row.cut for row in other]
    assert first.counts.decoded + second.counts.decoded == alone.counts.decoded


def test_answers_start_while_the_chain_is_still_written(
    vocabulary: Vocabulary, tmp_path: Path
) -> None:
    ends: list[tuple[str, int]] = []

    class Watching(ScriptedEngine):
        def submit(self, requests) -> None:  # noqa: ANN001
            ends.extend((request.owner, self.steps) for request in requests)
            super().submit(requests)

    study = make_study(vocabulary, budgets=[4, "infinite"], methods=[{"method": "truncation"}])
    never_ends = hash_script(range(6, 80), vocabulary.think_end, 10**9)
    engine = Watching(never_ends, 8)
    run(study, tmp_path / "s.sqlite", 1, engine)
    started = dict(ends)
    assert started["toy/q0 truncation/4"] == 4
    assert started["toy/q0 truncation/infinite"] > 100


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_resume_gives_the_same_ids(
    vocabulary: Vocabulary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    temperature: float,
) -> None:
    monkeypatch.setattr(schedule, "BLOCK", 8)
    monkeypatch.setattr(schedule, "CHECKPOINT_MIN_S", 0.0)
    study = make_study(vocabulary, temperature=temperature)
    _, undisturbed = run(study, tmp_path / "a.sqlite", 6, ScriptedEngine(script(vocabulary), 8))
    plans = [study.plan(question) for question in world.questions(6)]
    for steps in (7, 30, 60):
        store = Store.writable(tmp_path / "b.sqlite", IDENTITY)
        sweep = Sweep(plans, store, lambda s=steps: Stopping(script(vocabulary), s))
        with pytest.raises(KeyboardInterrupt):
            sweep.run()
        store.close()
    _, resumed = run(study, tmp_path / "b.sqlite", 6, ScriptedEngine(script(vocabulary), 8))
    assert resumed == undisturbed


class Stopping(ScriptedEngine):
    """Stops the run after some steps."""

    def __init__(self, next_id: NextId, steps: int) -> None:
        super().__init__(next_id, 8)
        self._left = steps

    def poll(self):  # noqa: ANN201
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return super().poll()

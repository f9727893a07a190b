"""The store: what a kill leaves behind, who may write, what does not fit."""

import os
from pathlib import Path

import pytest

from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.inference.chain import Segment
from workflow_scripts.inference.store import Store

IDENTITY = {"model": "m", "engine": "e"}


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.writable(tmp_path / "s.sqlite", IDENTITY)
    yield opened
    opened.close()


def test_pieces_add_up_until_the_segment_is_finished(store: Store) -> None:
    assert store.get("a") is None
    store.checkpoint([("a", 0, (1, 2, 3)), ("b", 0, (9,))])
    store.checkpoint([("a", 3, (4, 5))])
    assert store.get("a") == Segment((1, 2, 3, 4, 5))
    store.finish([("a", "q", "thinking", Segment((1, 2, 3, 4, 5, 6), 151645))])
    assert store.get("a") == Segment((1, 2, 3, 4, 5, 6), 151645)
    assert store.get("b") == Segment((9,))


def test_an_open_segment_can_be_extended(store: Store) -> None:
    store.finish([("a", "q", "thinking", Segment((1, 2, 3)))])
    store.checkpoint([("a", 3, (4,))])
    assert store.get("a") == Segment((1, 2, 3, 4))


def test_ids_behind_a_hole_are_not_used(store: Store) -> None:
    store.checkpoint([("a", 0, (1, 2)), ("a", 5, (7,))])
    assert store.get("a") == Segment((1, 2))


def test_a_piece_that_overlaps_replaces_the_rest(store: Store) -> None:
    store.checkpoint([("a", 0, (1, 2, 3, 4))])
    store.checkpoint([("a", 2, (8, 9, 10))])
    assert store.get("a") == Segment((1, 2, 8, 9, 10))


def test_what_was_written_survives_another_opening(tmp_path: Path, store: Store) -> None:
    store.finish([("a", "q", "answer", Segment((), 2))])
    other = Store.readable(tmp_path / "s.sqlite", IDENTITY)
    assert other.get("a") == Segment((), 2)
    other.close()


def test_only_one_writer(tmp_path: Path, store: Store) -> None:
    with pytest.raises(UserError, match=f"process {os.getpid()} on .*wait for it or stop it"):
        Store.writable(tmp_path / "s.sqlite", IDENTITY)


@pytest.mark.parametrize("name", ["model", "engine"])
def test_another_model_or_engine_is_refused(tmp_path: Path, store: Store, name: str) -> None:
    store.close()
    with pytest.raises(InputError, match=f"written with {name} .*Move the file away"):
        Store.writable(tmp_path / "s.sqlite", IDENTITY | {name: "x"})
    with pytest.raises(InputError, match=f"written with {name}"):
        Store.readable(tmp_path / "s.sqlite", IDENTITY | {name: "x"})
    Store.writable(tmp_path / "s.sqlite", IDENTITY).close()


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_text("not a database, but long enough to be taken for one " * 20)
    with pytest.raises(InputError, match="no store of segments"):
        Store.writable(path, IDENTITY)
    with pytest.raises(InputError, match="does not exist; rerun the generate rule"):
        Store.readable(tmp_path / "absent.sqlite", IDENTITY)


def test_ids_seen_but_not_saved_are_charged_to_the_killed_run(tmp_path: Path, store: Store) -> None:
    store.run(None, {"decoded": 100, "lost": 0})
    store.tick(130)
    store.close()
    again = Store.writable(tmp_path / "s.sqlite", IDENTITY)
    assert again.runs() == [{"decoded": 100, "lost": 30}]
    again.close()


def test_totals_count_ids_and_end_tokens(store: Store) -> None:
    store.finish(
        [
            ("a", "q", "thinking", Segment((1, 2, 3), 5)),
            ("b", "q", "thinking", Segment((1,))),
            ("c", "q", "answer", Segment((4, 4), 5)),
        ]
    )
    assert store.totals() == {
        "thinking_segments": 2,
        "thinking_ids": 4,
        "answer_segments": 1,
        "answer_ids": 2,
        "ended": 2,
    }

"""Sets of one's own: sizes that nest, right and wrong teachers, an order, and too few rows."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.curation.stage import load, load_exam, raw_row, run_filters, run_select, run_summary
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables.pool import SELECTED


def rows() -> list[dict[str, Any]]:
    """60 rows: every fourth teacher is wrong, 7B solves every third, 32B every sixth."""
    return [
        raw_row(
            i,
            isgeminicorrect=i % 4 != 0,
            isqwen7bcorrect=i % 3 == 0,
            isqwen32bcorrect=i % 6 == 0,
        )
        for i in range(60)
    ]


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("own")
    question = "How far does a snail crawl along a wet garden wall during one rainy night in May?"
    exam = load_exam(folder, [{"problem": question, "answer": "3"}])
    load(folder, rows())
    return run_filters(
        folder, [exam], quality={"rules": "strict", "require_teacher_correct": False}
    )


def chosen(filtered: Any, tokenizer: Path, selector: str, **own: Any) -> pl.DataFrame:
    named = {"name": "mine", **own}
    return SELECTED.read(run_select(filtered, selector, 20, tokenizer, own=named))


@pytest.mark.parametrize("selector", ["s1k", "random", "diverse", "longest", "limo"])
def test_a_smaller_set_is_part_of_every_larger_one(
    filtered: Any, tokenizer: Path, selector: str
) -> None:
    sets = [set(chosen(filtered, tokenizer, selector, size=n)["row_id"]) for n in (5, 12, 20, 30)]
    assert [len(one) for one in sets] == [5, 12, 20, 30]
    assert sets[0] < sets[1] < sets[2] < sets[3]


def test_another_seed_is_another_selection(filtered: Any, tokenizer: Path) -> None:
    one, other = (
        set(chosen(filtered, tokenizer, "random", size=20, seed=seed)["row_id"]) for seed in (1, 2)
    )
    assert len(one) == len(other) == 20 and one != other


@pytest.mark.parametrize(("teacher", "right"), [("right", {True}), ("wrong", {False})])
def test_the_teacher_is_right_or_wrong(
    filtered: Any, tokenizer: Path, teacher: str, right: set[bool]
) -> None:
    own = chosen(filtered, tokenizer, "random", size=12, teacher=teacher)
    assert set(own["teacher_correct"]) == right
    both = chosen(filtered, tokenizer, "random", size=60, teacher="any")
    assert set(both["teacher_correct"]) == {True, False}


def test_the_order_of_training(filtered: Any, tokenizer: Path) -> None:
    by_length = chosen(filtered, tokenizer, "random", size=40, order="length")
    assert by_length["tokens"].is_sorted() and not by_length["draw"].is_sorted()
    easy = chosen(filtered, tokenizer, "random", size=40, order="difficulty")
    assert set(easy["row_id"]) == set(by_length["row_id"])
    right = [sum(v is True for v in json.loads(text).values()) for text in easy["labels"]]
    assert right == sorted(right, reverse=True) and set(right) == {0, 1, 2}
    hard = easy.filter(pl.Series(right) == 0)["tokens"]
    assert hard.is_sorted()
    plain = chosen(filtered, tokenizer, "random", size=40)
    assert plain["draw"].is_sorted()


def test_too_few_rows_name_the_set_its_rule_and_the_fix(filtered: Any, tokenizer: Path) -> None:
    said = (
        r"set mine \(random\) needs 16 rows and 15 are left: .*teacher wrong\. .*lower the `size`"
    )
    with pytest.raises(UserError, match=said):
        chosen(filtered, tokenizer, "random", size=16, teacher="wrong")


def test_the_summary_knows_what_a_set_was_chosen_from(filtered: Any, tokenizer: Path) -> None:
    own = {"name": "mine", "size": 8}
    path = run_select(filtered, "longest", 20, tokenizer, own=own)
    out = run_summary(filtered, [path], rules={"mine": "longest"})
    row = pl.read_csv(out.funnel).filter(stage="selection").to_dicts()[0]
    assert (row["reason"], row["remaining"], row["removed"]) == ("mine", 8, 52)  # easy ones, too

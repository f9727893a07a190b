"""What two models predict, against whole logits that transformers computes in one piece."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training import tiny
from workflow_scripts.shift.measuring import Kept, Measured, Pair, Task
from workflow_scripts.shift.scoring import Reader, Text, batches, compared

SIZE = 259  # of 260 rows of the output matrix: the last is padding
LENGTHS = (37, 90, 12, 64, 5)


@pytest.fixture(scope="module")
def readers() -> tuple[Reader, Reader]:
    return Reader(tiny.model(0).eval(), SIZE), Reader(tiny.model(1).eval(), SIZE)


@pytest.fixture(scope="module")
def texts() -> list[Text]:
    draws = np.random.default_rng(0)
    made = []
    for length in LENGTHS:
        places = np.concatenate([np.arange(3, length - 2), [length - 1]])  # one id is not judged
        made.append(Text(draws.integers(0, SIZE, length).astype(np.int32), places))
    return made


def whole(reader: Reader, text: Text) -> torch.Tensor:
    """Log-probabilities [R, SIZE] in float64 from one plain forward pass."""
    ids = torch.from_numpy(text.ids.astype(np.int64))[None]
    with torch.no_grad():
        logits = reader.causal_lm(input_ids=ids).logits[0, text.places - 1, :SIZE]
    return logits.double().log_softmax(-1)


def read_both(readers: Sequence[Reader], texts: list[Text], folder: Path, **more: int) -> list:
    measured = Measured(Pair(lambda: (readers[0], readers[1])), Kept(folder), **more)
    return measured.run([Task(text, again=True) for text in texts], "pair", "test")


def test_every_number_is_that_of_whole_logits(
    readers: tuple[Reader, Reader], texts: list[Text], tmp_path: Path
) -> None:
    for text, found in zip(texts, read_both(readers, texts, tmp_path), strict=True):
        one, two = (whole(reader, text) for reader in readers)
        goal = torch.from_numpy(text.targets.astype(np.int64))[:, None]
        expected = {
            "kl": (one.exp() * (one - two)).sum(-1),
            "reverse_kl": (two.exp() * (two - one)).sum(-1),
        }
        for name, own in (("", one), ("base_", two)):
            hit = own.gather(1, goal)
            expected[f"{name}logprob"] = hit[:, 0]
            expected[f"{name}rank"] = 1 + (own > hit).sum(-1)
            expected[f"{name}entropy"] = -(own.exp() * own).sum(-1)
            expected[f"{name}top"] = own.argmax(-1)
        assert set(found) == {*expected, "null_kl", "null_rank", "null_top"}
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values.numpy(), atol=1e-4, rtol=0, err_msg=name)
        assert found["kl"].mean() > 0.1  # the two differ at all
        assert found["null_kl"].max() < 1e-5
        np.testing.assert_array_equal(found["null_rank"], found["base_rank"])


def test_neither_batch_nor_slab_changes_a_number(
    readers: tuple[Reader, Reader], texts: list[Text], tmp_path: Path
) -> None:
    together = read_both(readers, texts, tmp_path / "together")
    alone = read_both(readers, texts, tmp_path / "alone", batch_tokens=1)
    model, base = readers
    for text, one, other in zip(texts, together, alone, strict=True):
        rows = [reader.rows([text])[0] for reader in readers]
        slabs = compared(model, base, rows[0], rows[1], text, slab=7)
        for name in slabs:
            np.testing.assert_allclose(one[name], other[name], atol=1e-5)
            np.testing.assert_allclose(one[name], slabs[name], atol=1e-5)


def test_where_thinking_ended_the_likeliest_end_is_asked(readers: tuple[Reader, Reader]) -> None:
    ends = (5, 77, 200)
    ids = np.arange(40, 60).astype(np.int32)
    text = Text(ids, np.arange(4, 20), end=9, ends=ends)
    rows = [reader.rows([text])[0] for reader in readers]
    found = compared(*readers, rows[0], rows[1], text)
    plain = compared(*readers, rows[0], rows[1], Text(ids, np.arange(4, 20)))
    for name, reader in zip(("rank", "base_rank"), readers, strict=True):
        own = whole(reader, text)[9]
        assert found[name][9] == min(1 + int((own > own[i]).sum()) for i in ends)
        np.testing.assert_array_equal(np.delete(found[name], 9), np.delete(plain[name], 9))
    np.testing.assert_array_equal(found["kl"], plain["kl"])


def test_a_batch_holds_no_more_than_it_may_with_its_padding() -> None:
    found = list(batches([3, 10, 4, 9, 50], batch_tokens=20))
    assert found == [[4], [1, 3], [2, 0]]


class Stopping(Reader):
    """A reader that is stopped at its third batch."""

    def rows(self, texts: Sequence[Text], chunk: int | None = None) -> list[torch.Tensor]:
        self.causal_lm.read_so_far = getattr(self.causal_lm, "read_so_far", 0) + 1
        if self.causal_lm.read_so_far == 3:
            raise KeyboardInterrupt
        return super().rows(texts, chunk)


def test_a_run_that_was_stopped_goes_on(texts: list[Text], tmp_path: Path) -> None:
    model, base = Stopping(tiny.model(0).eval(), SIZE), Reader(tiny.model(1).eval(), SIZE)
    tasks = [Task(text) for text in texts]

    def run(folder: str) -> tuple[list, Pair, int]:
        pair = Pair(lambda: (model, base))
        measured = Measured(pair, Kept(tmp_path / folder), batch_tokens=1)
        found = measured.run(tasks, "pair", "test")
        return found, pair, measured.reused

    with pytest.raises(KeyboardInterrupt):
        run("stopped")
    assert len(list((tmp_path / "stopped").glob("*.npz"))) == 2
    resumed, pair, reused = run("stopped")
    assert reused == 2 and pair.read == 2 * sum(sorted(LENGTHS)[:3])
    undisturbed, _, none = run("other")
    assert none == 0
    for one, other in zip(resumed, undisturbed, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    again = Measured(Pair(_never), Kept(tmp_path / "stopped"))
    assert len(again.run(tasks, "pair", "test")) == len(texts) and not again.pair.loaded


def _never() -> tuple[Reader, Reader]:
    raise AssertionError("models were loaded though the store holds everything")


def test_states_do_not_depend_on_batches_or_chunks(readers: tuple[Reader, Reader]) -> None:
    draws = np.random.default_rng(1)
    prompts = [draws.integers(0, SIZE, length).tolist() for length in (7, 30, 13, 21)]
    base = readers[1]
    together, chunked = base.states(prompts), base.states(prompts, 8)
    alone = np.concatenate([base.states([ids]) for ids in prompts])
    with torch.no_grad():
        out = base.causal_lm(torch.tensor([prompts[2]]), output_hidden_states=True)
    direct = [layer[0, -1].numpy() for layer in out.hidden_states[1:]]
    np.testing.assert_allclose(together[2], direct, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together, chunked, atol=1e-5)

"""What cannot be compared is named; two vocabularies are compared by text."""

import copy
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.training import tiny
from tests.workflow.test_config_check import FULL
from workflow_scripts.common.chat import Chat
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.shift.measure_shift import frame
from workflow_scripts.shift.measuring import Kept, Measured, Pair, Task
from workflow_scripts.shift.scoring import Reader, Text
from workflow_scripts.shift.texts import Written, same_vocabulary
from workflow_scripts.shift.two_vocabularies import _named, _placed, matches
from workflow_scripts.workflow import Study


def study(shift: dict, **models: dict) -> Study:
    config = copy.deepcopy(FULL)
    config["shift"] |= shift
    for model in config["models"]:
        model |= models.get(model["name"], {})
    return Study(config)


def pair(model: str, base: str) -> dict:
    return {"compare": [{"model": model, "base": base}]}


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        (pair("s1k", "basis"), "`base: basis` is no model of this config (there are: base, s1k)"),
        (pair("s2k", "base"), "`model: s2k` is no model of this config"),
        (pair("base", "base"), "'base' is compared with itself"),
        ({"compare": [*pair("s1k", "base")["compare"]] * 2}, "'s1k' has two bases"),
    ],
)
def test_a_pair_that_is_none_is_named(shift: dict, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        study(shift)
    assert said in str(error.value)


def test_a_model_without_stored_ids_of_its_natural_end_is_named() -> None:
    native = {"methods": [{"method": "native"}]}
    with pytest.raises(ConfigError, match="base: base` has no stored ids of its natural end"):
        study(pair("s1k", "base"), base=native)
    with pytest.raises(ConfigError, match="so nothing is compared; name two models"):
        study({"measure": True}, base=native)
    assert study({}, base=native).compared == {}


def test_trained_models_are_compared_with_their_bases() -> None:
    assert study({"measure": True}).compared == {"s1k": "base"}
    assert "shift_kl" in study({"measure": True}).plots and "shift_kl" not in study({}).plots


def merging() -> PreTrainedTokenizerFast:
    """The tiny tokenizer with one token more: two digits."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate([*letters, "12"])}
    backend = Tokenizer(models.BPE(vocabulary, [("1", "2")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(tiny.SPECIAL)
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def test_two_vocabularies_are_told_apart_and_why(tmp_path: Path) -> None:
    tiny.save_base(tmp_path / "one")
    chat = Chat.load(tmp_path / "one", {}, "one")
    other = Chat(merging(), chat.delimiters, name="other")
    assert not same_vocabulary(chat, chat)  # pyright: ignore[reportArgumentType]
    said = same_vocabulary(other, chat)  # pyright: ignore[reportArgumentType]
    assert said == (
        "'other' has 260 tokens and 'one' 259; the first that differs is id 256: '12' and "
        "'<|endoftext|>'"
    )


def test_ranks_by_text_stand_where_both_spell_alike_and_are_null_elsewhere(tmp_path: Path) -> None:
    own, other = [b"1", b"2", b"+", b"3"], [b"12", b"+", b"3"]
    fits = np.array(matches(own, other, 0))
    assert fits.tolist() == [-1, -1, 1, 2]
    reader = Reader(tiny.model(0).eval(), 259)
    measured = Measured(Pair(lambda: (reader, reader)), Kept(tmp_path))
    text = Text(np.arange(10, 16, dtype=np.int32), np.arange(2, 6))
    theirs = Text(np.arange(30, 35, dtype=np.int32), np.arange(2, 5))
    (mine,), (read,) = (
        measured.run([Task(each)], what, "test")
        for each, what in ((text, "model"), (theirs, "base"))
    )
    both = _named(mine, "model") | _named(_placed(read, fits), "base")
    parts = np.zeros(4, np.int8)
    found = frame(Written(("math", "q", 0), "tuned", text, parts, parts), both)
    assert found["base_rank"].to_list() == [None, None, *read["rank"][1:]]
    assert found["rank"].null_count() == 0 and found["kl"].null_count() == 4

"""Kinds of tokens, and tokens of two vocabularies that write the same bytes."""

import pytest

from workflow_scripts.common.settings.shift import MARKERS
from workflow_scripts.shift.kinds import kinds_of, laid_out, marker_pattern
from workflow_scripts.shift.tables import KINDS
from workflow_scripts.shift.two_vocabularies import matches

PATTERN = marker_pattern(MARKERS)


def named(*pieces: str) -> list[str]:
    return [KINDS[i] for i in kinds_of([piece.encode() for piece in pieces], PATTERN)]


def test_a_kind_is_that_of_the_text_however_it_is_spelled() -> None:
    assert named("Wait", ",", " ", "3", "x", " +", "\n") == [
        *("second thought", "symbol", "space", "number", "word", "symbol", "space"),
    ]
    assert named(" Alt", "ern", "atively", " so") == [*["second thought"] * 3, "word"]
    assert named("\\", "frac", "{", "1", "}") == ["symbol", "symbol", "symbol", "number", "symbol"]


@pytest.mark.parametrize("word", ["checked", "Checking", "verifies", "verified", "WAIT", "hmm"])
def test_endings_and_case_of_a_marker_count(word: str) -> None:
    assert PATTERN.fullmatch(word)


@pytest.mark.parametrize("word", ["butter", "waiter", "checkers", "awaits"])
def test_other_words_that_hold_a_marker_do_not(word: str) -> None:
    assert not PATTERN.search(word)


def test_a_character_in_two_tokens_lies_in_both() -> None:
    pieces = ["é".encode()[:1], "é".encode()[1:], "π!".encode()]
    text, starts, stops = laid_out(pieces)
    assert text == "éπ!"
    assert [text[a:b] for a, b in zip(starts, stops, strict=True)][-1] == "π!"


def test_tokens_fit_where_they_begin_and_end_alike() -> None:
    assert matches([b"ab", b"c", b"de"], [b"a", b"b", b"c", b"d", b"e"], 0) == [-1, 2, -1]
    assert matches([b"ab", b"cd"], [b"ab", b"c", b"d"], 10) == [10, -1]

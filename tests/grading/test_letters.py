"""Letters of free-form responses: our own labelled ones, many kinds, with and without options."""

import json
from collections import Counter
from pathlib import Path

from workflow_scripts.grading.choices import extract_letter

ROWS = [json.loads(line) for line in (Path(__file__).parent / "letters.jsonl").open()]


def test_every_stated_letter_is_found_and_no_other() -> None:
    wrong = []
    for row in ROWS:
        found = extract_letter(row["text"], row.get("options"))
        if found.text != row["letter"]:
            wrong.append((row["text"][-120:], row["letter"], found.text, found.rule))
    assert not wrong


def test_the_set_is_broad() -> None:
    letters = Counter(row["letter"] for row in ROWS)
    assert len(ROWS) >= 150
    assert min(letters[letter] for letter in "ABCD") >= 20
    assert letters[None] >= 40


def test_the_letter_goes_before_an_option_of_the_same_text() -> None:
    options = ["one", "two", "three", "four"]
    assert extract_letter("So it is:\n\n**D. two**", options).text == "D"
    assert extract_letter("So it is:\n\ntwo", options).text == "B"


def test_the_span_is_where_the_letter_stands() -> None:
    text = "We compare." + "\n" * 500 + "The **best** option is **C**, " + "*" * 300 + " as shown."
    start, stop = extract_letter(text, None).span
    assert text[start:stop].startswith("C")

"""MinHash finds what brute force finds at high similarity, and reports exact similarities."""

import random
from argparse import Namespace
from itertools import combinations
from pathlib import Path

import polars as pl

from tests.curation.stage import load, raw_row, run_filters
from workflow_scripts.curation import list_near_duplicates
from workflow_scripts.curation.minhash import SHINGLE, near_duplicates
from workflow_scripts.curation.text_forms import latex_words


def jaccard(one: str, other: str) -> float:
    sets = []
    for text in (one, other):
        words = latex_words(text)
        sets.append({tuple(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def corpus() -> list[str]:
    rng = random.Random(5)
    words = [f"w{i}" for i in range(2000)]
    texts = [" ".join(rng.choices(words, k=60)) for _ in range(120)]
    for i in range(40):
        copied = texts[i].split()
        for place in rng.sample(range(60), rng.randrange(1, 6)):
            copied[place] = rng.choice(words)
        texts.append(" ".join(copied))
    return texts


def test_against_brute_force() -> None:
    texts = corpus()
    true = {(a, b): jaccard(texts[a], texts[b]) for a, b in combinations(range(len(texts)), 2)}
    found = {(p.first, p.second): p.similarity for p in near_duplicates(texts, 0.5, 42)}
    assert all(round(true[pair], 4) == similarity for pair, similarity in found.items())
    close = {pair for pair, similarity in true.items() if similarity >= 0.7}
    assert len(close) > 5 and close <= set(found)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_short_and_empty_texts() -> None:
    assert near_duplicates([], 0.5, 42) == []
    assert near_duplicates(["", "a b", "a b", "one two three four five"], 0.5, 42) == []
    same = ["one two three four five six"] * 3
    assert [(p.first, p.second) for p in near_duplicates(same, 0.5, 42)] == [(0, 1), (0, 2)]


def test_entry_script(tmp_path: Path, exam: Path) -> None:
    passage = "A deck has one card for each of four suits and nine ranks and is dealt to two"
    asks = (
        "friends; who wins?",
        "rivals; who leads?",
        "girls; who is first?",
        "men; why?",
        "by me",
    )
    rows = [raw_row(i) for i in range(4)]
    rows += [raw_row(i + 10, question=f"{passage} {ask}") for i, ask in enumerate(asks)]
    load(tmp_path, rows)
    paths = run_filters(tmp_path, [exam])  # a passage of five questions is boilerplate: all stay
    out = tmp_path / "pairs.csv"
    list_near_duplicates.work(Namespace(**vars(paths), pairs=out, settings={"similarity": 0.5}))
    listed = pl.read_csv(out)
    assert len({*listed["row_id"], *listed["other_row_id"]}) == 5
    assert listed["similarity"].min() >= 0.5
    assert all(text.startswith(passage) for text in listed["question"])

"""Ranks in two vocabularies: each model reads the text in ids of its own.

A token of one is compared with a token of the other where both write exactly the same bytes of the
text; where the spelling differs nothing is compared. KL is between two distributions over the same
words, and has no meaning here.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workflow_scripts.shift.measuring import Measured, Task
from workflow_scripts.shift.scoring import OWN, Arrays, Text
from workflow_scripts.shift.tables import PARTS
from workflow_scripts.shift.texts import Asked, Roots, Written

NOWHERE = -1


def by_text(
    model: Asked,
    base: Asked,
    texts: Sequence[Written],
    tasks: Sequence[Task],
    measured: Measured,
    prompts: tuple[Roots, Roots],
) -> list[Arrays]:
    """Results of each text: both models' OWN at the author's tokens, NaN where nothing fits.

    prompts  of the model and of its base
    Only texts that the base wrote are read again, since others have no ids of its own.
    """
    names = {model.card.name: "model", base.card.name: "base"}
    own = {"model": model, "base": base}
    roots = {"model": prompts[0], "base": prompts[1]}
    found: list[Arrays] = [{} for _ in texts]
    for author, reader in (("model", "base"), ("base", "model")):
        chosen = [i for i, text in enumerate(texts) if names[text.author] == author]
        mine = [replace(tasks[i], again=tasks[i].again and author == "base") for i in chosen]
        spelled = [
            respelled(texts[i], own[author], own[reader], roots[reader][texts[i].key[:2]].prompt)
            for i in chosen
        ]
        theirs = [Task(text) for text, _ in spelled]
        label = f"measure_shift, texts of {own[author].card.name}"
        first = measured.run(mine, author, label)
        second = measured.run(theirs, reader, label)
        for i, arrays, others, (_, fits) in zip(chosen, first, second, spelled, strict=True):
            found[i] = _named(arrays, author) | _named(_placed(others, fits), reader)
    return found


def respelled(
    text: Written, author: Asked, reader: Asked, prompt: Sequence[int]
) -> tuple[Text, np.ndarray]:
    """A text in the reader's ids, and for each written id the reader's token that fits it, or -1.

    Thinking and answer are encoded each by itself, with the reader's own delimiter between them.
    """
    thinking, end, answer = (text.text.targets[text.parts == i] for i in range(len(PARTS)))
    ids, places, fits = list(prompt), [], []
    for part, written in ((0, thinking), (1, end), (2, answer)):
        if part == 1:  # the end of thinking is no text: the reader's own stands there
            ids += reader.vocabulary.natural
            fits += [NOWHERE] * len(written)
            continue
        pieces = [author.pieces[i] for i in written]
        spelling = reader.vocabulary.encode(b"".join(pieces).decode(errors="replace"))
        fits += matches(pieces, [reader.pieces[i] for i in spelling], len(places))
        places += range(len(ids), len(ids) + len(spelling))
        ids += spelling
    whole = Text(np.array(ids, dtype=np.int32), np.array(places, dtype=np.int64))
    return whole, np.array(fits, dtype=np.int64)


def matches(pieces: Sequence[bytes], others: Sequence[bytes], offset: int) -> list[int]:
    """Number of the other token that begins and ends where each token does, or -1."""
    ends, other_ends = (np.cumsum([0, *map(len, each)]).tolist() for each in (pieces, others))
    at = {
        span: number
        for number, span in enumerate(zip(other_ends[:-1], other_ends[1:], strict=True))
    }
    spans = zip(ends[:-1], ends[1:], strict=True)
    return [at[span] + offset if span in at else NOWHERE for span in spans]


def _placed(arrays: Arrays, fits: np.ndarray) -> Arrays:
    """The reader's values at the author's tokens, NaN where none fits."""
    if not len(arrays["rank"]):
        return {name: np.full(len(fits), np.nan) for name in OWN}
    return {
        name: np.where(fits >= 0, arrays[name].astype(np.float64)[np.maximum(fits, 0)], np.nan)
        for name in OWN
    }


def _named(arrays: Arrays, role: str) -> Arrays:
    """With `base_` before the base's."""
    prefix = "base_" if role == "base" else ""
    return {name if name.startswith("null_") else prefix + name: v for name, v in arrays.items()}

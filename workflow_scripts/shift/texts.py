"""Stored natural generations as texts to read: which ids their author wrote, and of what kind."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.model import ModelCard
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.inference import Cutting
from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.common.tables.generation import GENERATION, NATURAL
from workflow_scripts.inference.ends import pieces_of
from workflow_scripts.inference.plan import Root, Study
from workflow_scripts.inference.prompts import Vocabulary, load_vocabulary
from workflow_scripts.shift.kinds import kinds_of
from workflow_scripts.shift.scoring import Text
from workflow_scripts.shift.tables import ANSWER, DELIMITER, END, KINDS, PARTS, THINKING

Key = tuple[str, str, int]  # benchmark, question, draw
NATURAL_PATH = "natural/infinite"


@dataclass(frozen=True)
class Written:
    """One stored generation.

    author  name of the model that wrote it
    parts, kinds  of each written id: places in PARTS and KINDS, int8 [R]
    """

    key: Key
    author: str
    text: Text
    parts: np.ndarray
    kinds: np.ndarray


@dataclass
class Asked:
    """A model as the study asks it.

    study  with the natural cell alone
    """

    card: ModelCard
    vocabulary: Vocabulary
    study: Study

    @classmethod
    def of(cls, card: ModelCard, entry: dict[str, Any], settings: dict[str, Any]) -> "Asked":
        """From its card and its part of the rule's settings."""
        vocabulary = load_vocabulary(card, entry)
        section = read(Cutting, entry["inference"], "inference")
        given = {"samples": settings["samples"], "instructions": entry.get("instructions", {})}
        return cls(card, vocabulary, Study(vocabulary, section, settings["seed"], "", **given))

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes that each id writes."""
        return pieces_of(self.vocabulary.tokenizer, self.vocabulary.size, ())

    def root(self, question: Question) -> Root:
        """Where natural thinking on a question starts: prompt and prefill."""
        readings = self.study.readings(question.dataset)
        arms = (reading.arms[0] for cell, reading in readings if cell.path == NATURAL_PATH)
        return self.study.plan(question).root(next(arms))

    def spelled(self, ids: Iterable[int]) -> dict[str, str]:
        """Text of some ids, as JSON keeps it."""
        return {str(i): self.pieces[i].decode(errors="replace") for i in sorted(set(ids))}


Roots = dict[tuple[str, str], Root]


def roots(asked: Asked, questions: Sequence[Question]) -> Roots:
    """Prompts by benchmark and question."""
    return {(q.dataset, q.question_id): asked.root(q) for q in questions}


def same_vocabulary(model: Vocabulary, base: Vocabulary) -> str:
    """Why equal ids do not mean equal tokens in both; empty where they do."""
    own, other = model.tokenizer.get_vocab(), base.tokenizer.get_vocab()
    if own == other:
        return ""
    by_id, other_by_id = ({i: t for t, i in vocab.items()} for vocab in (own, other))
    first = min(i for i in {*by_id, *other_by_id} if by_id.get(i) != other_by_id.get(i))
    names = [repr(found[first]) if first in found else "none" for found in (by_id, other_by_id)]
    return (
        f"'{model.name}' has {len(own):,} tokens and '{base.name}' {len(other):,}; the first that "
        f"differs is id {first}: {names[0]} and {names[1]}"
    )


def written(
    asked: Asked, tables: Iterable[Path], prompts: Roots, markers: re.Pattern
) -> Iterator[Written]:
    """A model's natural generations of the questions that have prompts.

    InputError where a row's prompt is not the one that the settings give now.
    """
    for path in tables:
        for row in GENERATION.read(path).iter_rows(named=True):
            root = prompts.get((row["dataset"], row["question_id"]))
            if root is None:
                continue
            if row["prompt_tokens"] != root.prompt_tokens:
                raise InputError(
                    f"{path}: the prompt of question {row['question_id']} had "
                    f"{row['prompt_tokens']} ids, and has {root.prompt_tokens} with the "
                    "tokenizer and settings of now; delete the file so that it is cut again"
                )
            found = _written(asked, row, root.prompt, markers)
            if len(found.text.places):
                yield found


def _written(
    asked: Asked, row: dict[str, Any], prompt: Sequence[int], markers: re.Pattern
) -> Written:
    """A row with its ids behind the prompt; what was put there is read and not judged."""
    thinking, delimiter, answer = (row[f"{n}_ids"] for n in ("thinking", "delimiter", "answer"))
    start = len(prompt) + len(thinking)
    behind = start + len(delimiter)
    ends = row["end"] == NATURAL and delimiter and delimiter[0] in asked.vocabulary.think_end
    own = [
        (THINKING, range(len(prompt), start)),
        (END, range(start, start + bool(ends))),
        (ANSWER, range(behind, behind + len(answer))),
    ]
    parts = [PARTS.index(part) for part, places in own for _ in places]
    kinds = np.concatenate(
        [
            kinds_of([asked.pieces[i] for i in thinking], markers),
            np.full(len(own[1][1]), KINDS.index(DELIMITER), np.int8),
            kinds_of([asked.pieces[i] for i in answer], markers),
        ]
    )
    return Written(
        (row["dataset"], row["question_id"], row["sample"]),
        asked.card.name,
        Text(
            np.array([*prompt, *thinking, *delimiter, *answer], dtype=np.int32),
            np.array([place for _, places in own for place in places], dtype=np.int64),
            len(thinking) if ends else -1,
            asked.vocabulary.think_end if ends else (),
        ),
        np.array(parts, dtype=np.int8),
        kinds,
    )

"""Read stored natural generations with a model and its base: predictions at every written token.

settings: `pair` (of `base` and `model` how each is asked, as of rule show_prompts), `first`,
`samples`, `questions`, `null_texts`, `markers`, `dtype`, and `store`, the folder that keeps each
text as it is finished; a killed run goes on from there.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.common.gpus import device_of
from workflow_scripts.common.job import MANY, ONE, log, run, warn
from workflow_scripts.common.model import read_card, verify_weights
from workflow_scripts.common.provenance import digest, provenance
from workflow_scripts.common.tables.benchmark import Question, first_questions
from workflow_scripts.shift import states
from workflow_scripts.shift.kinds import marker_pattern
from workflow_scripts.shift.measuring import FORMAT, Kept, Measured, Pair, Task
from workflow_scripts.shift.scoring import NULL_CHUNK, Arrays, Reader, load
from workflow_scripts.shift.tables import KINDS, PARTS, POSITIONS, STATES, ShiftManifest
from workflow_scripts.shift.texts import (
    Asked,
    Roots,
    Written,
    roots,
    same_vocabulary,
    written,
)
from workflow_scripts.shift.two_vocabularies import by_text

HEAD_TOKENS = 64  # of a prompt, on which our logits are compared with the model's own
MOST_GAP = 2e-2  # relative; bf16 logits are rounded to 1 part in 256


def work(args: argparse.Namespace) -> None:
    """Read what the store lacks; write positions, states and the manifest."""
    settings = args.settings
    model, base = (
        Asked.of(read_card(path), settings["pair"][role], settings)
        for role, path in (("model", args.model), ("base", args.base))
    )
    questions = _asked(args.benchmarks, settings)
    own, other = roots(model, questions), roots(base, questions)
    texts = _texts(args.generations, settings, (model, own), (base, other))
    device = device_of("cuda" if args.gpus else "cpu", args.gpus, "training.gpus")
    job = Job(model, base, texts, settings, device, args.threads, own, other)
    found = job.positions()
    layers = job.layers()
    facts = provenance(settings, stage="shift.measure_shift")
    POSITIONS.write(args.positions, found, facts)
    STATES.write(args.states, layers, facts)
    write_json(args.manifest, job.manifest().to_json())


def _asked(paths: list[Path], settings: dict[str, Any]) -> list[Question]:
    """The questions whose texts are read: the first of each benchmark."""
    most = settings["questions"]
    if most == "all":
        return first_questions(paths, settings["first"])
    each = [first_questions([path], settings["first"])[:most] for path in paths]
    return [question for those in each for question in those]


def _texts(
    tables: list[Path], settings: dict[str, Any], *models: tuple[Asked, Roots]
) -> list[Written]:
    """Both models' natural generations; tables lie in a folder of their model's name."""
    pattern = marker_pattern(settings["markers"])
    found = []
    for asked, prompts in models:
        own = [path for path in tables if path.parts[-4] == asked.card.name]
        texts = list(written(asked, own, prompts, pattern))
        if not texts:
            raise InputError(
                f"model '{asked.card.name}' wrote nothing at its natural end on these questions, "
                "so there is nothing to read; look at its generations"
            )
        found += texts
    return found


@dataclass
class Job:
    """One pair of models, their texts, and what became of them.

    own, other  prompts of the model and of its base
    """

    model: Asked
    base: Asked
    texts: list[Written]
    settings: dict[str, Any]
    device: str
    threads: int
    own: Roots
    other: Roots

    def __post_init__(self) -> None:
        cards = (self.model.card, self.base.card)
        if os.path.realpath(cards[0].path) == os.path.realpath(cards[1].path):
            raise InputError(
                f"'{cards[0].name}' and '{cards[1].name}' are one folder ({cards[0].path}); name "
                "the model before training under `base` of shift.compare"
            )
        self.refused = same_vocabulary(self.model.vocabulary, self.base.vocabulary)
        if self.refused:
            warn(f"no KL between two vocabularies: {self.refused}; ranks are compared by text")
        what = [*(card.digest for card in cards), self.settings["dtype"], self.device, FORMAT]
        self.pair = Pair(self._load)
        folder = Path(f"{self.settings['store']}-{digest(what)[:12]}")
        self.measured = Measured(self.pair, Kept(folder))
        self.head_gap, self.states_refused = 0.0, ""

    def positions(self) -> pl.DataFrame:
        """POSITIONS of every text."""
        again = list(self._again())
        tasks = [Task(text.text, two) for text, two in zip(self.texts, again, strict=True)]
        if self.refused:
            found = by_text(self.model, self.base, self.texts, tasks, self.measured, self._roots())
        else:
            found = self.measured.run(tasks, "pair", "measure_shift")
        frames = [frame(text, arrays) for text, arrays in zip(self.texts, found, strict=True)]
        return pl.concat(frames)

    def layers(self) -> pl.DataFrame:
        """STATES of the prompts; none where the two models' states cannot be compared."""
        model, base = self.pair.readers
        shapes = [_shape(reader) for reader in (model, base)]
        if shapes[0] != shapes[1]:
            self.states_refused = f"states of {shapes[0]} and {shapes[1]} (layers, width)"
            warn(f"no comparison of hidden states: {self.states_refused}")
            return STATES.frame([])
        own, other = ([root.prompt for root in those.values()] for those in (self.own, self.other))
        again = min(NULL_CHUNK, max(1, min(map(len, other)) // 2))
        return STATES.frame(
            states.layer_rows(
                model.states(own),
                base.states(other),
                base.states(other, again),
                self.settings["seed"],
            )
        )

    def manifest(self) -> ShiftManifest:
        """What was done."""
        seconds, read = self.pair.busy, self.pair.read
        ids = {text.author: set() for text in self.texts}
        for text in self.texts:
            ids[text.author] |= set(text.text.targets.tolist())
        return ShiftManifest(
            model=self.model.card.name,
            base=self.base.card.name,
            digest=self.model.card.digest,
            base_digest=self.base.card.digest,
            refused=self.refused,
            states_refused=self.states_refused,
            dtype=self.settings["dtype"],
            device=self.device,
            texts=len(self.texts),
            reused=self.measured.reused,
            read_tokens=read,
            written_tokens=sum(len(text.text.places) for text in self.texts),
            prompts=len(self.own),
            seconds=round(seconds, 3),
            tokens_per_second=round(read / seconds, 1) if seconds else 0.0,
            peak_bytes=_peak(self.device),
            head_gap=self.head_gap,
            tokens=self.model.spelled(ids[self.model.card.name]),
            base_tokens=self.base.spelled(ids[self.base.card.name]),
        )

    def _roots(self) -> tuple[Roots, Roots]:
        return self.own, self.other

    def _again(self) -> Iterator[bool]:
        """Whether the base reads a text twice: the first ones of each model and benchmark."""
        seen: dict[tuple[str, str], int] = {}
        for text in self.texts:
            name = (text.author, text.key[0])
            seen[name] = seen.get(name, 0) + 1
            yield seen[name] <= self.settings["null_texts"]

    def _load(self) -> tuple[Reader, Reader]:
        """Both models on the device, once their weights are known to be those of their cards."""
        import torch

        torch.set_num_threads(max(1, self.threads))
        found = [self._reader(asked) for asked in (self.model, self.base)]
        return found[0], found[1]

    def _reader(self, asked: Asked) -> Reader:
        import torch

        verify_weights(asked.card)
        folder = str(asked.card.folder)
        try:
            loaded = load(folder, self.device, self.settings["dtype"])
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"the GPU has no room for '{self.model.card.name}' and '{self.base.card.name}' "
                f"together ({str(error).splitlines()[0]}); use a GPU that holds the weights of both"
            ) from None
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise InputError(f"{folder}: the model does not load ({error})") from error
        reader = Reader(loaded, asked.vocabulary.size)
        gap = reader.head_gap(self.texts[0].text.ids[:HEAD_TOKENS].tolist())
        if gap > MOST_GAP:
            raise UserError(
                f"{folder}: {type(reader.causal_lm).__name__} computes its logits in a way that is "
                f"not known here (relative difference {gap:.1e}); leave it out of shift.compare"
            )
        self.head_gap = max(self.head_gap, gap)
        log.info("%s: our logits differ from its own by %.1e", asked.card.name, gap)
        return reader


def frame(text: Written, arrays: Arrays) -> pl.DataFrame:
    """POSITIONS of one text; columns that were not measured are null."""
    rows = len(text.text.places)
    dataset, question, sample = text.key
    columns = {
        "dataset": pl.repeat(dataset, rows, eager=True),
        "question_id": pl.repeat(question, rows, eager=True),
        "sample": pl.repeat(sample, rows, eager=True),
        "author": pl.repeat(text.author, rows, eager=True),
        "place": np.arange(rows),
        "part": [PARTS[i] for i in text.parts],
        "kind": [KINDS[i] for i in text.kinds],
        "id": text.text.targets,
        **{name: _column(values) for name, values in arrays.items()},
    }
    absent = [name for name in POSITIONS.schema if name not in columns]
    whole = pl.DataFrame(columns).with_columns(pl.lit(None).alias(name) for name in absent)
    return whole.select(pl.col(name).cast(kind) for name, kind in POSITIONS.schema.items())


def _column(values: np.ndarray) -> pl.Series:
    """Values as a column; NaN stands for nothing to compare in those of another vocabulary."""
    column = pl.Series(values)
    return column.fill_nan(None) if values.dtype == np.float64 else column


def _shape(reader: Reader) -> tuple[int, int]:
    config = reader.causal_lm.config.get_text_config()
    return config.num_hidden_layers, config.hidden_size


def _peak(device: str) -> int | None:
    """The most GPU memory that was in use."""
    import torch

    return torch.cuda.max_memory_allocated() if device == "cuda" else None


def main() -> None:
    """Command line of rule `measure_shift`."""
    run(
        work,
        __doc__,
        {"model": ONE, "base": ONE, "generations": MANY, "benchmarks": MANY},
        ("positions", "states", "manifest"),
        granted=("gpus", "threads"),
    )


if __name__ == "__main__":
    main()

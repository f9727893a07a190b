"""What generate, cut and estimate set up alike: model, vocabulary, study, store."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import ConfigError
from workflow_scripts.inference.engines import fingerprint, prepare
from workflow_scripts.inference.plan import Study
from workflow_scripts.inference.prompts import Vocabulary, load_vocabulary
from workflow_scripts.training.model_card import read_card


@dataclass(frozen=True)
class Session:
    """A model under a study's settings."""

    model: dict[str, Any]
    inference: dict[str, Any]
    vocabulary: Vocabulary
    study: Study
    engine: str
    store: Path

    @property
    def identity(self) -> dict[str, str]:
        """What a store belongs to."""
        return {"model": self.model["digest"], "engine": self.engine}


def open_session(
    model_path: Path,
    settings: dict[str, Any],
    engine: str | None = None,
    threads: int = 0,
    gpus: int = 0,
) -> Session:
    """Read `model.json`, load the tokenizer, list the cells.

    engine         fingerprint to replay under; None for the engine that is configured
    threads, gpus  what the job was granted; they never change results
    `{digest}` in settings["store"] stands for the model's digest: a retrained model gets a store of
    its own, and the old one stays.
    Raises ConfigError when the study's context is larger than the model's.
    """
    model, inference = read_card(model_path).facts(), dict(settings["inference"])
    inference |= {"threads": threads} if threads else {}
    inference |= {"gpus": gpus} if gpus else {}
    _check_limits(model, inference)
    if engine is None:
        engine = fingerprint(inference)
        prepare(model, inference)
    scope = hashlib.sha256(f"{model['digest']}\0{engine}".encode()).hexdigest()
    vocabulary = load_vocabulary(model, settings)
    study = Study(vocabulary, inference, settings["seed"], scope, engine)
    store = Path(settings["store"].replace("{digest}", model["digest"][:12]))
    return Session(model, inference, vocabulary, study, engine, store)


def _check_limits(model: dict[str, Any], inference: dict[str, Any]) -> None:
    context, held = inference["context"], model.get("context")
    if held and context > held:
        raise ConfigError(
            f"inference.context is {context}, but model '{model['name']}' holds {held} tokens; "
            f"set inference.context to {held} or less"
        )
    if inference["answer_tokens"] < 1:
        raise ConfigError(
            f"inference.answer_tokens is {inference['answer_tokens']}; an answer needs at least 1"
        )
    if inference.get("temperature", 0.0) < 0:
        raise ConfigError(f"inference.temperature is {inference['temperature']}; 0 is greedy")

"""`model.json`: what a model is. `location.json` beside it: where its files lie.

Rules depend on the first alone, which holds content only; so a moved checkout, another user's hub
cache or a renamed folder changes nothing that a rule could see.
"""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import read_json, write_json
from workflow_scripts.common.errors import InputError
from workflow_scripts.training.model_files import weight_files, weights_digest

LOCATION = "location.json"
ELSEWHERE = ("path", "source")  # of a card's fields: in location.json


@dataclass(frozen=True)
class Location:
    """Where a model lies.

    folder       that `transformers` and `vllm` load; relative to this file's own folder where it
                 lies inside it, else to the working directory where it lies inside that
    relative_to  "file", "working directory" or null (an absolute folder)
    source       `path` of the config: a folder or a hub id; null for models trained here
    """

    folder: str
    relative_to: str | None
    source: str | None


@dataclass(frozen=True)
class ModelCard:
    """One model.

    path               folder that `transformers` and `vllm` load; not part of `model.json`
    revision           commit on the hub, null for local folders
    digest             SHA-256 over the weight files' own SHA-256s
    config_digest      config.json without bookkeeping
    tokenizer_digest   vocabulary, merges, special tokens, tokenizer_config.json
    template_digest    the chat template; null where there is none
    generation_digest  generation_config.json; null where there is none
    context            longest sequence in tokens
    base               digest of the model that it was trained from, null for pretrained models
    source             `path` of the config, null for trained models; not part of `model.json`
    """

    name: str
    path: str
    revision: str | None
    digest: str
    config_digest: str | None
    tokenizer_digest: str | None
    template_digest: str | None
    generation_digest: str | None
    architecture: str
    parameters: int
    context: int
    dtype: str
    trained: bool
    base: str | None
    source: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The object of `model.json`: content only."""
        return {k: v for k, v in asdict(self).items() if k not in ELSEWHERE}

    def facts(self) -> dict[str, Any]:
        """`model.json` and the folder, for code that takes a dictionary."""
        return {**self.to_json(), "path": self.path}

    @property
    def folder(self) -> Path:
        """The model's folder; InputError when it has gone."""
        folder = Path(self.path)
        if not folder.is_dir():
            raise InputError(
                f"model '{self.name}': {folder} does not exist any more; put it back, or delete "
                "its model.json so that it is made again"
            )
        return folder


def write_card(path: Path, card: ModelCard) -> None:
    """Write `model.json` at `path` and `location.json` beside it."""
    _write_location(path, card)
    write_json(path, card.to_json())


def read_card(path: Path) -> ModelCard:
    """Read `model.json` and where the model lies.

    InputError when keys are missing or unknown, or `location.json` is absent. A model of the hub
    whose cache has moved is looked up again at its revision.
    """
    facts = read_json(path)
    known = {item.name for item in fields(ModelCard)} - set(ELSEWHERE)
    odd = sorted(known ^ facts.keys()) if isinstance(facts, dict) else ["no object"]
    if odd:
        raise InputError(
            f"{path} was written by another version of this workflow (missing or unknown: "
            f"{', '.join(odd)}); delete it and run again, so that it is rebuilt (weights of an "
            "equal training run are not trained again)"
        )
    card = ModelCard(path="", **facts)
    place = _location(path)
    found = replace(card, path=str(_folder(place, path.parent)), source=place.source)
    return found if Path(found.path).is_dir() else _located_again(found)


def verify_weights(card: ModelCard) -> None:
    """InputError when the weights in the model's folder are not those of its card. Reads them."""
    if weights_digest(weight_files(card.folder)) != card.digest:
        raise InputError(
            f"model '{card.name}': the weights in {card.folder} are not those of its model.json "
            "any more (another SHA-256); put them back, or delete model.json so that it is made "
            "again"
        )


def _write_location(path: Path, card: ModelCard) -> None:
    folder, relative_to = _portable(card.folder, path.parent)
    write_json(path.with_name(LOCATION), asdict(Location(folder, relative_to, card.source)))


def _location(path: Path) -> Location:
    place = path.with_name(LOCATION)
    try:
        return Location(**read_json(place))
    except (TypeError, InputError) as error:
        raise InputError(
            f"{place}, which says where the files of {path} lie, cannot be read ({error}); delete "
            "both, so that they are made again"
        ) from None


def _folder(place: Location, beside: Path) -> Path:
    return beside / place.folder if place.relative_to == "file" else Path(place.folder)


def _located_again(card: ModelCard) -> ModelCard:
    """The card with the folder of its hub revision in this user's cache; else as it is."""
    if card.source is None or card.revision is None:
        return card
    from workflow_scripts.training.hub import locate

    return replace(card, path=str(locate(card.source, card.revision).folder))


def _portable(folder: Path, beside: Path) -> tuple[str, str | None]:
    resolved = folder.resolve()
    for base, name in ((beside.resolve(), "file"), (Path.cwd().resolve(), "working directory")):
        if resolved.is_relative_to(base):
            return str(resolved.relative_to(base)), name
    return str(resolved), None

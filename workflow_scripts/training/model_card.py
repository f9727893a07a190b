"""`model.json`: which weights a model is, where they lie, and what they were trained from."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import read_json
from workflow_scripts.common.errors import InputError


@dataclass(frozen=True)
class ModelCard:
    """One model.

    path      folder that `transformers` and `vllm` load, relative to the working directory
              where it lies inside it
    revision  commit on the hub, null for local folders
    digest    SHA-256 over the weight files' own SHA-256s
    context   longest sequence in tokens
    base      digest of the model that it was trained from, null for pretrained models
    """

    name: str
    path: str
    revision: str | None
    digest: str
    architecture: str
    parameters: int
    context: int
    dtype: str
    trained: bool
    base: str | None

    def to_json(self) -> dict[str, Any]:
        """The object of `model.json`."""
        return asdict(self)

    @property
    def folder(self) -> Path:
        """The model's folder; InputError when it has gone."""
        folder = Path(self.path)
        if not folder.is_dir():
            raise InputError(
                f"model '{self.name}': {folder} does not exist any more; "
                "delete its model.json so that it is made again"
            )
        return folder


def read_card(path: Path) -> ModelCard:
    """Read `model.json`; InputError when keys are missing or unknown."""
    try:
        return ModelCard(**read_json(path))
    except TypeError as error:
        raise InputError(f"{path} is no model.json of this version ({error}); rebuild it") from None

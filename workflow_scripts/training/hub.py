"""Where a model comes from: a local folder, or the Hugging Face hub at a pinned revision."""

from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.common.hub import Repository, snapshot

WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]  # no pickles, no code


@dataclass(frozen=True)
class ModelSource:
    """A folder with a model, and the commit it was fetched at (null for local folders)."""

    folder: Path
    revision: str | None


def locate(path: str, revision: str | None) -> ModelSource:
    """The folder of a model: `path` itself if it exists, else a snapshot of the hub's repository.

    Raises UserError that says what to do when the hub cannot give it.
    """
    local = Path(path)
    if local.is_dir():
        return ModelSource(local, None)
    if local.exists():
        raise InputError(f"models: {path} is a file; give the folder that holds config.json")
    if path.startswith((".", "/", "~")) or path.count("/") != 1:
        raise InputError(f"models: folder {path} does not exist, and it is no hub id (owner/name)")
    folder = _snapshot(path, revision, WANTED)
    return ModelSource(folder, folder.name)


def config_folder(path: str, revision: str | None) -> Path:
    """A folder with the config.json of a model, whose weights need not be there.

    UserError that says what is missing where neither the hub nor its cache gives it.
    """
    if Path(path).exists() or path.startswith((".", "/", "~")) or path.count("/") != 1:
        return locate(path, revision).folder
    try:
        return _snapshot(path, revision, ["config.json"])
    except UserError as error:
        raise UserError(f"no config.json of {path} to reckon with: {error}") from None


def _snapshot(path: str, revision: str | None, wanted: list[str]) -> Path:
    keys = ("path", "revision")
    repository = Repository("model", path, revision or "main", keys, "put a local folder as `path`")
    return snapshot(repository, wanted)

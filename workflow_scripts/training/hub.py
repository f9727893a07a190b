"""Where a model comes from: a local folder, or the Hugging Face hub at a pinned revision."""

from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.errors import InputError, UserError

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
    folder = _download(path, revision)
    return ModelSource(folder, folder.name)


def config_folder(path: str, revision: str | None) -> Path:
    """A folder with the config.json of a model, whose weights need not be there.

    UserError that says what is missing where neither the hub nor its cache gives it.
    """
    if Path(path).exists() or path.startswith((".", "/", "~")) or path.count("/") != 1:
        return locate(path, revision).folder
    try:
        return _download(path, revision, ["config.json"])
    except UserError as error:
        raise UserError(f"no config.json of {path} to reckon with: {error}") from None


def _download(repo: str, revision: str | None, wanted: list[str] = WANTED) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=wanted))
    except GatedRepoError:
        raise UserError(
            f"{repo} is gated: accept its terms on its hub page, then run `hf auth login` "
            "(or set HF_TOKEN) and start again"
        ) from None
    except RevisionNotFoundError:
        raise UserError(f"{repo} has no revision {revision!r}: correct `revision`") from None
    except RepositoryNotFoundError:
        raise UserError(
            f"the hub has no model {repo} that you may read: correct `path`, or run `hf auth login`"
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"cannot fetch {repo}@{revision or 'main'} ({_first_line(error)}). Connect to the hub "
            f"once (`hf download {repo}` fills the cache, then HF_HUB_OFFLINE=1 works), or put a "
            "local folder as `path`"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

"""Sending an exported folder to a repository of a hub: what it would do, and doing it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

from workflow_scripts.common.artifacts import read_json
from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.common.hub import LOGIN
from workflow_scripts.common.source_files import EXPORT_MARKER
from workflow_scripts.common.storage import gb
from workflow_scripts.exchange.hub_results import FOLDER

KINDS = ("model", "dataset")
APART = ("dataset", "model", "hub-results")  # forms with a folder for each repository
SHOWN = 40  # files that are listed one by one
MESSAGE = "Export of a study with s1flow"


@dataclass(frozen=True)
class Sending:
    """What will be sent, and where.

    files         by their name in the repository
    exists        whether the repository is there already
    private       who sees it: its own setting where it exists
    replaced      names of files that it has already
    pull_request  nothing of it changes before its owners agree
    """

    files: dict[str, Path]
    repository: str
    kind: str
    endpoint: str
    exists: bool
    private: bool
    replaced: frozenset[str]
    pull_request: bool

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.files.values())

    def described(self) -> str:
        """For a person who has to agree."""
        lines = [
            f"  {name}  {gb(path.stat().st_size)}{self._mark(name)}" for name, path in self._first()
        ]
        rest = len(self.files) - len(lines)
        lines += [f"  and {rest} files more"] if rest else []
        seen = (
            "private: only you and its members see it"
            if self.private
            else "PUBLIC: everyone sees it"
        )
        state = "exists" if self.exists else "will be made"
        how = "a pull request to" if self.pull_request else "a commit to"
        return "\n".join(
            [
                f"{len(self.files)} files, {gb(self.size)}, as {how} the {self.kind} repository "
                f"{self.repository} on {self.endpoint}",
                f"it {state}; {seen}",
                *lines,
            ]
        )

    def _first(self) -> list[tuple[str, Path]]:
        return list(self.files.items())[:SHOWN]

    def _mark(self, name: str) -> str:
        return "  (replaces the one there)" if name in self.replaced else ""


def plan(
    folder: Path, repository: str, kind: str | None, public: bool, pull_request: bool
) -> Sending:
    """Look at folder and repository; nothing is sent.

    UserError where the folder holds nothing to send, or the hub refuses.
    """
    files = _files(folder)
    if get_token() is None:
        raise UserError(f"publishing needs an account: {LOGIN}")
    of_model = any(name == "config.json" or name.startswith(f"{FOLDER}/") for name in files)
    kind = kind or ("model" if of_model else "dataset")
    info = _info(repository, kind)
    if info is None and pull_request:
        raise UserError(f"there is no {kind} repository {repository} to make a pull request to")
    there = {item.rfilename for item in info.siblings or []} if info else set()
    return Sending(
        files=files,
        repository=repository,
        kind=kind,
        endpoint=constants.ENDPOINT,
        exists=info is not None,
        private=bool(info.private) if info else not public,
        replaced=frozenset(there & files.keys()),
        pull_request=pull_request,
    )


def send(sending: Sending) -> str:
    """Make the repository if it is not there, and send the files in one commit; its address."""
    api = HfApi(endpoint=sending.endpoint)
    operations = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=path)
        for name, path in sending.files.items()
    ]
    try:
        if not sending.exists:
            api.create_repo(
                sending.repository, repo_type=sending.kind, private=sending.private, exist_ok=False
            )
        done = api.create_commit(
            sending.repository,
            operations,
            commit_message=MESSAGE,
            repo_type=sending.kind,
            create_pr=sending.pull_request,
        )
    except Exception as error:
        raise _explained(sending.repository, error) from error
    return done.pr_url or done.commit_url


def _files(folder: Path) -> dict[str, Path]:
    """Files by name; those whose name begins with a dot stay here, but for results."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one that `s1flow export` made")
    _check_single(folder)
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InputError(f"{path} is a link; put the file itself there, or take it away")
        hidden = any(part.startswith(".") and part != FOLDER for part in name.split("/"))
        if path.is_file() and not hidden:
            found[name] = path
    if not found:
        raise InputError(f"{folder} holds no file to send")
    return found


def _check_single(folder: Path) -> None:
    """InputError for a folder of folders, each of which is a repository of its own."""
    path = folder / EXPORT_MARKER
    if path.exists() and read_json(path).get("form") in APART:
        inside = ", ".join(sorted(str(inner) for inner in folder.iterdir() if inner.is_dir()))
        raise InputError(f"{folder} holds a folder for each repository; publish one: {inside}")


def _info(repository: str, kind: str) -> Any:
    """What the hub says of the repository; None where there is none."""
    try:
        return HfApi(endpoint=constants.ENDPOINT).repo_info(repository, repo_type=kind)
    except RepositoryNotFoundError:
        return None
    except HFValidationError:
        raise UserError(f"--to {repository}: write OWNER/NAME") from None
    except Exception as error:
        raise _explained(repository, error) from error


def _explained(repository: str, error: Exception) -> Exception:
    """What to do about an error of the hub or of the way to it; others as they are."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, HfHubHTTPError) and error.response.status_code == 401:
        return UserError(f"the hub refuses your token: {LOGIN}")
    if isinstance(error, (HfHubHTTPError, ValueError)):  # ValueError: a card that it finds wrong
        return UserError(
            f"the hub refuses {repository}: {reason}. Nothing was committed; a token that may "
            f"write there is needed ({LOGIN})"
        )
    if {kind.__name__ for kind in type(error).__mro__} & {"TransportError", "OSError"}:
        return UserError(
            f"{constants.ENDPOINT} cannot be reached ({reason}); nothing was committed"
        )
    return error

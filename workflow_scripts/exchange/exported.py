"""A folder with one form of a study: written whole or not at all, and known again as ours."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.source_files import EXPORT_MARKER
from workflow_scripts.common.storage import writing


@dataclass(frozen=True)
class Exported:
    """What an export wrote: its form, the study, files and their bytes."""

    form: str
    study: str
    count: int
    size: int


def write_folder(
    folder: Path, form: str, study: str, replace: bool, write: Callable[[Path], list[Path]]
) -> Exported:
    """Let `write` fill a folder beside `folder`, and put it in its place.

    UserError where something lies there that is not to be replaced, or is no export.
    """
    _check_free(folder, replace)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        files = write(part)
        made = Exported(form, study, len(files), sum(path.stat().st_size for path in files))
        write_json(part / EXPORT_MARKER, asdict(made))
        part.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return made


def _check_free(folder: Path, replace: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / EXPORT_MARKER).exists():
        raise UserError(f"{folder} exists and is no export of s1flow; name another --out")
    if not replace:
        raise UserError(f"{folder} holds an earlier export; add --replace, or name another --out")

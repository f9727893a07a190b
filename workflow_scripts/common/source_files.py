"""The files that an entry of `source.files` stands for: a file, a glob, or a folder."""

import glob
import json
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.errors import ConfigError

SUFFIXES = (".parquet", ".arrow", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
COMPRESSED = (".gz", ".zst")  # behind a text suffix
LOG_SUFFIXES = (".eval", ".json", ".jsonl", ".jsonl-async", ".parquet")  # of other harnesses
EXPORT_MARKER = ".s1flow-export.json"  # in folders that we exported: no file of another harness


def source_files(names: Sequence[str]) -> list[str]:
    """Every file, in order: globs and folders sorted by name, datasets saved to disk by shard.

    A plain name is passed on whether it exists or not: a rule may make it. Raises ConfigError for a
    glob or a folder without a file that can be read, and for a folder of several kinds of files.
    """
    return [file for name in names for file in _expanded(name)]


def form(path: Path) -> str:
    """A file's form, the suffix that says how it is read: ".jsonl" for "a.JSONL.gz"; else ""."""
    endings = [suffix.lower() for suffix in path.suffixes[-2:]]
    if endings and endings[-1] in COMPRESSED:
        endings.pop()
    return endings[-1] if endings and endings[-1] in SUFFIXES else ""


def _expanded(name: str) -> list[str]:
    path = Path(name)
    if path.is_dir():
        return _folder(path)
    if path.exists() or not glob.has_magic(name):
        return [name]
    found = sorted(file for file in glob.glob(name, recursive=True) if Path(file).is_file())
    if not found:
        raise ConfigError(f"source.files: {name} matches no file")
    return found


def _folder(folder: Path) -> list[str]:
    if (folder / "dataset_dict.json").is_file():
        splits = json.loads((folder / "dataset_dict.json").read_text())["splits"]
        raise ConfigError(
            f"source.files: {folder} holds the splits {', '.join(splits)}: name one, e.g. "
            f"{folder / splits[0]}"
        )
    if (folder / "state.json").is_file():  # a dataset saved to disk
        shards = json.loads((folder / "state.json").read_text())["_data_files"]
        return [str(folder / shard["filename"]) for shard in shards]
    files = sorted(path for path in folder.rglob("*") if path.is_file() and form(path))
    kinds = sorted({form(path) for path in files})
    if len(kinds) > 1:
        raise ConfigError(
            f"source.files: {folder} holds files of several kinds ({', '.join(kinds)}): name "
            f"those to read, e.g. {folder}/*{kinds[0]}"
        )
    if not files:
        raise ConfigError(
            f"source.files: {folder} holds no file that can be read ({', '.join(SUFFIXES)})"
        )
    return [str(path) for path in files]


def log_files(names: str | Sequence[str]) -> list[str]:
    """Files of another harness: plain names, globs, and whole folders, sorted by name.

    Of a folder that we exported, all but the marker that says so.

    Raises ConfigError for a glob without a file.
    """
    found: list[str] = []
    for name in [names] if isinstance(names, str) else names:
        path = Path(name)
        if path.is_dir():
            here = sorted(str(file) for file in path.rglob("*") if file.is_file())
            logs = [file for file in here if Path(file).suffix in LOG_SUFFIXES]
            found += [file for file in logs if Path(file).name != EXPORT_MARKER]
        elif glob.has_magic(name) and not path.exists():
            matched = sorted(glob.glob(name, recursive=True))
            if not matched:
                raise ConfigError(f"models: `imported.files`: {name} matches no file")
            found += matched
        else:
            found.append(name)
    return found

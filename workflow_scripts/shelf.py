"""Benchmarks by name: entries of the config that a file on the shelf completes.

    python -m workflow_scripts.shelf            # writes the table of docs/benchmarks.md
    python -m workflow_scripts.shelf --check    # fails where it is out of date

A file `shelf/NAME.yaml` holds what an entry of `benchmarks` may set. A study's own folders of such
files (`shelf: [FOLDER]`) come before ours. Only the workflow imports this module.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.errors import ConfigError
from workflow_scripts.common.home import home
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.curation import ShelfFile

Entry = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
SHELF = home() / "shelf"
PAGE = ROOT / "docs/benchmarks.md"
MARKS = ("<!-- shelf -->\n", "<!-- end of the shelf -->\n")
FOR_PEOPLE = ("about", "licence")  # keys of a file that no entry has
COMMIT = re.compile(r"[0-9a-f]{40}")


def completed(config: Entry) -> Entry:
    """A config with its benchmarks whole: those of the study, and those to stay clear of.

    ConfigError for a name that is on no shelf, and for a file that is not valid. What else is
    wrong with the config stays as it is, for the check of the whole.
    """
    folders = config.get("shelf") or []
    curation = config.get("curation")
    section = curation.get("decontamination") if isinstance(curation, Mapping) else None
    if not _are_texts(folders):
        return config
    found = {**config, "benchmarks": _whole(config.get("benchmarks"), "benchmarks", folders)}
    if isinstance(curation, Mapping) and isinstance(section, Mapping):
        extra = _whole(section.get("extra"), "curation.decontamination.extra", folders)
        found["curation"] = {**curation, "decontamination": {**section, "extra": extra}}
    return found


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _whole(entries: Any, where: str, folders: Sequence[str]) -> Any:
    if not isinstance(entries, list):
        return entries
    return [_one(entry, f"{where}[{i}]", folders) for i, entry in enumerate(entries)]


def _one(entry: Any, where: str, folders: Sequence[str]) -> Any:
    """A name, or an entry with `shelf` or without a source, over what the shelf says of it."""
    own = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(own, Mapping) or ("source" in own and "shelf" not in own):
        return entry
    name = own.get("shelf", own.get("name"))
    if not isinstance(name, str):
        return entry
    base = benchmark(name, where, folders)
    found = {**base, **{key: value for key, value in own.items() if key != "shelf"}}
    source = own.get("source")
    if isinstance(source, Mapping):
        found["source"] = {**base["source"], **source}
    return found


def benchmark(name: str, where: str, folders: Sequence[str]) -> Entry:
    """The whole entry of a benchmark on the shelf, in our words.

    where    it is asked for, for the error
    folders  of the study, before ours
    """
    files = on_shelf(folders)
    if name not in files:
        raise ConfigError(
            f"{where}: '{name}' is not on the shelf, which has: "
            f"{', '.join(files)}. Correct the name, give the entry a `source` and a `format` of "
            f"its own, or put a file {name}.yaml into a folder of yours and name that in `shelf`"
        )
    entry = _read(files[name])
    return {key: value for key, value in entry.items() if key not in FOR_PEOPLE}


def on_shelf(folders: Sequence[str] = ()) -> dict[str, Path]:
    """Name -> file of every benchmark on the shelf, a study's own before ours."""
    files: dict[str, Path] = {}
    for folder in (*map(Path, folders), SHELF):
        if not folder.is_dir():
            raise ConfigError(f"shelf: {folder} is no folder; it should hold files NAME.yaml")
        for path in sorted(folder.glob("*.yaml")):
            files.setdefault(path.stem, path)
    return files


def _read(path: Path) -> Entry:
    """A file's keys with the name that is the file's; ConfigError where it is not valid."""
    try:
        said = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(said, dict):
        raise ConfigError(f"{path}: expected keys of a benchmark, such as `format` and `source`")
    if "name" in said or "shelf" in said:
        raise ConfigError(f"{path}: the benchmark's name is the file's; take `name` or `shelf` out")
    entry = {"name": path.stem, **said}
    read(ShelfFile, entry, str(path))
    return entry


# ------------------------------------------------------------------------------------ its page


def table() -> str:
    """What is on our shelf, as Markdown."""
    lines = [
        "| name | what | questions | format | group | year | source | licence |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, path in on_shelf().items():
        one = read(ShelfFile, _read(path), str(path))
        cells = [f"{one.title}: {one.about}", one.count, one.format, one.group, one.year]
        cells += [_source(one), one.licence]
        lines.append(f"| `{name}` | {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def _source(one: ShelfFile) -> str:
    source = one.source
    parts = ", ".join(part for part in (source.subset, source.split) if part)
    pinned = f"`{source.revision[:8]}`" if COMMIT.fullmatch(source.revision) else "not pinned"
    return f"{source.hub} ({parts}) at {pinned}"


def page() -> str:
    """The page with the table as it should be."""
    before, rest = PAGE.read_text().split(MARKS[0])
    return f"{before}{MARKS[0]}{table()}{MARKS[1]}{rest.split(MARKS[1])[1]}"


def main() -> None:
    """Write the table into its page, or compare it with the one that is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        sys.exit(f"{PAGE.relative_to(ROOT)} is out of date: python -m workflow_scripts.shelf")


if __name__ == "__main__":
    main()

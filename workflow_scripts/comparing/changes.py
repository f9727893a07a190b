"""Which settings, weights and versions two studies differ in, from what their files record."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import read_facts, read_json
from workflow_scripts.common.errors import InputError
from workflow_scripts.common.provenance import canonical_json
from workflow_scripts.comparing.sides import Side

# Where a study lies and what it is called changes nothing in it.
PLACES = {"store", "out", "weights", "checkpoints", "results", "shard", "content", "name"}
NOT_RUN = "not set"
DIGEST = 12  # characters of a digest that are shown
RESULTS = "RESULTS"


@dataclass(frozen=True)
class Change:
    """A key whose value two studies do not share.

    where   what was made with it: "cut base", "grade"
    values  as JSON, of the first and of the other study; NOT_RUN where a key is absent
    """

    key: str
    where: tuple[str, ...]
    values: tuple[str, str]


@dataclass(frozen=True)
class Recorded:
    """What a study's files say that they were made with.

    settings  of each step, flat: step -> dotted key -> JSON
    versions  of weights, code, engines and packages: name -> text
    """

    settings: dict[str, dict[str, str]]
    versions: dict[str, str]


@dataclass(frozen=True)
class Changes:
    """What two studies' files record and do not share.

    settings, versions  that differ; of weights, engines, code and packages
    silent              which of the two, by place, record nothing of either
    """

    settings: list[Change]
    versions: list[Change]
    silent: tuple[int, ...] = ()


def changed(a: Recorded, b: Recorded) -> Changes:
    """Settings that differ, in the order of the steps; weights, code and packages that do.

    Steps that one study lacks are one change, not one for each of their keys; so are those of which
    the two record nothing alike, as of a model of another harness.
    """
    found: dict[tuple[str, tuple[str, str]], list[str]] = {}
    for step in [*a.settings, *(step for step in b.settings if step not in a.settings)]:
        ours, theirs = a.settings.get(step), b.settings.get(step)
        if ours is None or theirs is None:
            values = tuple("made" if own is not None else "not made" for own in (ours, theirs))
            found.setdefault(("steps", (values[0], values[1])), []).append(step)
            continue
        if not ours.keys() & theirs.keys() - {"seed"}:  # another harness's records
            found.setdefault(("all settings", ("recorded", "recorded otherwise")), []).append(step)
            continue
        for key, values in _differing(ours, theirs):
            found.setdefault((key, values), []).append(step)
    settings = [Change(key, tuple(steps), values) for (key, values), steps in found.items()]
    versions = [Change(key, (), values) for key, values in _differing(a.versions, b.versions)]
    silent = tuple(i for i, one in enumerate((a, b)) if not one.settings and not one.versions)
    return Changes(settings, versions, silent)


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for key in [*a, *(key for key in b if key not in a)]:
        values = a.get(key, NOT_RUN), b.get(key, NOT_RUN)
        if values[0] != values[1]:
            yield key, values


def recorded(side: Side, models: Mapping[str, str]) -> Recorded:
    """What a study's files record.

    models  its models that are compared, each with the name that the step shall have: two
            models that face each other may be called otherwise
    """
    settings: dict[str, dict[str, str]] = {}
    versions: dict[str, str] = {}
    files = [(step, _facts(path)) for step, path in _files(side, models)]
    own = [(step, json.loads(facts["settings"])) for step, facts in files if "settings" in facts]
    results = next((name for name in map(_folder, (one for _, one in own)) if name), "")
    for step, one in own:
        settings.setdefault(step, {}).update(_flat(one, results))
    for step, facts in files:
        versions |= {
            f"{step}: {name}": facts[name] for name in ("engine", "model") if name in facts
        }
        versions |= _code(facts)
    for model, called in models.items():
        path = side.folder / "training" / model / "manifest.json"
        if path.exists():
            manifest = read_json(path)
            settings[f"train {called}"] = _flat(
                {**manifest.get("settings", {}), "samples": manifest.get("samples")}, ""
            )
            versions |= {
                f"train {called}: {name}": str(version)
                for name, version in manifest.get("versions", {}).items()
            }
    return Recorded(settings, {key: _short(key, value) for key, value in versions.items()})


def _files(side: Side, models: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """A file of each step, with the step's name, in the order of the study."""
    folder = side.folder
    for path in sorted((folder / "curation").glob("*.parquet")):
        yield f"curation {path.stem}", path
    for path in sorted((folder / "curation/sets").glob("*.parquet")):
        yield f"training set {path.stem}", path
    for name in side.asked:
        yield f"benchmark {name}", folder / "benchmarks" / f"{name}.parquet"
    for model, called in models.items():
        yield f"tokenize {called}", folder / "training" / model / "samples.parquet"
        for name in side.asked:
            cells = sorted((folder / "generations" / model / name).glob("*/*.parquet"))
            yield from ((f"decode {called}", cell) for cell in cells[:1])
        yield f"grade {called}", folder / "grades" / f"{model}.parquet"
    yield "count", folder / "analysis/outcomes.parquet"


def _facts(path: Path) -> dict[str, str]:
    """Metadata of a parquet file; nothing of one that is absent or no longer one."""
    try:
        return read_facts(path) if path.exists() else {}
    except Exception as error:  # polars has several kinds for a damaged file
        raise InputError(f"{path} is damaged ({str(error)[:120]}); run the study again") from None


def _code(facts: Mapping[str, str]) -> dict[str, str]:
    """The code that wrote a file, and packages that it names."""
    packages = json.loads(facts.get("packages", "{}"))
    commit = {"commit": facts["git_commit"]} if "git_commit" in facts else {}
    return commit | {f"package {name}": version for name, version in packages.items()}


def _short(key: str, value: str) -> str:
    return value[:DIGEST] if key.endswith(": model") or key == "commit" else value


def _folder(settings: Mapping[str, Any]) -> str:
    """The results folder as the study itself calls it, from a step's own paths; "" if unknown."""
    out = str(settings.get("out", ""))
    return out.split("/generations/")[0] if "/generations/" in out else ""


def _flat(value: Any, results: str, place: str = "") -> dict[str, str]:
    """A tree of settings as dotted keys with JSON; lists of entries with names go by those."""
    if isinstance(value, dict) and value:
        found: dict[str, str] = {}
        for key, item in value.items():
            if key not in PLACES:
                found |= _flat(item, results, f"{place}.{key}" if place else str(key))
        return found
    if _named(value):
        return _flat({entry["name"]: {**entry, "name": 0} for entry in value}, results, place)
    text = canonical_json(value)
    return {place: text.replace(f'"{results}/', f'"{RESULTS}/') if results else text}


def _named(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and "name" in entry for entry in value)
    )


def compared(sides: Sequence[Side], pairs: Sequence[tuple[str, str]]) -> tuple[Recorded, Recorded]:
    """What two studies record, of the models that face each other alone."""
    one, other = sides
    return (
        recorded(one, {a: a for a, _ in pairs}),
        recorded(other, {b: a for a, b in pairs}),
    )

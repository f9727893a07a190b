"""Folders for a hub: a training set with its card, and a trained model with its card.

A card's metadata is made by huggingface_hub's classes, its text from the templates beside this
module; every number in it comes from the results folder.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from huggingface_hub import DatasetCardData, ModelCardData

from workflow_scripts.common.artifacts import (
    atomic,
    read_facts,
    read_json,
    reading,
    write_text,
)
from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.common.home import version
from workflow_scripts.common.hub import MODEL_FILES
from workflow_scripts.common.markdown import code, plain, table
from workflow_scripts.common.model import read_card, verify_weights
from workflow_scripts.common.tables.pool import SELECTED
from workflow_scripts.exchange import hub_results
from workflow_scripts.exchange.results_folder import (
    UNFINISHED,
    Cell,
    ModelFacts,
    ResultsFolder,
    portable,
)
from workflow_scripts.reporting.naming import DASH, number, percent

CODE_DATA = ("dataset_card.md.j2", "model_card.md.j2")
DATASET_CARD, MODEL_CARD = CODE_DATA
UNKNOWN = "unknown"  # a licence that the hub knows by this name
DATA = "data/train-00000-of-00001.parquet"
OWN_POOL = "curation/pool.parquet"
OURS = ("training_run.json",)  # beside the weights, of no use elsewhere
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
NOT_NAMED = "No licence was named when this card was made."


@dataclass(frozen=True)
class Terms:
    """What a card says that no table knows.

    licence  a licence as hubs name it
    owner    whose repository it will be, for names
    naming   of results on the hub
    """

    licence: str = UNKNOWN
    owner: str = "local"
    naming: hub_results.Naming = field(default_factory=hub_results.Naming)


def write_dataset(results: ResultsFolder, out: Path, name: str, terms: Terms) -> list[Path]:
    """Write a selected training set as a folder that `datasets.load_dataset` reads; the files."""
    path = results.folder / f"curation/sets/{name}.parquet"
    frame = SELECTED.read(path)
    folder = out / portable(name)
    data = folder / DATA
    with atomic(data) as part:
        frame.write_parquet(part, compression="zstd")
    counts = read_json(path.with_suffix(".json"))
    text = _rendered(DATASET_CARD, _dataset_values(results, path, frame, counts, terms))
    metadata = DatasetCardData(
        license=terms.licence,
        pretty_name=f"{results.study}: {name}",
        task_categories=["text-generation"],
        size_categories=_size(frame.height),
        tags=["reasoning", "test-time-scaling", "s1flow"],
        configs=[
            {"config_name": "default", "data_files": [{"split": "train", "path": "data/*.parquet"}]}
        ],
    )
    return [data, _write_card(folder, metadata, text)]


def write_model(results: ResultsFolder, out: Path, name: str, terms: Terms) -> list[Path]:
    """Write a trained model's folder with card and results; the files.

    UserError for a model that was not trained here; InputError where its weights have changed.
    """
    model = next(one for one in results.models if one.name == name)
    if not model.trained or model.training is None:
        raise UserError(
            f"model {name!r} was not trained by this study: its card is its maker's; export its "
            "results with --format hub-results"
        )
    card = read_card(results.folder / f"models/{name}/model.json")
    verify_weights(card)
    folder = out / portable(name)
    made = [_copied(path, folder) for path in _model_files(card.folder)]
    base = next((one for one in results.models if one.name == model.base), None)
    metadata = ModelCardData(
        license=terms.licence,
        base_model=base.hub_id if base else None,
        library_name="transformers",
        pipeline_tag="text-generation",
        model_name=model.title,
        tags=["reasoning", "test-time-scaling", "s1flow"],
        eval_results=hub_results.index_results(results, model) or None,
    )
    text = _rendered(MODEL_CARD, _model_values(results, model, base, terms))
    entries = hub_results.write_entries(results, model, folder, terms.naming)
    return [*made, *entries, _write_card(folder, metadata, text)]


def _write_card(folder: Path, metadata: DatasetCardData | ModelCardData, text: str) -> Path:
    path = folder / "README.md"
    write_text(path, f"---\n{metadata.to_yaml()}\n---\n\n{text.rstrip()}\n")
    return path


def _rendered(name: str, values: Mapping[str, Any]) -> str:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # values are Markdown, escaped where they are made
    )
    return env.get_template(name).render(values)


def _dataset_values(
    results: ResultsFolder,
    path: Path,
    frame: pl.DataFrame,
    counts: Mapping[str, Any],
    terms: Terms,
) -> dict[str, Any]:
    settings = json.loads(read_facts(path).get("settings", "{}"))
    pool = _pool(results.folder, frame)
    contamination = read_json(pool.parent / "contamination.json")
    sources = _pairs(counts["sources"])
    return {
        "title": plain(f"{results.study}: {path.stem}"),
        "rows": frame.height,
        "selector": code(str(counts["selector"])),
        "seed": settings.get("seed"),
        "selection": code(json.dumps(settings.get("selection", {}), sort_keys=True)),
        "origin": _origin(pool),
        "eligible": number(counts["eligible"], 0),
        "tokens": counts["tokens"],
        "tokenizer": code(_shown(counts["tokenizer"]["path"])),
        "ngram": contamination["ngram"],
        "separate": contamination["boilerplate"] == "separate",
        "stock": contamination["boilerplate_questions"],
        "benchmarks": [code(name) for name in contamination["benchmarks"]],
        "funnel": _funnel(counts, frame.height),
        "sources": table(["source", "rows"], sources),
        "domains": table(["domain", "rows"], _pairs(counts["domains"])),
        "columns": [(code(name), _COLUMNS.get(name, "")) for name in frame.columns],
        **_always(results, terms),
    }


_COLUMNS = {
    "row_id": "16 hex digits from the row's content",
    "question": "what the model is asked",
    "trace": "the teacher's thinking",
    "attempt": "the teacher's answer after thinking",
    "solution": "the ground truth",
    "source": "as spelt in the pool",
    "source_name": "the source's name",
    "domain": "first level of the Mathematics Subject Classification",
    "labels": "JSON: which solver answered right",
    "teacher_correct": "whether the teacher's answer is right",
    "trace_tokens": "length of the trace as the pool states it",
    "tokens": "length of the trace, counted",
    "phase": "step of the selection that took the row",
    "draw": "order in which rows were taken",
    "explanation": "JSON: why this row, against which competitors",
}


def _always(results: ResultsFolder, terms: Terms) -> dict[str, Any]:
    licence = NOT_NAMED if terms.licence == UNKNOWN else f"`{terms.licence}`"
    return {
        "study": plain(results.study),
        "commit": code(results.git_commit[:12]),
        "version": version(),
        "licence": licence,
        "licence_named": terms.licence != UNKNOWN,
    }


def _pairs(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(plain(name), number(value, 0)) for name, value in counts.items()]


def _pool(folder: Path, rows: pl.DataFrame) -> Path:
    """The pool that a set was drawn from: the study's own, or one of traces that were made here.

    InputError where none holds all of its rows.
    """
    key = ["row_id", "trace"]
    for path in (folder / OWN_POOL, *sorted(folder.glob("traces/pools/*/pool.parquet"))):
        if path.exists():
            held = pl.scan_parquet(path).select(key).join(rows.lazy().select(key), on=key)
            if held.select(pl.len()).collect().item() == rows.height:
                return path
    raise InputError(f"no pool under {folder} holds all rows of the set; {UNFINISHED}")


def _origin(pool: Path) -> str:
    """Where a pool is from: a repository at its commit, files by name, or models asked here."""
    facts = read_facts(pool)
    settings = json.loads(facts.get("settings", "{}"))
    if settings.get("teachers"):
        teachers = ", ".join(code(name) for name in settings["teachers"])
        return f"traces that were made in this study by {teachers} (pool {code(pool.parent.name)})"
    source = settings.get("source", {})
    if "hub" not in source:
        return f"local files ({code(facts.get('origin', UNKNOWN))})"
    revision = facts.get("commit") or source.get("revision", "main")
    return f"{code(source['hub'])} of the Hugging Face hub at {code(revision)}"


def _funnel(counts: Mapping[str, Any], chosen: int) -> str:
    """Rows that entered and left every stage; the last one is the selection."""
    stages = [(name, one["entered"], one["kept"]) for name, one in counts["stages"].items()]
    every = [*stages, ("selection", counts["eligible"], chosen)]
    return table(
        ["stage", "rows before", "rows kept"],
        [(plain(name), number(before, 0), number(kept, 0)) for name, before, kept in every],
    )


def _shown(path: str) -> str:
    """A hub id as it is; of a folder of this machine the name alone."""
    local = path.startswith(("/", ".", "~")) or path.count("/") != 1
    return Path(path).name if local else path


def _size(rows: int) -> str:
    return next((name for limit, name in SIZES if rows < limit), "n>1M")


def _model_files(folder: Path) -> list[Path]:
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and any(fnmatch(path.name, each) for each in MODEL_FILES)
    ]
    return [path for path in found if path.name not in OURS]


def _copied(path: Path, folder: Path) -> Path:
    target = folder / path.name
    with atomic(target) as part:
        shutil.copyfile(path, part)
    return target


def _model_values(
    results: ResultsFolder, model: ModelFacts, base: ModelFacts | None, terms: Terms
) -> dict[str, Any]:
    manifest = model.training
    if manifest is None or model.card is None:
        raise InputError(f"{results.folder}: model {model.name!r} has no training manifest")
    settings = manifest.settings
    return {
        "title": plain(model.title),
        "base": _base(model, base),
        "parameters": number(model.card.parameters, 0),
        "architecture": code(model.card.architecture),
        "dtype": code(model.card.dtype),
        "digest": code(model.card.digest),
        "base_digest": code(manifest.base_digest),
        "samples": number(manifest.samples, 0),
        "recipe": [(code(key), code(str(value))) for key, value in settings["recipe"].items()],
        "seed": settings["seed"],
        "precision": code(settings["precision"]),
        "steps": number(manifest.steps, 0),
        "loss": manifest.loss,
        "throughput": manifest.throughput,
        "tokens": number(manifest.throughput.tokens, 0),
        "device_hours": number(manifest.throughput.device_hours, 3),
        "gpus": manifest.throughput.gpus,
        "versions": [f"{name} {found}" for name, found in manifest.versions.items()],
        "data": _data(results, model.name),
        "form": _form(manifest.form or (model.engine.form if model.engine else None)),
        "engine": code(model.engine.engine) if model.engine else DASH,
        "confidence": f"{100 * results.confidence:g}",
        "parts": [f"{plain(facts.title)}: {facts.part}" for facts in results.benchmarks.values()],
        "results": _results_table(results, model),
        "against": _results_table(results, base) if base else "",
        **_always(results, terms),
    }


def _base(model: ModelFacts, base: ModelFacts | None) -> str:
    """The base model: its repository, else its title."""
    if base is None:
        return code(str(model.base))
    name = code(base.hub_id) if base.hub_id else plain(base.title)
    revision = base.card.revision if base.card else None
    return f"{name} at {code(revision)}" if revision else name


def _data(results: ResultsFolder, model: str) -> str:
    """What the model was trained on: a selected set with its pool, or a ready set."""
    ready = results.folder / f"training/{model}/set.parquet"
    if ready.exists():
        settings = json.loads(read_facts(ready).get("settings", "{}"))
        return f"the ready set {code(_shown(str(settings.get('set', ready.name))))}"
    samples = results.folder / f"training/{model}/samples.parquet"
    with reading(samples):
        rows = pl.read_parquet(samples, columns=["row_id"])
    chosen = _set_of(results.folder, rows)
    pool = _pool(results.folder, SELECTED.read(chosen))
    return f"the set {code(chosen.stem)}, which was selected from {_origin(pool)}"


def _set_of(folder: Path, rows: pl.DataFrame) -> Path:
    """The selected set that a model's samples are from: the smallest that has all of them."""
    held: dict[int, Path] = {}
    for path in sorted((folder / "curation/sets").glob("*.parquet")):
        ids = pl.read_parquet(path, columns=["row_id"])
        if rows.join(ids, on="row_id", how="anti").is_empty():
            held.setdefault(ids.height, path)
    if not held:
        raise InputError(f"no set under {folder}/curation/sets has the samples; {UNFINISHED}")
    return held[min(held)]


def _form(form: Any) -> list[tuple[str, str]]:
    """How the model marks thinking and answer; nothing where nobody says."""
    if form is None:
        return []
    keys = ("think_start", "think_end", "answer_start", "answer_end", "forced_answer")
    told = {key: form.delimiters.get(key) for key in keys}
    return [(key.replace("_", " "), _marks(value)) for key, value in told.items() if value]


def _marks(value: str | Sequence[str]) -> str:
    marks = [value] if isinstance(value, str) else value
    return ", ".join(code(mark) for mark in marks)


def _results_table(results: ResultsFolder, model: ModelFacts) -> str:
    """Accuracy of every cell: a row for method and budget, a column for a benchmark."""
    by_row: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in results.cells(model.name):
        by_row.setdefault((cell.point["title"], cell.budget), {})[cell.dataset] = cell
    names = list(results.benchmarks)
    titles = [plain(results.benchmarks[name].title) for name in names]
    rows = [
        (plain(title), budget, *(_accuracy(cells.get(name)) for name in names))
        for (title, budget), cells in by_row.items()
    ]
    return table(["method", "budget", *titles], rows, left=2)


def _accuracy(cell: Cell | None) -> str:
    if cell is None:
        return DASH
    point = cell.point
    low, high = (number(100 * point[name], 1) for name in ("ci_low", "ci_high"))
    return f"{percent(point['accuracy'])} [{low}, {high}]"

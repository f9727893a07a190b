"""Say what the rehearsal checked, how long each rule took and what the real study will need."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.analysis import loading
from workflow_scripts.common.artifacts import read_json, write_text
from workflow_scripts.common.job import MANY, run
from workflow_scripts.common.model import ModelCard, read_card
from workflow_scripts.common.settings.sets import FULL
from workflow_scripts.common.source_files import form
from workflow_scripts.common.storage import free_bytes, gb
from workflow_scripts.common.tables.manifests import EngineManifest, TrainingManifest
from workflow_scripts.reporting.terminal import aligned
from workflow_scripts.training.memory import TrainingNeeds

INPUTS: dict[str, str] = dict.fromkeys(
    ("models", "training", "engines", "sets", "benchmarks"), MANY
)


def work(args: Namespace) -> None:
    """Write the summary to its file and to the terminal."""
    settings = args.settings
    results = Path(settings["results"])
    rows = {path.stem: pl.scan_parquet(path).select(pl.len()) for path in args.benchmarks}
    counts = {name: frame.collect().item() for name, frame in rows.items()}
    models = {card.name: card for card in map(read_card, args.models)}
    sets = {facts["selector"]: facts for facts in map(read_json, args.sets)}
    training = loading.trainings(args.training)
    lines = [
        f"The rehearsal of {settings['study']} ran through every rule: {_asked(settings)}.",
        "",
        *runtimes(results / "runtimes"),
        "",
        "What the real study will need:",
        *selection_lines(sets, settings),
        *training_lines(training, sets, settings),
        *decoding_lines(loading.engines(args.engines), counts, settings),
        *disk_lines(models, results, settings),
        *context_lines(settings),
        f"{results}/ can be deleted.",
    ]
    text = "\n".join(lines) + "\n"
    write_text(args.summary, text)
    terminal = int(os.environ.get("S1FLOW_TERMINAL_FD", "2"))
    sys.stderr.flush()
    os.write(terminal, f"\n{text}".encode())


def _asked(settings: dict[str, Any]) -> str:
    count = len(settings["models"])
    names = ", ".join(settings["first"])
    return f"{count} model{'s' * (count > 1)}, a few questions of {names}"


def runtimes(folder: Path) -> list[str]:
    """Jobs, seconds and peak memory by rule, slowest first, from Snakemake's own records."""
    jobs: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        record = pl.read_csv(path, separator="\t", null_values=["-", "NA"])
        jobs.setdefault(rule, []).extend(record.select("s", "max_rss").iter_rows(named=True))
    rows = [(rule, len(all_), *_spent(all_)) for rule, all_ in jobs.items()]
    rows.sort(key=lambda row: -row[2])
    cells = [[rule, f"{n}", f"{s:,.0f}", f"{mib:,.0f}"] for rule, n, s, mib in rows]
    total = ["together", f"{sum(r[1] for r in rows)}", f"{sum(r[2] for r in rows):,.0f}", ""]
    return aligned(("rule", "jobs", "seconds", "peak MiB"), [*cells, total], left=1)


def _spent(jobs: list[dict[str, Any]]) -> tuple[float, float]:
    seconds = sum(job["s"] or 0.0 for job in jobs)
    return seconds, max(job["max_rss"] or 0.0 for job in jobs)


def selection_lines(sets: dict[str, dict[str, Any]], settings: dict[str, Any]) -> list[str]:
    """Whether the pool, all of which was filtered, has the rows that the real sets ask for."""
    lines = []
    for wanted in sorted({entry["set"] for entry in settings["trained"].values()}):
        rehearsed = settings["stand_ins"][wanted]
        reachable = sets[rehearsed]["eligible"]
        own = settings.get("sets", {}).get(rehearsed, {"selector": rehearsed})
        if own["selector"] not in ("random", "longest", "limo", FULL):
            reachable -= sets[rehearsed]["eligible_without_domain"]
        size = _size(wanted, reachable, settings)
        verdict = "" if reachable >= size else "  TOO FEW: the real study stops at `select`"
        lines.append(f"  set {wanted}: {size:,} rows of {reachable:,} that are left{verdict}")
    return lines


def _size(selector: str, reachable: int, settings: dict[str, Any]) -> int:
    own = settings.get("sets", {}).get(selector, {"selector": selector})
    if own["selector"] == FULL or form(Path(selector)):  # every row, or a set in a file
        return reachable
    if "size" in own:
        return int(own["size"])
    return int(selector[5:]) if selector.startswith("size-") else settings["size"]


def training_lines(
    training: dict[str, TrainingManifest], sets: dict[str, dict[str, Any]], settings: dict[str, Any]
) -> list[str]:
    """Hours of each fine-tune, from the tokens per second of the few rehearsed steps."""
    lines = []
    for model, entry in settings["trained"].items():
        manifest, chosen = training[model], sets[settings["stand_ins"][entry["set"]]]
        size = _size(entry["set"], chosen["eligible"], settings)
        speed = manifest.throughput.tokens_per_second
        per_sample = manifest.throughput.tokens / manifest.samples
        hours = per_sample * size * entry["epochs"] / speed / 3600
        lines.append(
            f"  training of {model}: about {_time(hours)} ({size:,} samples of about "
            f"{per_sample:,.0f} tokens, {entry['epochs']} epochs, {speed:,.0f} tokens/s)"
        )
    return lines


def decoding_lines(
    engines: dict[str, EngineManifest], counts: dict[str, int], settings: dict[str, Any]
) -> list[str]:
    """Rows of the real sweep beside those that were decoded now."""
    asked = {
        name: counts[name] if first == "all" else min(first, counts[name])
        for name, first in settings["first"].items()
    }
    questions = sum(asked.values())
    lines = []
    for model in settings["models"]:
        tokens = engines[model].tokens
        rows = sum(count * settings["rows"][model][name] for name, count in asked.items())
        lines.append(
            f"  decoding of {model}: {rows:,} rows ({questions:,} questions); here "
            f"{tokens.decoded:,} tokens in {tokens.wall:,.0f} s"
        )
    return lines


def disk_lines(models: dict[str, ModelCard], results: Path, settings: dict[str, Any]) -> list[str]:
    """Weights and checkpoints beside what is free."""
    free = free_bytes(results)
    trained = [models[name] for name in settings["trained"]]
    weights = [sum(f.stat().st_size for f in _files(model.folder)) for model in trained]
    set_up = settings["training"]
    needs = [TrainingNeeds.of(model.parameters, set_up, set_up["gpus"]) for model in trained]
    states = [2 * need.checkpoint for need in needs]
    needed = sum(weights) + max(states, default=0)
    short = "" if needed < free else "  TOO LITTLE: training would run out of disk"
    return [
        f"  disk: {gb(sum(weights))} of weights and at most {gb(max(states, default=0))} of "
        f"checkpoints while training; {gb(free)} are free{short}"
    ]


def context_lines(settings: dict[str, Any]) -> list[str]:
    """What a smaller context left out."""
    if settings["context"] <= settings["rehearsed_context"]:
        return [""]
    return [
        "",
        f"Not rehearsed: thinking up to {settings['context']:,} tokens, its time and",
        "memory; `snakemake estimate` measures them on the pretrained models.",
    ]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _time(hours: float) -> str:
    return f"{hours:,.1f} h" if hours >= 1 else f"{60 * hours:,.0f} min"


def main() -> None:
    """Command line."""
    run(work, __doc__, INPUTS, ("summary",))


if __name__ == "__main__":
    main()

"""What `snakemake estimate` said that decoding would take, beside what it took."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workflow_scripts.analysis.points import SECONDS_KEYS, TOKENS_KEYS, first_number
from workflow_scripts.common.errors import InputError
from workflow_scripts.reporting.markdown import bullets, table
from workflow_scripts.reporting.naming import DASH, join, number, significant
from workflow_scripts.reporting.study_results import Results

MIB = 2**20
HOST, GPU = "memory of the host, GiB", "memory of the GPUs, GiB"
READING = (
    "Tokens and seconds add up over all runs of a model's store, the probe's own among them. The "
    "estimate counts the probed questions too, so tokens compare like with like; but the probe "
    "decodes few questions at a time, which lengthens the actual wall time and lowers the actual "
    "rate.",
    "The estimated rate is measured with as many sequences as the study runs side by side; the "
    "actual one is the mean over all the time, also where the last long chains run alone. The "
    "engine's start is in neither time.",
    "Estimated memory is what the weights and the longest chains of all running sequences need, "
    "for one engine. Actual memory is the peak in use: on GPUs that of the fullest times tensor "
    "parallel, and vLLM reserves its share of a GPU whether it needs it or not; on a CPU that of "
    "the process, with its libraries.",
    "Disk is the store and the tables cut from it.",
)


def section(results: Results, tables: Mapping[str, int]) -> str:
    """The comparison per model with a heading of its own; "" where no model has an estimate.

    tables  bytes of each model's generation tables
    """
    known = [name for name in results.model_titles if _estimate(results, name)]
    if not known:
        return ""
    rows = [
        [results.model_titles[model], name, *_shown(name, estimated, actual)]
        for model in known
        for name, estimated, actual in compared(results.engines[model], tables.get(model))
    ]
    headers = ("model", "quantity", "estimated", "actual", "actual / estimated")
    notes = [*_probes(results, known), *READING, *_without(results, known)]
    return (
        "\n### Estimate against actual\n\n" + table(headers, rows, left=2) + "\n" + bullets(notes)
    )


def compared(
    manifest: dict[str, Any], tables: int | None
) -> list[tuple[str, float | None, float | None]]:
    """(quantity, estimated, actual) of an engine manifest that holds an estimate.

    tables  bytes of the model's generation tables. None marks what was not measured.
    """
    said = manifest["estimate"]
    tokens = first_number(manifest, TOKENS_KEYS)
    seconds = first_number(manifest, SECONDS_KEYS)
    rate = tokens / seconds if tokens and seconds else None
    device = first_number(manifest, ("gpu_seconds",))
    place, memory = peak_memory(manifest)
    store = manifest.get("store_bytes")
    disk = None if store is None or tables is None else (store + tables) / MIB
    filled = manifest["tokens"].get("prefilled") if "tokens" in manifest else None
    return [
        ("tokens decoded", said["tokens"], tokens),
        *([("tokens of prompts", said["prefilled"], filled)] if "prefilled" in said else []),
        ("decode rate, tokens/s", said["decode_rate"], rate),
        ("wall time, s", said["wall_s"], seconds),
        ("GPU-hours", said["gpu_hours"], None if device is None else device / 3600),
        (place, said["weights_gib"] + said["cache_gib"], memory),
        ("disk, MiB", said["disk_mib"], disk),
    ]


def peak_memory(manifest: dict[str, Any]) -> tuple[str, float | None]:
    """Which memory one engine used, and its peak in GiB; None where nobody measured it.

    The host's memory stands for an engine's only where that runs on the CPU in the job's process.
    """
    facts = manifest.get("engine_facts") or {}
    if read := manifest.get("gpu_memory_mib"):
        parallel = (facts.get("arguments") or {}).get("tensor_parallel_size", 1)
        return GPU, read["max"] * parallel / 1024
    if manifest.get("gpus"):
        return GPU, None
    host, elsewhere = manifest.get("peak_rss_mb"), facts.get("engine") == "server"
    return HOST, None if host is None or elsewhere else host / 1024


def table_bytes(generations: Iterable[Path]) -> dict[str, int]:
    """Bytes by model of files MODEL/DATASET/METHOD/BUDGET.parquet. InputError where one is gone."""
    total: dict[str, int] = {}
    for path in generations:
        if not path.exists():
            raise InputError(f"{path} does not exist")
        total[path.parts[-4]] = total.get(path.parts[-4], 0) + path.stat().st_size
    return total


def _estimate(results: Results, model: str) -> dict[str, Any] | None:
    return results.engines.get(model, {}).get("estimate")


def _shown(name: str, estimated: float, actual: float | None) -> list[str]:
    ratio = actual / estimated if actual is not None and estimated else None
    whole = name.startswith("tokens")
    both = [number(x, 0) if whole else significant(x) for x in (estimated, actual)]
    return [*both, DASH if ratio is None else number(ratio, 2)]


def _probes(results: Results, known: list[str]) -> list[str]:
    """How many questions each estimate rests on, and whether the study asked as many."""
    notes = []
    for model in known:
        said, asked = _estimate(results, model) or {}, results.engines[model].get("datasets") or {}
        note = f"{results.model_titles[model]}: {said['probed']} of {said['questions']} questions"
        count = sum(facts["questions"] for facts in asked.values())
        if asked and count != said["questions"]:
            note += f"; the study asked {count}, so this was the estimate of another one"
        notes.append(f"Probed for {note}.")
    return notes


def _without(results: Results, known: list[str]) -> list[str]:
    """What to run for the models that have no estimate."""
    trained = {entry["name"] for entry in results.settings["models"] if entry.get("trained")}
    missing = [name for name in results.model_titles if name not in known]
    ready = [name for name in missing if name not in trained]
    later = [name for name in missing if name in trained]
    notes = []
    if ready:
        titles = join([results.model_titles[name] for name in ready])
        notes.append(f"No estimate of {titles}: run `snakemake estimate` before the study.")
    if later:
        titles = join([results.model_titles[name] for name in later])
        folder = results.settings.get("results", "results")
        notes.append(
            f"No estimate of {titles}: `snakemake estimate` covers pretrained models; before the "
            f"study, `snakemake {folder}/estimates/{later[0]}.json` trains one and estimates it."
        )
    return notes

"""The report and its appendix: values for two templates that hold all fixed prose."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from workflow_scripts.analysis.contrasts import MATCHED, SEEDS
from workflow_scripts.analysis.expectations import in_short
from workflow_scripts.analysis.pairs import COMPARISONS
from workflow_scripts.analysis.tables import TRUNCATED
from workflow_scripts.common.forms import DELIMITERS
from workflow_scripts.common.history import JobRun
from workflow_scripts.common.markdown import code, plain
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.common.provenance import canonical_json
from workflow_scripts.common.tables.manifests import IMPORTED, ModelForm
from workflow_scripts.reporting import (
    answer_findings,
    costs,
    data_costs,
    draw_findings,
    epoch_findings,
    estimates,
    expectation_table,
    findings,
    model_findings,
    no_scaling,
    published,
    result_tables,
    set_findings,
    shift_findings,
    study_log,
    transfer_findings,
)
from workflow_scripts.reporting.examples import LINE_HEADERS, Shown
from workflow_scripts.reporting.markdown import bullets, demoted, sections, table
from workflow_scripts.reporting.naming import DASH, count, join, number, percent
from workflow_scripts.reporting.study_results import EDITED, Results
from workflow_scripts.reporting.style import is_drawn
from workflow_scripts.reporting.training_effects import efficiency

CODE_DATA = ("report.md.j2", "appendix.md.j2")
REPORT, APPENDIX = CODE_DATA
COMPARISON_TITLES = {
    "training": "Before and after training, same cell",
    "ablation": "Between trained models, same cell",
    "budget": "Smallest against largest budget",
    "added-continuation": "One step more continuations, same budget",
    "phrase": "Between phrases, same n and budget",
    "class-prompt": "Class prompts against no prompt",
}
PLOT_TITLES = {
    "ranking": "Places, accuracies and tokens of all models",
    "frontier": "Accuracy against what an answer takes, all models",
    "multiples": "Accuracy against thinking tokens, model by model",
    "verdicts": "What every method changed, model by model",
    "spans": "How long each model thinks by itself",
    "contrasts": "Accuracy minus natural end, against relative thinking",
    "scaling": "Accuracy against thinking tokens",
    "curves": "Accuracy against what a question costs",
    "methods": "Methods at their largest budget",
    "parallel": "Longer chains against several draws",
    "forcing": "What each added continuation does",
    "effects": "Differences from the natural end, with intervals",
    "causes": "What became of the answers",
    "lengths": "How long models think by themselves",
    "answers": "When answers along a chain are right",
    "oracle": "One budget for all, and the smallest sufficient one for each",
    "sets": "Accuracy against rows of the training set",
    "epochs": "Accuracy after each epoch of training",
    "transfer": "What of a gain on mathematics shows elsewhere",
    "funnel": "Curation: rows left after each step",
    "domains": "Curation: domains before and after",
    "sources": "Curation: sources before and after",
    "training": "Training curves",
    "shift_kl": "How far predictions moved",
    "shift_ranks": "Whose tokens the other model would have written",
    "shift_states": "How far hidden states moved",
    "shift_markers": "Words of second thoughts, and accuracy",
}
PLACED = (  # by name in a template
    "contrasts", "forcing", "scaling", "causes", "effects", "curves", "answers", "oracle",
    "parallel", "sets", "ranking", "frontier", "multiples", "verdicts", "spans", "shift_kl",
    "shift_ranks", "shift_states", "shift_markers", "transfer", "epochs",
)  # fmt: skip
OF_METHODS = ("scaling", "curves", "methods")  # figures that natural ends alone do not fill
SHOWN_IN_BODY = ("right at its natural end", "an added continuation made it wrong")
MOST_FAMILIES = 3  # of one kind that are told one by one
DIGEST, COMMIT = 12, 12  # characters that are enough to tell versions apart


@dataclass(frozen=True)
class Extras:
    """What the report shows besides the results tables.

    date         UTC day on which the newest engine manifest was written, ISO; "" where unknown
    prefixes     cells' rows compared with their chains, and how many were no prefix
    runs, took   of the study's jobs: every run that is known, and what the last ones cost
    expectations  rows of the table EXPECTATIONS; none where nothing is expected
    data         what went into the pool and the traces
    table_bytes  size of each model's generation tables
    shift        tables of what training changed, and manifests of what was measured for each pair;
                 none where nothing was
    """

    curation: str  # Markdown written by the curation stage; "" where nothing is trained
    contamination: dict[str, Any]
    notes: str  # Markdown: the user's own files; "" when none are configured
    examples: Sequence[Shown]
    clean: str  # Markdown: accuracy without touched questions; "" where nothing is trained
    data: data_costs.DataWork
    audit: Sequence[str]  # Markdown: parts of the sets' traces, and overlap with benchmarks
    plots: Sequence[Path]
    table_bytes: Mapping[str, int]
    date: str
    prefixes: tuple[int, int]
    runs: Sequence[JobRun]
    took: Sequence[study_log.Cost]
    imported: str = ""  # Markdown: models of other harnesses; "" where there are none
    disagreements: str = ""  # Markdown: responses that their harness judges otherwise
    shift: Sequence[Path] = ()
    shift_manifests: Sequence[Path] = ()
    expectations: Sequence[Mapping[str, Any]] = ()


def report(results: Results, extras: Extras, folder: Path) -> str:
    """The report as Markdown; plots are linked relative to `folder`."""
    return _rendered(REPORT, _shared(results, extras, folder) | _body(results, extras))


def appendix(results: Results, extras: Extras, folder: Path) -> str:
    """Its appendix as Markdown: all cells, all pairs, texts of examples, details."""
    return _rendered(APPENDIX, _shared(results, extras, folder) | _details(results, extras))


def _rendered(name: str, values: dict[str, Any]) -> str:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # values are Markdown, escaped where they are made
    )
    env.filters |= {"bullets": bullets, "sections": sections}
    lines = env.get_template(name).render(values).splitlines()
    return "\n".join(_single_spaced(lines)).strip() + "\n"


def _single_spaced(lines: Iterable[str]) -> Iterable[str]:
    """Lines without the second of two blank ones, fences left as they are."""
    fence, before = "", "x"
    for line in lines:
        mark = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            fence = "" if line == fence else fence
        elif len(mark) >= 3:
            fence = mark
        elif not line.strip() and not before.strip():
            continue
        before = line
        yield line


def _shared(results: Results, extras: Extras, folder: Path) -> dict[str, Any]:
    """Values that both templates use."""
    ends = findings.only_ends(results)

    def figure(stem: str) -> str:
        """One plot by its file's stem, with its vector files, or "" where there is none."""
        found = [path for path in extras.plots if path.stem == stem]
        if not found or not is_drawn(found[0]) or (ends and stem in OF_METHODS):
            return ""
        place = Path(os.path.relpath(found[0], folder)).as_posix()
        return f"![{PLOT_TITLES.get(stem, stem)}]({place})\n"

    return {
        "only_ends": ends,
        "study": plain(results.settings.get("study", "study")),
        "focus": results.model_titles[results.focus],
        "confidence": percent(results.settings["analysis"]["confidence"], 0),
        "figure": figure,
        "results": str(results.settings.get("results", "results")).replace("`", ""),
    }


def _body(results: Results, extras: Extras) -> dict[str, Any]:
    settings = results.settings
    recipe = (settings.get("training") or {}).get("recipe", {}) if results.training else {}
    shown = [e for e in extras.examples if e.rule in SHOWN_IN_BODY] or list(extras.examples[:1])
    made = data_costs.made_hours(extras.data)
    hours = costs.total_device_hours(results, made)
    lines = [example.line for example in extras.examples]
    told = extras.expectations
    expected = [f"{in_short(told)} ([table](#expectations))."] if told else []
    return {
        "about": plain(settings.get("about", "")),
        "imported": extras.imported,
        "several_draws": _drawn(results),
        "provenance": _provenance(results, extras),
        "answers": model_findings.answers(results),
        "summary_table": result_tables.summary_table(results),
        "best_set": set_findings.headline(results),
        "best": model_findings.headline(results),
        "models_table": model_findings.front_table(results),
        "many_seeds": bool(results.families),
        "columns_told": model_findings.is_asked(results),
        "ranking": list(model_findings.sentences(results)),
        "model_costs": model_findings.cost_table(results),
        "limits": _limits(results) + expected,
        "expectations": expectation_table.section(results, extras.expectations),
        "example_link": extras.examples[0].line[1] if extras.examples else "",
        "error": percent(1 - settings["analysis"]["confidence"], 0),
        "smallest": f"{settings['analysis']['smallest_effect']:g}",
        "power": findings.power_text(results),
        "findings": _findings(results),
        "quality": result_tables.quality_box(results),
        "asked": _asked(results),
        "curation_in_short": _curation_in_short(results, extras),
        "recipe": plain(", ".join(f"{key} {value}" for key, value in recipe.items())),
        "decoded": set(results.model_titles) - results.imported,
        "inference": _inference(settings["inference"]) | {"own": _own_settings(results)},
        "forms": _forms(results),
        "flips": f"{settings['analysis']['bootstrap']:,}",
        "evidence": _evidence(results, extras),
        "metrics": result_tables.short_metrics(results),
        "shift": shift_findings.section(extras.shift, results.model_titles, extras.shift_manifests),
        "no_scaling": no_scaling.section(results),
        "shortfalls": list(answer_findings.shortfall_sentences(results)),
        "reached": percent(answer_findings.REACHED, 0),
        "pointless": list(answer_findings.pointless_sentences(results)),
        "examples_table": table(LINE_HEADERS, lines, left=5) if lines else "",
        "examples_shown": [demoted(example.brief, 0) for example in shown],
        "device_hours": number(hours, 3) if hours else "",
        "made_hours": f", {number(made, 3)} of them for traces made here" if made else "",
        **data_costs.values(results, extras.data),
        "sets": list(set_findings.sentences(results)),
        "draws_note": set_findings.draws_note(results),
        "sets_table": set_findings.sets_table(results),
        "epochs": list(epoch_findings.sentences(results)),
        "epochs_table": epoch_findings.epochs_table(results),
        "transfer": list(transfer_findings.sentences(results)),
        "transfer_table": transfer_findings.areas_table(results),
        "decoding_costs": costs.engine_table(results),
        "training_costs": costs.training_table(results),
        "configured": published.configured(settings),
        "notes": demoted(extras.notes, 2),
    }


def _details(results: Results, extras: Extras) -> dict[str, Any]:
    present = set(results.pairs["comparison"])
    stems = [path.stem for path in extras.plots]
    return {
        "slack": results.settings["analysis"]["slack_tokens"],
        "longest": "; ".join(_infinite(results)),
        "metrics": result_tables.metrics_tables(results),
        "contrasts": result_tables.contrasts_tables(results),
        "rankings": model_findings.ranking_tables(results),
        "model_pairs": model_findings.pairs_table(results),
        "votes": draw_findings.votes_tables(results),
        "draws": draw_findings.draws_tables(results),
        "repeats": draw_findings.repeats_table(results),
        "seeds": draw_findings.seeds_table(results),
        "answer_curves": answer_findings.curves_table(results),
        "confidence_stop": answer_findings.stops_table(results),
        "endings": answer_findings.endings_tables(results),
        "pairs": [
            (COMPARISON_TITLES[comparison], result_tables.pairs_table(results, comparison))
            for comparison in COMPARISONS
            if comparison in present
        ],
        "set_pairs": set_findings.pairs_table(results),
        "each_decoding": costs.engine_table(results, apart=True) if results.families else "",
        "each_training": costs.training_table(results, apart=True) if results.families else "",
        "set_audit": extras.audit,
        "set_benchmarks": set_findings.benchmarks_table(results),
        "clean": extras.clean,
        "disagreements": extras.disagreements,
        "efficiency": efficiency(results),
        "estimates": estimates.comparison(results, extras.table_bytes),
        "study_log": study_log.section(results, extras.runs, extras.took),
        "quoted_costs": published.costs(),
        "published": published.figures(results),
        "more_figures": [p.stem for p in extras.plots if p.stem not in PLACED],
        "plot_titles": PLOT_TITLES | {stem: PLOT_TITLES.get(stem, stem) for stem in stems},
        "examples": [example.text for example in extras.examples],
        "curation": demoted(extras.curation, 1),
        "cells": result_tables.cells_tables(results),
    }


def _provenance(results: Results, extras: Extras) -> list[str]:
    """Which model, engine, draws, date and commit: a line each, from the manifests."""
    manifest = results.engines.get(results.focus)
    asked = results.points.group_by("dataset").agg(pl.col("expected_questions").max())
    known = manifest and manifest.git_commit
    commit = code(known[:COMMIT]) if known else DASH
    repeated = study_log.short(results, extras.runs)
    log = f"On the way: {repeated} ([log](appendix.md#log-of-the-study))"
    return [
        _models_told(results),
        f"Engine: {code(manifest.engine) if manifest else DASH}",
        f"Draws: {_draws(results)}; {asked['expected_questions'].sum():,} questions of "
        f"{asked.height} benchmark{'s' * (asked.height != 1)}",
        f"Date: {extras.date or DASH}; commit: {commit}",
        *([log] if repeated else []),
    ]


def _models_told(results: Results) -> str:
    """The focus and its base with digests; of many trainings with several seeds how many."""
    base = results.base if results.base != results.focus else None
    families = results.families
    if len(families) > 1 and results.focus in next(iter(families.values())):
        count = sum(map(len, families.values()))
        start = f"{results.model_titles[base]} {_digest(results, base)} and " if base else ""
        of = " of it" if base else ""
        trainings = f"{len(families)} trainings{of} with several seeds ({count} models)"
        others = len(results.model_titles) - count - bool(base)
        return f"Models: {start}{trainings}{f', {others} more' if others else ''}"
    names = [results.focus, *([base] if base else [])]
    told = [f"{results.model_titles[name]} {_digest(results, name)}" for name in names]
    where = "elsewhere " if results.focus in results.imported else ""
    return f"Model: {f', trained {where}from '.join(told)}"


def _digest(results: Results, model: str) -> str:
    manifest = results.engines.get(model)
    return f"({code(manifest.digest[:DIGEST])})" if manifest else "(no digest)"


def _drawn(results: Results) -> bool:
    """Whether some question was drawn several times."""
    return _numbers_of_draws(results)[-1:] > [1]


def _numbers_of_draws(results: Results) -> list[int]:
    """Draws a question, ascending: of contrasts, or of cells where nothing is contrasted."""
    own = results.contrasts.filter(~pl.col("estimand").is_in([SEEDS, MATCHED]))["draws"]
    found = results.drawn.draws["draws"] if own.is_empty() else own
    return sorted(found.drop_nulls().unique())


def _draws(results: Results) -> str:
    temperature = results.settings["inference"].get("temperature", 0.0)
    draws = _numbers_of_draws(results)
    count = " to ".join(map(str, dict.fromkeys([*draws[:1], *draws[-1:]])))
    count = f"{count} draws" if draws and draws[-1] > 1 else "one run"
    kind = " (greedy)" if not temperature else f" (temperature {temperature})"
    kind = "" if results.focus in results.imported else kind  # the harness's own
    trained = any(model.get("base") for model in results.settings["models"])
    runs = max(map(len, draw_findings.families(results).values()), default=1)
    trainings = f", {runs} training seeds" if runs > 1 else ", one training run a model"
    return f"{count} a question{kind}" + (trainings if trained else "")


def _limits(results: Results) -> list[str]:
    """What stands between these numbers and the reader's question, in three lines."""
    warned = sum(finding["severity"] != "note" for finding in results.findings)
    unread = "; ".join(findings.unread_models(results))
    quality = f"Data quality: {warned} warning{'s' * (warned != 1)}" if warned else (
        "Data quality: no warning"
    )  # fmt: skip
    noise = draw_findings.repeat_line(results)
    return [
        f"Another seed or engine gives other answers.{f' {noise}' if noise else ''}",
        f"{findings.power_in_short(results)}{_untested(results)}",
        f"{quality}{'; ' * bool(unread)}{unread}.",
    ]


def _untested(results: Results) -> str:
    """What nothing was compared with, behind what can be missed."""
    matched = results.contrasts.filter(pl.col("estimand") == MATCHED)
    told = matched.height or findings.only_ends(results)
    return "" if told else " Equal tokens against voting: not tested."


def _findings(results: Results) -> list[tuple[str, list[str]]]:
    best, ends = findings.best_cell_sentence(results), findings.only_ends(results)
    trained = list(findings.train_sentences(results))
    over_seeds = any(results.focus in own for own in results.families.values())
    noted = [text for text in trained if text == findings.BEHIND_PREFILL and over_seeds]
    return [
        ("Stopping earlier", list(findings.cut_sentences(results))),
        ("Along the chain", list(answer_findings.path_sentences(results))),
        ("Stopping where probes agree", list(answer_findings.stop_sentences(results))),
        ("Thinking longer", list(findings.extend_sentences(results))),
        ("Asking for more or less", list(findings.prompt_sentences(results))),
        ("At equal tokens", [] if ends else draw_findings.matched_sentences(results)),
        ("The answer's form", list(draw_findings.format_sentences(results))),
        ("In the model's own form", list(findings.own_form_sentences(results))),
        ("Effect of training", [] if over_seeds else trained),
        ("Training seeds", list(draw_findings.seed_sentences(results)) + noted),
        ("Draws", list(draw_findings.draw_sentences(results))),
        ("Best cells", [best] if best else []),
        ("Unexpected", findings.unexpected(results)),
        ("Without a number", list(findings.missing_sentences(results))),
    ]


def _asked(results: Results) -> str:
    """The benchmarks: questions, what guessing gives where it gives something, the tolerance."""
    sizes = results.points.group_by("dataset", "dataset_title", maintain_order=True).agg(
        pl.col("expected_questions").max(), pl.col("chance").max()
    )
    off = {entry["name"]: entry.get("tolerance") for entry in results.settings["benchmarks"]}
    told = []
    for name, title, questions, chance in sizes.iter_rows():
        parts = [f"{questions} questions"]
        parts += [f"guessing gives {percent(chance, 1 if chance < 0.01 else 0)}"] if chance else []
        parts += (
            [f"answers within {percent(off[name], 0 if off[name] >= 0.01 else 1)}"]
            if off.get(name)
            else []
        )
        told.append(f"{title} ({', '.join(parts)})")
    return join(told)


def _own_settings(results: Results) -> str:
    """Sampling and context of models that differ from the study's, "" where none does."""
    told = []
    for model in results.settings["models"]:
        own = model.get("inference", {}).items()
        words = [f"{key} {value:,}" for key, value in own if key != "methods"]
        if words:
            told.append(f"{plain(results.model_titles[model['name']])}: {', '.join(words)}")
    return "; ".join(told)


def _forms(results: Results) -> str:
    """How the models were asked, where they were asked differently; "" where all are alike."""
    asked: dict[str, list[str]] = {}
    for model, title in results.model_titles.items():
        manifest = results.engines.get(model)
        told = _form(manifest.form) if manifest and manifest.form else "not recorded"
        told = "asked by their own harness" if manifest and manifest.kind == IMPORTED else told
        asked.setdefault(told, []).append(title)
    lines = [f"{join(who)}: {told}" for told, who in asked.items()]
    return "; ".join(lines) if len(lines) > 1 else ""


def _form(form: ModelForm) -> str:
    """Where thinking begins and ends, and what else a model is told."""
    name = "the study's delimiters" if form.name == DELIMITERS else form.name
    start, ends = form.delimiters["think_start"], form.delimiters["think_end"]
    opened = f"from {code(start)}" if start else "from where its template opens it"
    parts = [f"{name}, thinking {opened} to {' or '.join(map(code, ends))}"]
    if form.spelled:
        parts.append(f"its tokenizer spells {join([code(text) for text in form.spelled])}")
    for label, value in (
        ("system prompt", form.system_prompt),
        ("template arguments", canonical_json(form.chat_template_kwargs or "")),
        ("prefill", form.prefill),
    ):
        parts += [f"{label} {code(value)}"] if value and value != '""' else []
    return ", ".join(parts)


def _inference(settings: dict[str, Any]) -> dict[str, str]:
    whole = {
        key: f"{value:,}" if isinstance(value := settings.get(key), int) else DASH
        for key in ("context", "answer_tokens")
    }
    return whole | {
        "temperature": str(settings.get("temperature", 0.0)),
        "budgets": ", ".join(map(str, settings["budgets"])),
        "mode": str(settings.get("mode", DASH)),
    }


def _curation_in_short(results: Results, extras: Extras) -> str:
    """The first paragraph of the curation page and sets of traces made here, "" without either."""
    paragraphs = [p.strip() for p in extras.curation.split("\n\n") if p.strip()]
    told = next((p for p in paragraphs if p[0] not in "#|-"), "")
    drawn = data_costs.drawn_sets(results).items()
    sets = [f"{code(name)} from {code(pool)}" for name, pool in drawn]
    own = [f"Drawn from pools of traces made here: {join(sets)}."] if sets else []
    return " ".join([*told.splitlines(), *own])


def _evidence(results: Results, extras: Extras) -> dict[str, str]:
    """Numbers of this study that bear on claims about the implementation."""
    points, tests = results.points, results.checks.get("tests", {})
    checked, broken = extras.prefixes
    found = results.findings
    return {
        "over": count(float(points.filter(pl.col("capped"))["over_budget"].sum())),
        "generations": f"{points['questions'].sum():,}",
        "no_answer": count(float(points["no_answer"].sum())),
        "unit": "questions of all cells, draws averaged," if _drawn(results) else "generations",
        "counted": str(results.quality["counted_cells"]),
        "expected": str(results.quality["expected_cells"]),
        "errors": str(sum(f["severity"] == "error" for f in found)),
        "edited": str(sum(f["kind"] == EDITED for f in found)),
        "tables": "11" if results.ranked.places.is_empty() else "13",
        "prefixes": f"{checked:,}",
        "broken": f"{broken:,}",
        "regenerated": _regenerated(results),
        "slopes": join(
            [f"{slope} (published: {said})" for slope, said in published.slopes_again()]
        ),
        "families": ", ".join(_families(tests)) or "none",
        "trained": f"{len(results.training)} model{'s' * (len(results.training) != 1)}",
        "removed": _removed(extras.contamination),
    }


def _families(tests: Mapping[str, int]) -> Iterable[str]:
    """How many contrasts each family holds; of many models in one number where that is the same."""
    kinds: dict[str, list[int]] = {}
    for name, tested in tests.items():
        kinds.setdefault(name.split()[0], []).append(tested)
    for name, tested in tests.items():
        own = kinds[name.split()[0]]
        if len(own) <= MOST_FAMILIES:
            yield f"{tested} in {plain(name)}"
        elif own:
            span = " to ".join(map(str, dict.fromkeys([min(own), max(own)])))
            yield f"{span} in each of {len(own)} models' {plain(name.split()[0])}"
            own.clear()  # told


def _slopes() -> str:
    """Published slopes as this code finds them from the published runs."""
    return join([f"{found} (published: {said})" for found, said in published.slopes_again()])


def _regenerated(results: Results) -> str:
    """How many chains the engine wrote again from scratch, and how many came out the same."""
    checks = [m.prefix_check for m in results.engines.values() if m.prefix_check]
    chains, equal = sum(check.chains for check in checks), sum(check.equal for check in checks)
    return f"; {equal} of {chains} chains decoded anew are equal" if chains else ""


def _removed(contamination: dict[str, Any]) -> str:
    """Rows that the configured decontamination rule dropped, as the curation stage counted them."""
    counts, rule = contamination.get("would_remove", {}), contamination.get("boilerplate", "")
    names = (("benchmark", "for sharing text with a benchmark"), ("duplicate", "as duplicates"))
    told = [f"{counts[key][rule]:,} {name}" for key, name in names if rule in counts.get(key, {})]
    return "rows dropped: " + ", ".join(told) if told else "nothing was curated"


def _infinite_of(part: pl.DataFrame) -> str:
    """One model's means over all benchmarks."""
    low, high = part["budget_tokens"].min(), part["budget_tokens"].max()
    span = " to ".join(dict.fromkeys(number(cap, 0) for cap in (low, high)))  # type: ignore[arg-type]
    hit, asked = count(float(part["ended_context"].sum())), part["questions"].sum()
    return f"{part['model_title'][0]} {span} tokens on average, hit by {hit}/{asked}"


def _infinite(results: Results) -> list[str]:
    """Mean cap and share of chains that hit it, per model and benchmark."""
    rows = results.points.filter((pl.col("budget") == INFINITE) & TRUNCATED)
    if rows["model"].n_unique() > MOST_FAMILIES:
        return [_infinite_of(part) for _, part in rows.group_by("model", maintain_order=True)]
    return [
        f"{row['model_title']} on {row['dataset_title']} {number(row['budget_tokens'], 0)} tokens "
        f"on average, hit by {count(row['ended_context'])}/{row['questions']}"
        for row in rows.iter_rows(named=True)
    ] or ["not run"]

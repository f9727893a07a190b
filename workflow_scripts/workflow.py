"""The study as the rules see it: its models, cells and files, from a config that is checked.

Only the Snakefile imports this module; what a config must be is in study_checks.py, each rule's
slice of it in rule_settings.py, the shell lines of jobs in job_lines.py.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from workflow_scripts.checkout import HOME, at_home
from workflow_scripts.common.delimiters import Delimiters
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.common.formats import FORMATS, MATH, NON_REASONING, REASONING
from workflow_scripts.common.job import combinations
from workflow_scripts.common.methods import (
    INFINITE,
    NATURAL_ARM,
    cells,
    configured,
    methods,
)
from workflow_scripts.common.settings.base import as_json, read
from workflow_scripts.common.settings.imported import imported
from workflow_scripts.common.settings.inference import Cells
from workflow_scripts.common.settings.sets import each_set
from workflow_scripts.common.settings.study import Config, each_draw, each_model, run_of
from workflow_scripts.common.source_files import form, log_files, source_files
from workflow_scripts.common.tables.manifests import CHAT, SERVER
from workflow_scripts.file_content import content_of, is_recorded
from workflow_scripts.shelf import completed
from workflow_scripts.study_checks import check

Entry = dict[str, Any]

SERVER_KEYS = ("url", "served_name")
NOTHING = "$^"  # a wildcard constraint that no name meets
FORM_KEYS = ("form", "delimiters", "system_prompt", "chat_template_kwargs", "prefill")
OWN_INFERENCE = ("methods", "context")  # of a model, in place of those of `inference`
RESULT_PLOTS = [
    "contrasts", "effects", "causes", "scaling", "forcing", "curves", "methods", "lengths",
    "answers", "oracle",
]  # fmt: skip
ANALYSIS_TABLES = (
    "points", "contrasts", "metrics", "pairs", "votes", "draws", "repeats", "answer_curves",
    "confidence_stop", "endings",
)  # fmt: skip
REPORT_FILES = (
    "report.md", "report.html", "appendix.md", "appendix.html", "samples.html", "summary.txt",
)  # fmt: skip
MANY = 3  # models from which on they are ranked
RANKING_TABLES = ("ranking", "ranking_pairs")
SET_TABLES = ("sets", "set_pairs")
MODEL_PLOTS = ["ranking", "frontier", "multiples", "verdicts", "spans"]
TRAINING_FILES = ("manifest.json", "log.csv", "rendered.md")
SHIFT_TABLES = ("kl", "ranks", "words", "states", "markers")
SHIFT_PLOTS = ["shift_kl", "shift_ranks", "shift_states", "shift_markers"]
NATURAL_CELL = "natural/infinite"
CUT, VERDICTS = "cut", "verdicts"  # the rule, and its group in profiles/slurm
CURATION_PLOTS = ["funnel", "domains", "sources"]


@dataclass(frozen=True)
class CellGroup:
    """Models with the same cells, and the rule that cuts them.

    Outputs of a rule cannot ask what its wildcards are, so other cells need another rule.
    """

    rule: str
    models: tuple[str, ...]
    cells: tuple[str, ...]

    @property
    def submission(self) -> str | None:
        """Snakemake's group of the rule: profiles place `cut`, and cannot know the other names."""
        return None if self.rule == CUT else VERDICTS


class Study:
    """A validated config with the lists that the rules need; ConfigError if it is not valid.

    `config` holds every key, those that were left out with their defaults.
    """

    def __init__(self, config: Entry) -> None:
        asked = read(Config, completed(config), "the config")
        sets = each_set(asked.sets)
        models = each_model(asked.models, sets, asked.training.recipe.epochs)
        models, sets = each_draw(models, sets, asked.seed)
        config = _found(as_json(replace(asked, models=models, sets=sets)))
        self.config = config
        self.results = _plain_folder(config["results"])
        self.seed = int(config["seed"])
        extra = config["curation"]["decontamination"]["extra"]
        for entry in [*config["benchmarks"], *extra]:
            asked_as = FORMATS[entry["format"]]
            own = {"instruction": asked_as.instruction, "group": asked_as.group}
            entry |= {key: entry.get(key, value) for key, value in own.items()}
        self.benchmarks = _by_name(config["benchmarks"], "benchmarks")
        self.question_sets = _by_name([*config["benchmarks"], *extra], "benchmarks and extra")
        self.models = _by_name(config["models"], "models")
        self.pretrained = [name for name, entry in self.models.items() if "path" in entry]
        of_runs = [name for name, entry in self.models.items() if "train" in entry]
        self.after_epoch = {name: self._run_of(name) for name in of_runs if self._epoch(name)}
        self.trained = [name for name in of_runs if name not in self.after_epoch]
        self.sets: dict[str, Entry] = config["sets"]
        self.imported = [name for name, entry in self.models.items() if "imported" in entry]
        self.decoded = [name for name in self.models if name not in self.imported]
        check(self)

    @property
    def datasets(self) -> list[str]:
        """Names of the benchmarks, in config order."""
        return list(self.benchmarks)

    @property
    def own_samples(self) -> dict[str, int]:
        """Draws per question of the benchmarks that have their own number."""
        entries = self.benchmarks.items()
        return {name: entry["samples"] for name, entry in entries if "samples" in entry}

    def rows_of(self, model: str, dataset: str) -> int:
        """Rows of one question of a benchmark: cells and draws; probes come on top."""
        those = cells(self.section(model), self.own_samples.get(dataset))
        return sum(cell.method.samples for cell in those if not cell.method.flags.probing)

    @property
    def draws(self) -> bool:
        """Whether some question is drawn several times, so that draws can vote."""
        asked = [None, *self.own_samples.values()]
        return any(
            method.samples > 1
            for model in self.decoded
            for count in asked
            for method in methods(self.section(model), count)
        )

    def own_inference(self, model: str) -> Entry:
        """Keys of the section `inference` that a model has values of its own for.

        model  of the study, a solver or a teacher
        """
        entry = self.entry(model)
        if "imported" in entry:
            return {"methods": [self._imported_method(entry["imported"])]}
        own = {key: entry[key] for key in OWN_INFERENCE if key in entry}
        return {**entry.get("sampling", {}), **own}

    def _imported_method(self, entry: Entry) -> Entry:
        """The one way to think of an imported model: its natural end, with its own draws."""
        most = max(map(imported(entry).draws, self.datasets))
        # Above 0 where nobody says: several draws at 0 would be one.
        heat = entry.get("temperature") or (1.0 if most > 1 else 0.0)
        return {"method": NATURAL_ARM, "samples": most, "temperature": heat}

    def imported_draws(self, model: str) -> dict[str, int]:
        """Draws per question that the files of an imported model hold, by benchmark."""
        entry = imported(self.models[model]["imported"])
        return {name: entry.draws(name) for name in self.datasets}

    def imported_files(self, model: str) -> list[str]:
        """Files of an imported model; ConfigError for a name that stands for none."""
        files = imported(self.models[model]["imported"]).files
        return [file for names in files.values() for file in log_files(names)]

    def inference(self, model: str) -> Entry:
        """The section `inference` as it holds for one model."""
        return {**self.config["inference"], **self.own_inference(model)}

    def section(self, model: str) -> Cells:
        """The cells of one model, as settings."""
        return configured(self.inference(model))

    def cell_paths(self, model: str) -> tuple[str, ...]:
        """`method/budget` of every cell of a model."""
        return tuple(cell.path for cell in cells(self.section(model)))

    @cached_property
    def cell_groups(self) -> list[CellGroup]:
        """The models by their cells, in the order of the first of each; its first rule is `cut`."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for model in [*self.decoded, *self.imported]:
            groups.setdefault(self.cell_paths(model), []).append(model)
        return [
            CellGroup(f"cut_of_{names[0].replace('-', '_')}" if i else CUT, tuple(names), paths)
            for i, (paths, names) in enumerate(groups.items())
        ]

    @property
    def cut_groups(self) -> list[CellGroup]:
        """The same of the models that are decoded here: imported ones have no chains to cut.

        Where none is decoded here, a rule that no model meets: others are made from it.
        """
        every = [
            replace(group, models=tuple(name for name in group.models if name in self.decoded))
            for group in self.cell_groups
        ]
        found = [group for group in every if group.models]
        return found or [CellGroup(CUT, (NOTHING,), (NATURAL_CELL,))]

    @property
    def imported_models(self) -> str:
        """Wildcard constraint: the models whose outputs another harness made."""
        return "|".join(self.imported) or NOTHING

    @property
    def imported_cells(self) -> list[str]:
        """Files of every cell of an imported model, with its name left open."""
        cell = f"{NATURAL_ARM}/{INFINITE}"
        here = f"{self.results}/generations/{{model}}"
        return [f"{here}/{dataset}/{cell}.parquet" for dataset in self.datasets]

    def if_imported(self, *names: str) -> list[str]:
        """The names, or nothing in a study of models that are all decoded here."""
        return list(names) if self.imported else []

    @property
    def import_tables(self) -> list[str]:
        """What was read of each imported model: the harness's verdicts, row by row."""
        return [f"{self.results}/imported/{model}/rows.parquet" for model in self.imported]

    @property
    def import_facts(self) -> list[str]:
        """What is known of each imported model's run, and what did not fit in its files."""
        return [f"{self.results}/imported/{model}/facts.json" for model in self.imported]

    def import_table(self, model: str) -> list[str]:
        """The same of one model; nothing for one that is decoded here."""
        found = [f"{self.results}/imported/{model}/rows.parquet"]
        return found if model in self.imported else []

    @property
    def selectors(self) -> list[str]:
        """Training sets that some model is trained on, in the order of the models.

        The first one is the main set of the curation's tables and figures.
        """
        sets = [self.set_of(name) for name in self.trained if name not in self.ready_sets]
        return list(dict.fromkeys(sets))

    @property
    def set_models(self) -> list[str]:
        """Models that are trained on a set which is selected here."""
        return [name for name in self.trained if name not in self.ready_sets]

    def if_sets(self, *names: str) -> list[str]:
        """The names, or nothing in a study of fewer than two sets to compare."""
        return list(names) if len(self.selectors) > 1 else []

    @property
    def areas(self) -> dict[str, str]:
        """Benchmark -> area that its group belongs to, for what training does to others."""
        asked = self.config["analysis"]["transfer"]
        named = dict.fromkeys(asked["non_reasoning"], NON_REASONING)
        named |= dict.fromkeys(asked["math"], MATH)
        return {
            name: named.get(entry["group"], REASONING) for name, entry in self.benchmarks.items()
        }

    def if_transfer(self, *names: str) -> list[str]:
        """The names, or nothing where no model has a base or all benchmarks are of one area."""
        return list(names) if self.bases and len(set(self.areas.values())) > 1 else []

    @property
    def ready_sets(self) -> dict[str, str]:
        """Trained model -> the file of its training set, where that is a file and no selector."""
        return {name: self.set_of(name) for name in self.trained if form(Path(self.set_of(name)))}

    @property
    def all_cells(self) -> list[str]:
        """Files of every cell of every model."""
        return self.cells_of(*self.models)

    def cells_of(self, *models: str) -> list[str]:
        """Files of every cell of some models."""
        patterns = self.cell_patterns(*models)
        return [str(path) for pattern in patterns for path in combinations(pattern)]

    def cell_patterns(self, *models: str) -> list[str]:
        """The same as patterns short enough for a command line: one for models with equal cells."""
        found = [([m for m in g.models if m in models], g.cells) for g in self.cell_groups]
        return [self._pattern(own, paths) for own, paths in found if own]

    def _pattern(self, models: Sequence[str], paths: Sequence[str]) -> str:
        words = [",".join(names) for names in (models, self.datasets, paths)]
        model, dataset, cell = [f"{{{word}}}" if "," in word else word for word in words]
        return f"{self.results}/generations/{model}/{dataset}/{cell}.parquet"

    @property
    def benchmark_tables(self) -> list[str]:
        """The study's benchmarks."""
        return self.tables_of(self.datasets)

    @property
    def decontamination_tables(self) -> list[str]:
        """The benchmarks to stay clear of."""
        return self.tables_of(self.decontamination_sets)

    def tables_of(self, datasets: list[str]) -> list[str]:
        """Files of benchmarks by name."""
        return [f"{self.results}/benchmarks/{dataset}.parquet" for dataset in datasets]

    @property
    def set_tables(self) -> list[str]:
        """The training sets that are drawn from the study's pool."""
        return self.set_files("")

    def set_files(self, pool: str) -> list[str]:
        """The training sets that are drawn from a pool of traces, or from the study's pool ("")."""
        return [f"{self.results}/curation/sets/{name}.parquet" for name in self.sets_of(pool)]

    def shown_sets(self, pool: str) -> list[str]:
        """Of `sets_of`, those that tables show: of several draws of one set the first."""
        first = {self.drawn_for(name): name for name in reversed(self.sets_of(pool))}
        return list(reversed(first.values()))

    @property
    def audited(self) -> list[str]:
        """Sets of every pool that tables show."""
        return [name for pool in ("", *self.trace_pools) for name in self.shown_sets(pool)]

    def drawn_for(self, name: str) -> str:
        """The set that another is one draw of; its own name where it is not drawn anew."""
        return self.sets.get(name, {}).get("draw_of", name)

    @property
    def model_cards(self) -> list[str]:
        """What each model is."""
        return [f"{self.results}/models/{model}/model.json" for model in self.decoded]

    @property
    def tokenizer_cards(self) -> list[str]:
        """What is known before training of the models whose tokenizers the study uses."""
        return [
            f"{self.results}/models/{model}/model.json"
            for model in dict.fromkeys(map(self.tokenizer_of, self.decoded))
        ]

    def _epoch(self, model: str) -> int | None:
        """Epoch of its run after which these are the weights; None for the end, and otherwise."""
        return self.models[model].get("train", {}).get("epoch")

    def _run_of(self, model: str) -> str:
        return run_of(model, self._epoch(model) or 0)

    def kept_epochs(self, run: str) -> dict[int, str]:
        """Epochs before the last whose weights a run keeps, with the models that they are."""
        own = [name for name, other in self.after_epoch.items() if other == run]
        return {self._epoch(name) or 0: name for name in own}

    @property
    def followed(self) -> list[str]:
        """Training runs that keep weights of epochs before the last."""
        return [name for name in self.trained if self.kept_epochs(name)]

    def if_followed(self, *names: str) -> list[str]:
        """The names, or nothing where no run keeps weights of epochs before the last."""
        return list(names) if self.after_epoch else []

    def is_trained(self, model: str) -> bool:
        """Whether training makes its weights, those after an epoch included."""
        return model in self.trained or model in self.after_epoch

    def tokenizer_of(self, model: str) -> str:
        """Pretrained model whose tokenizer `model` has: itself, or what it is trained from."""
        return self.base_of(model) if self.is_trained(model) else model

    @property
    def grade_tables(self) -> list[str]:
        """Verdicts, one file per model."""
        return [f"{self.results}/grades/{model}.parquet" for model in self.models]

    @property
    def engine_manifests(self) -> list[str]:
        """What decoding took, one file per model."""
        return [f"{self.results}/generations/{model}/manifest.json" for model in self.models]

    @property
    def training_manifests(self) -> list[str]:
        """What training took, one file per trained model."""
        return self.of_trained("training/{model}/manifest.json")

    def of_trained(self, pattern: str) -> list[str]:
        """A file of each trained model."""
        return [f"{self.results}/{pattern}".format(model=model) for model in self.trained]

    @property
    def plots(self) -> list[str]:
        """Figures of the report, in its order; some only where a model is trained, or draws."""
        parallel = ["parallel"] if self.draws else []
        more = self.if_curated(*CURATION_PLOTS) + self.if_trained("training")
        compared = self.if_sets("sets") + self.if_followed("epochs") + self.if_transfer("transfer")
        plots = self.if_many(*MODEL_PLOTS) + RESULT_PLOTS + parallel + compared + more
        return plots + (SHIFT_PLOTS if self.config["shift"]["measure"] else [])

    @property
    def promised(self) -> list[str]:
        """Files under the results folder that README's table promises.

        They are targets, so that a deleted one comes back while the report still stands.
        """
        each = [
            *(f"report/{name}" for name in REPORT_FILES),
            *(f"analysis/{name}.csv" for name in ANALYSIS_TABLES),
            *self.if_many(*(f"analysis/{name}.csv" for name in RANKING_TABLES)),
            *self.if_expected("analysis/expectations.csv", "report/expectations.txt"),
            *self.if_sets(*(f"analysis/{name}.csv" for name in SET_TABLES)),
            *self.if_followed("analysis/epochs.csv"),
            *self.if_transfer("analysis/transfer.csv"),
            *(f"models/{model}/model.json" for model in self.decoded),
            *(f"generations/{model}/manifest.json" for model in self.models),
            *(f"grades/{model}.parquet" for model in self.models),
            *(f"plots/{plot}.{kind}" for plot in self.plots for kind in ("png", "svg", "pdf")),
            *(f"training/{m}/{file}" for m in self.trained for file in TRAINING_FILES),
            *self.if_imported("imported/verdicts.csv"),
            *self.if_curated("curation/dropped.parquet", "curation/curation.md"),
            *(f"traces/pools/{pool}/pool.parquet" for pool in self.trace_pools),
            *(f"curation/sets/{selector}.parquet" for selector in self.selectors),
            *(f"training/{model}/set.parquet" for model in self.ready_sets),
        ]
        return [*(f"{self.results}/{name}" for name in each), *self.all_cells]

    @property
    def focus(self) -> str:
        """The model that report and figures are about."""
        elsewhere = [name for name in self.bases if name in self.imported]
        own = [*self.trained[:1], *reversed(self.decoded)]
        found = [*own, *elsewhere, *reversed(self.models)][0]
        return self.config["report"].get("focus") or found

    def if_many(self, *names: str) -> list[str]:
        """The names, or nothing in a study of too few models to rank."""
        return list(names) if len(self.models) >= MANY else []

    def if_expected(self, *names: str) -> list[str]:
        """The names, or nothing where the config expects nothing of the results."""
        return list(names) if self.config["expect"] else []

    def if_trained(self, *names: str) -> list[str]:
        """The names, or nothing in a study of pretrained models alone."""
        return list(names) if self.trained else []

    def if_curated(self, *names: str) -> list[str]:
        """The names, or nothing where no training set is selected from the pool."""
        return list(names) if self.sets_of("") else []

    def if_pooled(self, *names: str) -> list[str]:
        """The names, or nothing where no row of the pool is used."""
        return list(names) if self.selectors or self.traces else []

    @property
    def compared(self) -> dict[str, str]:
        """Model -> the one that its predictions are compared with on the stored ids."""
        asked = self.config["shift"].get("compare")
        if asked is not None:
            return {pair["model"]: pair["base"] for pair in asked}
        pairs = {name: self.base_of(name) for name in self.trained}
        return {m: b for m, b in pairs.items() if self.has_natural(m) and self.has_natural(b)}

    @property
    def in_pairs(self) -> list[str]:
        """Models that are compared, and what they are compared with."""
        both = {*self.compared, *self.compared.values()}
        return [model for model in self.models if model in both]

    @property
    def shift_plots(self) -> list[str]:
        """Figures of rule plot_shift."""
        return SHIFT_PLOTS

    @property
    def shift_files(self) -> list[str]:
        """Tables and figures of what training changed. ConfigError where nothing is compared."""
        if not self.compared:
            raise ConfigError(
                "shift: no model of this config is trained here from a base whose natural end is "
                "run, too, so nothing is compared; name two models with `natural` among their "
                "methods, `shift: {compare: [{model: NAME, base: NAME}]}`"
            )
        return [*self.shift_tables, *(f"{self.results}/plots/{p}.png" for p in SHIFT_PLOTS)]

    @property
    def shift_tables(self) -> list[str]:
        """Tables of what training changed."""
        return [f"{self.results}/shift/{name}.csv" for name in SHIFT_TABLES]

    def if_shifted(self, *names: str) -> list[str]:
        """The names, or nothing where the report is not asked what training changed."""
        return list(names) if self.config["shift"]["measure"] else []

    def of_compared(self, pattern: str) -> list[str]:
        """A file of each model that is compared."""
        return [f"{self.results}/{pattern}".format(model=model) for model in self.compared]

    def natural_cells(self, *models: str) -> list[str]:
        """Files of the natural end of some models."""
        folder = f"{self.results}/generations"
        each = [(model, dataset) for model in models for dataset in self.datasets]
        return [f"{folder}/{model}/{dataset}/{NATURAL_CELL}.parquet" for model, dataset in each]

    def has_natural(self, model: str) -> bool:
        """Whether the natural end of a model is run."""
        return NATURAL_CELL in self.cell_paths(model)

    @property
    def touched_files(self) -> list[str]:
        """Tables of the benchmark questions that training sets touch."""
        ready = [f"{self.results}/training/{model}/touched.csv" for model in self.ready_sets]
        made = [
            f"{self.results}/traces/pools/{pool}/touched.csv"
            for pool in self.trace_pools
            if self.sets_of(pool)
        ]
        return self.if_curated(f"{self.results}/curation/touched.csv") + made + ready

    @property
    def bases(self) -> dict[str, str]:
        """Model -> the one that it was trained from, here or, where it is imported, elsewhere."""
        found = {
            name: entry.get("train", entry.get("imported", {}))
            for name, entry in self.models.items()
        }
        return {name: own["base"] for name, own in found.items() if "base" in own}

    def base_of(self, model: str) -> str:
        """Model that `model` was trained from."""
        return self.bases[model]

    def set_of(self, model: str) -> str:
        """Selector of the training set of `model`, or the file that it is in."""
        return self.models[model]["train"]["set"]

    def set_file(self, model: str) -> str:
        """The training set of `model` as a SELECTED table."""
        if model in self.ready_sets:
            return f"{self.results}/training/{model}/set.parquet"
        return f"{self.results}/curation/sets/{self.set_of(model)}.parquet"

    def benchmark_files(self, dataset: str) -> list[str]:
        """Local files of a benchmark, extra ones included; empty when it comes from the hub."""
        return source_files(self.question_sets[dataset]["source"].get("files") or [])

    @property
    def pool_files(self) -> list[str]:
        """Local files of the pool; empty when it comes from the hub."""
        return source_files(self.config["pool"]["source"].get("files") or [])

    @property
    def relabel(self) -> Entry:
        """The config's section on labels made here."""
        return self.config["curation"]["relabel"]

    @property
    def solvers(self) -> dict[str, str]:
        """Solver models by name, with the difficulty label that each makes.

        Those whose label drops rows; an overlay can add solvers, and never take one away.
        """
        asked = self.config["curation"]["difficulty"]["drop_if_correct"]
        labels = [label for label in self.relabel["solvers"] if label in asked]
        return {label.removesuffix("_correct"): label for label in labels}

    @property
    def downloads(self) -> dict[str, Entry]:
        """Every pretrained model by name: the study's, and those that only make labels."""
        solvers = {name: self.relabel["solvers"][label] for name, label in self.solvers.items()}
        own = {name: self.models[name] for name in self.pretrained}
        return {**solvers, "classifier": self.relabel["classifier"], **self.hired, **own}

    def entry(self, model: str) -> Entry:
        """What the config says of a model of the study, a solver or a teacher."""
        return self.teachers.get(model) or self.downloads.get(model) or self.models[model]

    @property
    def traces(self) -> Entry:
        """The config's section on traces made here; empty where none are."""
        return self.config.get("traces", {})

    @property
    def teachers(self) -> dict[str, Entry]:
        """Models that write traces, by name; one of the study has that model's keys, too."""
        entries = self.traces.get("teachers", {})
        return {
            name: {**self.models.get(own.get("model", ""), {}), **own}
            for name, own in entries.items()
        }

    @property
    def hired(self) -> dict[str, Entry]:
        """Teachers that are no models of the study."""
        return {
            name: {"revision": "main", **entry}
            for name, entry in self.teachers.items()
            if "model" not in entry
        }

    @property
    def trace_pools(self) -> dict[str, Entry]:
        """Pools of traces made here, by name, each with its teachers."""
        pools = self.traces.get("pools", {})
        return {name: {"teachers": [*self.teachers], **entry} for name, entry in pools.items()}

    def writer(self, teacher: str) -> str:
        """Name of the model that a teacher is: one of the study, or the teacher's own."""
        return self.teachers[teacher].get("model", teacher)

    def writer_gpus(self, teacher: str) -> int:
        """GPUs of a teacher's job; a server has its own."""
        served = self.engine(teacher)["kind"] in (SERVER, CHAT)
        return 0 if served else self.gpus("inference")

    def draws_of(self, teacher: str) -> str:
        """The cell that a teacher's draws stand in."""
        method = self.teachers[teacher]["method"]
        return f"{self.results}/traces/teachers/{teacher}/pool/{method}/infinite.parquet"

    def trace_pool_files(self, name: str) -> list[str]:
        """A file of every pool of traces."""
        return [f"{self.results}/traces/pools/{pool}/{name}" for pool in self.trace_pools]

    @property
    def teacher_manifests(self) -> list[str]:
        """What writing took, one file per teacher that some pool has."""
        used = dict.fromkeys(
            name for pool in self.trace_pools.values() for name in pool["teachers"]
        )
        return [f"{self.results}/traces/teachers/{name}/manifest.json" for name in used]

    @property
    def asked_rows(self) -> str:
        """The file that says which rows of the pool teachers are asked."""
        questions = self.traces.get("questions", "pool")
        kept = {"pool": f"{self.results}/curation/decontamination.parquet"}
        kept["hard"] = self.difficulty_file
        return kept.get(questions, f"{self.results}/curation/sets/{questions}.parquet")

    def traces_of(self, name: str) -> str:
        """Pool of traces that a training set is drawn from; "" for the study's pool."""
        return self.sets.get(name, {}).get("traces", "")

    def sets_of(self, pool: str) -> list[str]:
        """Training sets that are drawn from a pool of traces, or from the study's pool ("")."""
        return [name for name in self.selectors if self.traces_of(name) == pool]

    def curated(self, name: str, table: str) -> str:
        """A table of the pool that a training set is drawn from: `pool`, `quality`, ..."""
        if pool := self.traces_of(name):
            return f"{self.results}/traces/pools/{pool}/{table}.parquet"
        own = {"pool": self.pool_file, "difficulty": self.difficulty_file}
        return own.get(table, f"{self.results}/curation/{table}.parquet")

    def engine(self, model: str) -> Entry:
        """The section `inference.engine` for one model: its own server in place of the common one.

        model  of the study, a solver or a teacher
        """
        entry = self.entry(model)
        own = {key: entry[key] for key in SERVER_KEYS if key in entry}
        return {**self.config["inference"]["engine"], **entry.get("engine", {}), **own}

    def form(self, model: str) -> Entry:
        """How a model is asked and marks its thinking: its own keys, else the study's.

        Without a `form` of its own it has the study's `delimiters`, single keys overridden.
        """
        entry = self.entry(model)
        own = {key: entry[key] for key in FORM_KEYS if key in entry}
        own.setdefault("system_prompt", self.config["system_prompt"])
        below = {} if "form" in own else self.config["delimiters"]
        delimiters = {**below, **own.get("delimiters", {})}
        if "form" not in own:
            delimiters = Delimiters.from_config(delimiters).to_config()
        return {**own, "delimiters": delimiters}

    @property
    def pool_file(self) -> str:
        """The pool that the filters read, with the domains that the config asks for."""
        name = "pool" if self.relabel["domains"] == "none" else "pool_relabelled"
        return f"{self.results}/curation/{name}.parquet"

    @property
    def difficulty_file(self) -> str:
        """The difficulty decisions, from the labels that the config asks for."""
        name = "difficulty_relabelled" if self.relabel["difficulty"] else "difficulty"
        return f"{self.results}/curation/{name}.parquet"

    def model_files(self, model: str) -> list[str]:
        """Files of a pretrained model in a local folder; empty when it comes from the hub."""
        folder = Path(self.downloads[model]["path"])
        kinds = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
        return sorted(str(path) for kind in kinds for path in folder.glob(kind))

    @property
    def tokenizer_files(self) -> list[str]:
        """Files of the tokenizer that counts trace tokens; empty when it comes from the hub."""
        folder = Path(self.config["curation"]["tokenizer"]["path"])
        kinds = ("tokenizer*", "vocab.json", "merges.txt", "added_tokens.json", "special_tokens*")
        return sorted({str(path) for kind in kinds for path in folder.glob(kind)})

    @property
    def tokenizer_content(self) -> str:
        """Digest of those files."""
        return content_of(self.tokenizer_files)

    def model_is_known(self, model: str) -> bool:
        """Whether `location.json` of a local model was written for its files as they are now."""
        record = Path(self.results) / "models" / model / "location.json"
        return is_recorded(content_of(self.model_files(model)), record, "content")

    @property
    def tokenizer_is_known(self) -> bool:
        """Whether traces were counted with the tokenizer files as they are now."""
        record = Path(self.results) / "curation" / "lengths.json"
        return is_recorded(self.tokenizer_content, record, "tokenizer", "content")

    @property
    def decontamination_sets(self) -> list[str]:
        """Benchmarks to stay clear of: the study's own and the extra ones."""
        return [*self.datasets, *self.extra_benchmarks]

    @property
    def extra_benchmarks(self) -> list[str]:
        """Benchmarks that only decontamination uses."""
        return [entry["name"] for entry in self.config["curation"]["decontamination"]["extra"]]

    @property
    def shards(self) -> int:
        """Jobs that a model's questions are split over."""
        return int(self.config["inference"]["shards"])

    @property
    def shard_names(self) -> list[str]:
        """The shards of a model, as they stand in paths: `2-of-4`."""
        return [f"{number + 1}-of-{self.shards}" for number in range(self.shards)]

    @property
    def whole_models(self) -> str:
        """Wildcard constraint: the models that one job decodes; none where there are shards."""
        return "|".join(self.decoded) or NOTHING if self.shards == 1 else NOTHING

    @property
    def split_models(self) -> str:
        """Wildcard constraint: the models that shards decode."""
        return "|".join(self.decoded) or NOTHING if self.shards > 1 else NOTHING

    @property
    def whole_solvers(self) -> str:
        """Wildcard constraint: as `whole_models`, for solvers of the pool."""
        return "|".join(self.solvers) or NOTHING if self.shards == 1 else NOTHING

    @property
    def split_solvers(self) -> str:
        """Wildcard constraint: as `split_models`, for solvers of the pool."""
        return "|".join(self.solvers) or NOTHING if self.shards > 1 else NOTHING

    @property
    def every_teacher(self) -> str:
        """Wildcard constraint: the teachers."""
        return "|".join(self.teachers) or NOTHING

    @property
    def whole_teachers(self) -> str:
        """Wildcard constraint: as `whole_models`, for teachers."""
        return self.every_teacher if self.shards == 1 else NOTHING

    @property
    def split_teachers(self) -> str:
        """Wildcard constraint: as `split_models`, for teachers."""
        return self.every_teacher if self.shards > 1 else NOTHING

    @property
    def every_trace_pool(self) -> str:
        """Wildcard constraint: the pools of traces."""
        return "|".join(self.trace_pools) or NOTHING

    @property
    def store_tokens(self) -> dict[str, Callable[[Any], int]]:
        """Resources by name, one for the store of each model that `estimate` probes.

        A job holds its own model's. Each is limited to the number of shards, which a job that
        writes the model's store holds whole, so that nobody else writes or reads it meanwhile.
        """
        return self._tokens(self.shards)

    @property
    def shard_tokens(self) -> dict[str, Callable[[Any], int]]:
        """The same for a shard, beside which others may run: each has a store of its own."""
        return self._tokens(1)

    def _tokens(self, count: int) -> dict[str, Callable[[Any], int]]:
        def held(model: str) -> Callable[[Any], int]:
            return lambda wildcards: count * int(wildcards.model == model)

        return {f"store_of_{model.replace('-', '_')}": held(model) for model in self.pretrained}

    def environment(self, section: str) -> str:
        """Conda environment of `training` or `inference`, as seen from rules/."""
        section_config = self.config[section]
        on_cpu = section_config["gpus"] == 0
        return f"../envs/{section}-cpu.yaml" if on_cpu else f"../envs/{section}.yaml"

    @property
    def container(self) -> str:
        """Image in which rules run where the caller asks for apptainer; not looked at elsewhere."""
        kind = "cuda" if self.gpus("training") or self.gpus("inference") else "cpu"
        return self.config.get("container") or f"s1flow-{kind}.sif"

    def gpus(self, section: str) -> int:
        """GPUs of a section's heavy rule."""
        return int(self.config[section]["gpus"])

    def threads(self, section: str) -> int:
        """CPU threads of a section's heavy rule."""
        return int(self.config[section]["threads"])


def _found(value: Any) -> Any:
    """A config whose models that lie in the checkout are found there from elsewhere, too."""
    if isinstance(value, list):
        return [_found(item) for item in value]
    if not isinstance(value, dict):
        return value
    entry = {key: _found(item) for key, item in value.items()}
    path = entry.get("path")
    if isinstance(path, str) and not Path(path).exists() and (HOME / path).is_dir():
        entry["path"] = at_home(path)
    return entry


def _plain_folder(name: str) -> str:
    """The results folder without a slash at its end.

    ConfigError for signs that mean something to Snakemake or a shell: the name stands in rules
    and on command lines.
    """
    odd = sorted(set(re.findall(r"[^\w./~+@=:%,-]", name)))
    folder = re.sub(r"/+", "/", name).rstrip("/")
    if odd or not folder:
        raise ConfigError(
            f"results: {name!r} cannot be a folder of results"
            + (f" ({' '.join(map(repr, odd))} in it)" if odd else "")
            + ": use letters, digits and . _ - /"
        )
    return folder


def _by_name(entries: list[Entry], where: str) -> dict[str, Entry]:
    named = {entry["name"]: entry for entry in entries}
    if len(named) != len(entries):
        raise ConfigError(f"{where}: a name occurs twice")
    titles = [entry.get("title", name) for name, entry in named.items()]
    twice = next((title for title in titles if titles.count(title) > 1), None)
    if twice is not None:  # figures and tables tell them apart by their titles
        raise ConfigError(f"{where}: the title {twice!r} occurs twice; give each its own")
    return named

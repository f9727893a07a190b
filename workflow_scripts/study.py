"""The configured study as the rules see it: names, lists and each rule's slice of the config.

Only the Snakefile imports this module. Settings are handed to entry scripts as JSON with sorted keys,
so that reordering the config reruns nothing, and each rule gets only the keys it uses, so that a
change reruns only what depends on it.
"""

from pathlib import Path
from typing import Any

from workflow_scripts.common.cells import INFINITE, cells
from workflow_scripts.common.delimiters import Delimiters
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.common.provenance import canonical_json
from workflow_scripts.config_check import check_config

Entry = dict[str, Any]

TOKENIZE_KEYS = ("max_sample_tokens", "too_long")
CELL_KEYS = ("budgets", "methods", "context", "answer_tokens")
RESULT_PLOTS = ["scaling", "curves", "methods", "forcing", "lengths"]
CURATION_PLOTS = ["funnel", "domains", "sources"]


class Study:
    """A validated config with the lists and settings that the rules need."""

    def __init__(self, config: Entry, schema: Path) -> None:
        check_config(config, schema)
        self.config = config
        self.results = str(config["results"])
        self.seed = int(config["seed"])
        self.benchmarks = _by_name(config["benchmarks"], "benchmarks")
        self.models = _by_name(config["models"], "models")
        self.pretrained = [name for name, entry in self.models.items() if "path" in entry]
        self.trained = [name for name, entry in self.models.items() if "train" in entry]
        self.cell_paths = [cell.path for cell in cells(config["inference"])]
        self._check_models()
        self._check_budgets()

    @property
    def datasets(self) -> list[str]:
        """Names of the benchmarks, in config order."""
        return list(self.benchmarks)

    @property
    def selectors(self) -> list[str]:
        """Training sets that some model is trained on."""
        return sorted({self.models[name]["train"]["set"] for name in self.trained})

    @property
    def all_cells(self) -> list[str]:
        """Files of every cell of every model."""
        return [
            f"{self.results}/generations/{model}/{dataset}/{cell}.parquet"
            for model in self.models
            for dataset in self.datasets
            for cell in self.cell_paths
        ]

    @property
    def plots(self) -> list[str]:
        """Figures of the report, in its order; curation and training only where a model is trained."""
        return RESULT_PLOTS + self.if_trained(*CURATION_PLOTS, "training")

    def if_trained(self, *names: str) -> list[str]:
        """The names, or nothing in a study of pretrained models alone."""
        return list(names) if self.trained else []

    def base_of(self, model: str) -> str:
        """Model that `model` was trained from."""
        return self.models[model]["train"]["base"]

    def set_of(self, model: str) -> str:
        """Selector of the training set of `model`."""
        return self.models[model]["train"]["set"]

    def benchmark_files(self, dataset: str) -> list[str]:
        """Local files of a benchmark; empty when it comes from the hub."""
        return list(self.benchmarks[dataset]["source"].get("files") or [])

    @property
    def pool_files(self) -> list[str]:
        """Local files of the pool; empty when it comes from the hub."""
        return list(self.config["pool"]["source"].get("files") or [])

    @property
    def decontamination_sets(self) -> list[str]:
        """Benchmarks to stay clear of: the study's own and the extra ones."""
        return [*self.datasets, *self.extra_benchmarks]

    @property
    def extra_benchmarks(self) -> list[str]:
        """Benchmarks that only decontamination uses."""
        return [entry["name"] for entry in self.config["curation"]["decontamination"]["extra"]]

    def environment(self, section: str) -> str:
        """Conda environment of `training` or `inference`, as seen from rules/."""
        section_config = self.config[section]
        on_cpu = section_config["gpus"] == 0
        return f"../envs/{section}-cpu.yaml" if on_cpu else f"../envs/{section}.yaml"

    def threads(self, section: str) -> int:
        """CPU threads of a section's heavy rule."""
        return int(self.config[section]["threads"])

    # ------------------------------------------------------------------ settings by rule

    def load_benchmark(self, dataset: str) -> str:
        """Settings of rule load_benchmark; independent of how many questions are used."""
        extra = {e["name"]: e for e in self.config["curation"]["decontamination"]["extra"]}
        entry = {**self.benchmarks, **extra}[dataset]
        kept = {key: entry[key] for key in ("name", "format", "columns") if key in entry}
        return self._json(kept | {"source": _source(entry["source"])})

    @property
    def seed_only(self) -> str:
        """Settings of rules that depend on the seed alone."""
        return self._json({})

    def load_pool(self) -> str:
        """Settings of rule load_pool."""
        pool = self.config["pool"]
        return self._json({"source": _source(pool["source"]), "columns": pool["columns"]})

    def curation(self, section: str) -> str:
        """Settings of a curation filter."""
        return self._json({**self.config["curation"][section]})

    def decontaminate(self) -> str:
        """Settings of rule decontaminate, without where the extra benchmarks come from."""
        section = dict(self.config["curation"]["decontamination"])
        section["extra"] = self.extra_benchmarks
        return self._json(section)

    def select(self, selector: str) -> str:
        """Settings of rule select for one training set."""
        curation = self.config["curation"]
        return self._json(
            {
                "selection": curation["selection"],
                "tokenizer": curation["tokenizer"],
                "selector": selector,
            }
        )

    def summarise_curation(self) -> str:
        """Settings of rule summarise_curation."""
        return self._json({"selectors": self.selectors})

    def resolve_model(self, model: str) -> str:
        """Settings of rule resolve_model."""
        entry = self.models[model]
        return self._json({"revision": "main", **entry, "name": model})

    def tokenize(self, model: str) -> str:
        """Settings of rule tokenize."""
        training = {key: self.config["training"][key] for key in TOKENIZE_KEYS}
        return self._json({**training, **self._prompting()})

    def train(self, model: str) -> str:
        """Settings of rule train: what changes the trained weights."""
        training = self._without(self.config["training"], *TOKENIZE_KEYS, "threads", "gpus")
        entry = self.models[model]["train"]
        training["recipe"] = {**training["recipe"], **entry.get("recipe", {})}
        training["compile"] = {True: "on", False: "off"}.get(training["compile"], "auto")
        training["seed"] = entry.get("seed", self.seed)
        training["device"] = "cuda" if self.config["training"]["gpus"] else "cpu"
        return self._json({**training, "name": model, **self._folders(model)})

    def generate(self, model: str) -> str:
        """Settings of rules generate and cut for a model."""
        section = self._without(self.config["inference"], "threads", "gpus")
        return self._json(
            {
                "inference": section,
                "first": {name: entry["first"] for name, entry in self.benchmarks.items()},
                "store": f"{self.results}/store/{model}.sqlite",
                "name": model,
                **self._prompting(),
            }
        )

    def cut(self, model: str, dataset: str) -> str:
        """Settings of rule cut."""
        section = {
            key: self.config["inference"][key]
            for key in ("budgets", "methods", "class_prompts", "context", "answer_tokens")
        }
        section["temperature"] = self.config["inference"]["temperature"]
        section["mode"] = self.config["inference"]["mode"]
        return self._json(
            {
                "inference": section,
                "first": {dataset: self.benchmarks[dataset]["first"]},
                "store": f"{self.results}/store/{model}.sqlite",
                "out": f"{self.results}/generations/{model}/{dataset}",
                "name": model,
                **self._prompting(),
            }
        )

    def grade(self) -> str:
        """Settings of rule grade."""
        return self._json(self._without(self.config["grading"], "threads"))

    def analysis(self) -> str:
        """Settings of the analysis rules."""
        return self._json(
            {
                "analysis": self.config["analysis"],
                "inference": {key: self.config["inference"][key] for key in CELL_KEYS},
                **self._titles(),
            }
        )

    def plot_results(self) -> str:
        """Settings of rule plot_results: the model drawn as the base line."""
        bases = [self.base_of(name) for name in self.trained]
        return self._json({"base": bases[0] if bases else None})

    def plot_training(self) -> str:
        """Settings of rule plot_training."""
        titles = {name: self.models[name].get("title", name) for name in self.trained}
        return self._json({"titles": titles})

    def view_samples(self) -> str:
        """Settings of rule view_samples."""
        return self._json(
            {
                "study": self.config["study"],
                "inference": {key: self.config["inference"][key] for key in CELL_KEYS},
                **self._prompting(),
                **self._titles(),
            }
        )

    def write_report(self) -> str:
        """Settings of rule write_report."""
        return self._json(
            {
                "study": self.config["study"],
                "results": self.results,
                "analysis": self.config["analysis"],
                "samples_per_rule": self.config["report"]["samples_per_rule"],
                "inference": self._without(self.config["inference"], "threads", "gpus"),
                "training": {"recipe": self.config["training"]["recipe"]},
                **self._titles(),
            }
        )

    # ------------------------------------------------------------------------- internals

    def _json(self, settings: Entry) -> str:
        return canonical_json({"seed": self.seed, **settings})

    def _prompting(self) -> Entry:
        delimiters = Delimiters.from_config(self.config["delimiters"])
        return {
            "delimiters": delimiters.to_config(),
            "system_prompt": self.config["system_prompt"],
        }

    def _folders(self, model: str) -> Entry:
        return {
            "weights": f"{self.results}/models/{model}/weights",
            "checkpoints": f"{self.results}/checkpoints/{model}",
        }

    def _titles(self) -> Entry:
        models = [
            {
                "name": name,
                "title": entry.get("title", name),
                "trained": "train" in entry,
                "base": entry["train"]["base"] if "train" in entry else None,
                "set": entry["train"]["set"] if "train" in entry else None,
            }
            for name, entry in self.models.items()
        ]
        benchmarks = [
            {
                "name": name,
                "title": entry.get("title", name),
                "format": entry["format"],
                "first": entry["first"],
            }
            for name, entry in self.benchmarks.items()
        ]
        return {"models": models, "benchmarks": benchmarks}

    @staticmethod
    def _without(section: Entry, *keys: str) -> Entry:
        return {key: value for key, value in section.items() if key not in keys}

    def _check_models(self) -> None:
        for name in self.trained:
            base = self.base_of(name)
            if base not in self.pretrained:
                raise ConfigError(
                    f"models: '{name}' trains from '{base}', which is not a pretrained model "
                    f"of this config (there are: {', '.join(self.pretrained) or 'none'})"
                )

    def _check_budgets(self) -> None:
        inference = self.config["inference"]
        room = inference["context"] - inference["answer_tokens"]
        numbers = [b for b in inference["budgets"] if b != INFINITE]
        too_large = [b for b in numbers if b >= room]
        if too_large:
            raise ConfigError(
                f"inference.budgets: {too_large} does not fit: context {inference['context']} "
                f"less answer_tokens {inference['answer_tokens']} leaves {room} for prompt and "
                f"thinking; use 'infinite' or a larger context"
            )


def _by_name(entries: list[Entry], where: str) -> dict[str, Entry]:
    named = {entry["name"]: entry for entry in entries}
    if len(named) != len(entries):
        raise ConfigError(f"{where}: a name occurs twice")
    return named


def _source(source: Entry) -> Entry:
    """Local files win over a hub id, so that an overlay can add `files` to a hub entry."""
    if source.get("files"):
        return {"files": list(source["files"])}
    return {key: value for key, value in source.items() if value is not None and key != "files"}

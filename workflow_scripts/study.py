"""The configured study as the rules see it: its models, benchmarks, sets, cells and files.

Only the Snakefile imports this module; each rule's slice of the config is in rule_settings.py.
"""

from pathlib import Path
from typing import Any

from workflow_scripts.common.cells import INFINITE, cells
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.config_check import check_config

Entry = dict[str, Any]

RESULT_PLOTS = ["scaling", "flat", "curves", "effects", "methods", "forcing", "lengths"]
CURATION_PLOTS = ["funnel", "domains", "sources"]


class Study:
    """A validated config with the lists that the rules need; ConfigError if it is not valid."""

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
        """Figures of the report, in its order; some only where a model is trained."""
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
    def relabel(self) -> Entry:
        """The config's section on labels made here."""
        return self.config["curation"]["relabel"]

    @property
    def solvers(self) -> dict[str, str]:
        """Solver models by name, with the difficulty label that each makes."""
        return {label.removesuffix("_correct"): label for label in self.relabel["solvers"]}

    @property
    def downloads(self) -> dict[str, Entry]:
        """Every pretrained model by name: the study's, and those that only make labels."""
        solvers = {name: self.relabel["solvers"][label] for name, label in self.solvers.items()}
        own = {name: self.models[name] for name in self.pretrained}
        return {**solvers, "classifier": self.relabel["classifier"], **own}

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

"""The schema that editors read says what the settings classes say, and both know config.yaml."""

import copy
import re
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.workflow.test_config_check import FULL, ROOT, changed
from workflow_scripts import config_schema
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.common.settings.base import (
    as_json,
    bounds,
    choices,
    hints,
    join,
    read,
)
from workflow_scripts.common.settings.study import Config
from workflow_scripts.grading.batch import Limits

SCHEMA = Draft202012Validator(yaml.safe_load(config_schema.SCHEMA.read_text()))


def classes(kind: Any = Config) -> Iterator[type]:
    """Every settings class below one, itself included."""
    bare, _, part = bounds(kind)
    if part is not None or is_dataclass(bare):
        yield part or bare
        for hint in hints(part or bare).values():
            yield from classes(hint)
    else:
        inner = choices(bare) if len(choices(bare)) > 1 else getattr(bare, "__args__", ())
        for hint in inner:
            yield from classes(hint)


def stated(kind: Any, entry: Any, where: str = "") -> Iterator[str]:
    """Keys with a default that an entry states all the same; not what differs by data set."""
    bare, _, part = bounds(kind)
    if is_dataclass(bare) and part is None:
        for item in fields(bare):
            if item.name in entry:
                path = join(where, item.name)
                yield from stated(hints(bare)[item.name], entry[item.name], path)
                if isinstance(item.default, str | int) and item.name not in ("split", "first"):
                    yield path
    elif isinstance(entry, list) and bare.__args__[-1] is Ellipsis:
        for number, item in enumerate(entry):
            yield from stated(bare.__args__[0], item, f"{where}.{number}")


def test_the_file_is_what_the_command_writes() -> None:
    assert config_schema.SCHEMA.read_text() == config_schema.text(), (
        "run python -m workflow_scripts.config_schema"
    )


def test_an_editor_finds_the_schema() -> None:
    first = (ROOT / "config.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=schemas/config.schema.yaml"
    Draft202012Validator.check_schema(SCHEMA.schema)


@pytest.mark.parametrize("kind", dict.fromkeys(classes()), ids=lambda kind: kind.__name__)
def test_every_key_is_described_once(kind: type) -> None:
    assert list(config_schema.meanings(kind)) == list(hints(kind))


@pytest.mark.parametrize("path", dict.fromkeys(stated(Config, FULL)))
def test_what_config_yaml_states_for_show_is_the_default(path: str) -> None:
    """A key that may be left out has its default in its class, and config.yaml agrees."""
    without = read(Config, changed(path, KeyError), "the config")
    assert without == read(Config, copy.deepcopy(FULL), "the config")


FAULTS = [
    ("inference.buget", [1]),
    ("training.recipe.epochs", KeyError),
    ("training.recipe.epochs", 0),
    ("training.recipe.epochs", True),
    ("training.recipe.adam_betas", [0.9]),
    ("training.recipe.learning_rate", "1e-5"),
    ("training.recipe.warmup_ratio", 1.5),
    ("training.compile", 1),
    ("training.deepspeed", []),
    ("inference.budgets", []),
    ("inference.budgets", [500, 0]),
    ("inference.budgets", "infinite"),
    ("inference.methods", [{"method": "force", "phrase": "Wait"}]),
    ("inference.methods", [{"method": "forced"}]),
    ("inference.step_prompt", "no number"),
    ("inference.engine", None),
    ("benchmarks.0.source", {"split": "test"}),
    ("benchmarks.0.source", {"files": []}),
    ("benchmarks.0.name", "MATH"),
    ("benchmarks.0.first", "none"),
    ("models.0.path", ""),
    ("models.1.train.set", "size-0"),
    ("models.1.train.recipe", {"epoch": 1}),
    ("models.1.train.recipe", {"epochs": 0}),
    ("models.1.title", None),
    ("curation.relabel.solvers", {"Qwen correct": {"path": "x"}}),
    ("curation.difficulty.drop_if_correct", ["Qwen/Qwen3"]),
    ("pool.labels", {"a label": "column"}),
    ("pool.labels", {"small": ""}),
    ("curation.selection.pins.long_traces", {"source": "MATH"}),
    ("delimiters", {"think_end": []}),
    ("delimiters", {"think": "x"}),
    ("analysis.confidence", 1),
    ("analysis.tie", -0.1),
    ("seed", -1),
]
GOOD = [
    ("training.recipe.epochs", 2.0),
    ("training.compile", False),
    ("inference.budgets", ["infinite"]),
    ("benchmarks.0.first", "all"),
    ("benchmarks.0.source", {"hub": None, "files": ["x"]}),
    ("models.1.train.recipe", {"epochs": 1}),
    ("models.1.train.set", "size-10"),
    ("curation.relabel.solvers", {}),
    ("curation.relabel.solvers", {"r1_correct": {"path": "x"}}),
    ("pool.labels", {"r1": "deepseek_grade"}),
    ("curation.selection.pins", {}),
    ("delimiters", {"think_end": ["</think>"]}),
    ("pathvars", {"results": "x"}),
]


@pytest.mark.parametrize(("path", "value"), FAULTS, ids=lambda part: str(part)[:40])
def test_editors_and_the_workflow_refuse_the_same(path: str, value: object) -> None:
    config = changed(path, value)
    assert not SCHEMA.is_valid(config)
    with pytest.raises(ConfigError) as error:
        read(Config, config, "the config")
    keys = path.replace(".0", "[0]").replace(".1", "[1]")
    assert f"\n  {keys}" in str(error.value)


@pytest.mark.parametrize(("path", "value"), GOOD, ids=lambda part: str(part)[:40])
def test_editors_and_the_workflow_allow_the_same(path: str, value: object) -> None:
    config = changed(path, value)
    assert SCHEMA.is_valid(config)
    read(Config, config, "the config")


def test_a_config_with_its_defaults_reads_as_itself() -> None:
    whole = as_json(read(Config, copy.deepcopy(FULL), "the config"))
    assert as_json(read(Config, whole, "the config")) == whole
    assert whole["benchmarks"][1]["on_bad_row"] == "refuse"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("models.0.path", KeyError, "models[0]: 'path' or 'train' or 'imported' is needed"),
        ("models.0.train", {"base": "b", "set": "s1k"}, "models[0]: only one of 'path' or 'train'"),
    ],
)
def test_a_model_is_pretrained_or_trained(path: str, value: object, message: str) -> None:
    config = changed(path, value)
    assert not SCHEMA.is_valid(config)
    with pytest.raises(ConfigError, match=re.escape(message)):
        read(Config, config, "the config")


def test_every_fault_is_listed_at_once() -> None:
    config = changed("sed", 1)
    config["training"]["gpus"] = "one"
    with pytest.raises(ConfigError) as error:
        read(Config, config, "the config")
    assert str(error.value) == (
        "the config is not valid:\n  sed: unknown key; did you mean 'seed'?\n"
        "  training.gpus: 'one' is not of type 'integer'"
    )


def test_the_grader_alone_has_the_limits_of_config_yaml() -> None:
    limits = asdict(Limits())
    assert {**limits, "threads": FULL["grading"]["threads"]} == FULL["grading"]

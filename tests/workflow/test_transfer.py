"""Areas of benchmarks in the config: what is measured, what is refused."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from workflow_scripts.common.errors import ConfigError
from workflow_scripts.rule_settings import RuleSettings
from workflow_scripts.workflow import Study

FULL = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text())
GROUPS = ("math", "science", "talk")


def config(groups: tuple[str, ...] = GROUPS, **areas: list[str]) -> dict:
    made = copy.deepcopy(FULL)
    source = {"hub": "nobody/none"}
    made["benchmarks"] = [
        {"name": f"b-{i}", "format": "math", "source": source, "group": group}
        for i, group in enumerate(groups)
    ]
    made["analysis"]["transfer"] = areas
    return made


def test_groups_make_areas() -> None:
    study = Study(config(non_reasoning=["talk"]))
    areas = {"b-0": "math", "b-1": "other reasoning", "b-2": "non-reasoning"}
    assert study.areas == areas and "transfer" in study.plots
    assert any(name.endswith("analysis/transfer.csv") for name in study.promised)
    told = json.loads(RuleSettings(study).measure_transfer())
    assert {entry["name"]: entry["area"] for entry in told["benchmarks"]} == areas
    assert Study(config(math=["science", "math"])).areas["b-1"] == "math"


def test_areas_change_the_settings_of_their_rule_alone() -> None:
    one, other = (RuleSettings(Study(c)) for c in (config(), config(non_reasoning=["talk"])))
    assert one.measure_transfer() != other.measure_transfer()
    assert (one.measure(), one.write_report()) == (other.measure(), other.write_report())


def test_one_area_or_no_training_has_nothing_to_transfer() -> None:
    assert "transfer" not in Study(config(("math", "math"))).plots
    untrained = config()
    untrained["models"] = untrained["models"][:1]
    assert "path" in untrained["models"][0] and "transfer" not in Study(untrained).plots


@pytest.mark.parametrize(
    ("areas", "said"),
    [
        ({"math": ["math"], "non_reasoning": ["math"]}, "group 'math' is named under `math` and"),
        ({"non_reasoning": ["tlak"]}, r"no benchmark .* 'tlak' \(there are: math, science, talk"),
        ({"math": ["maths"]}, r"analysis.transfer.math: no benchmark .* 'maths'"),
        ({"math": []}, "math"),
        ({"reasoning": ["science"]}, "reasoning"),
    ],
)
def test_areas_that_cannot_be_are_refused(areas: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Study(config(**areas))

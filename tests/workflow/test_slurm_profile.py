"""The Slurm profile: short rules are submitted together, whatever the study asks for."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.workflow.snakemake_run import ROOT, copy_checkout, snakemake

PROFILE = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
MORE = """
inference: {samples: 2, temperature: 0.8}
sets: {drawn: {selector: random, size: 100}, highest: {selector: limo, size: 100}}
expect: [{cell: tuned-drawn/math500 natural, least: 1}]
models:
  - {name: base, path: Qwen/Qwen2.5-3B-Instruct}
  - {name: tuned, train: {base: base, sets: all}}
"""
RELABELLED = "curation: {relabel: {difficulty: true, domains: all}}\n"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = copy_checkout(tmp_path_factory.mktemp("slurm"))
    (checkout / "plain.yaml").write_text("study: plain\n")
    (checkout / "relabelled.yaml").write_text(RELABELLED)
    return checkout


def planned(checkout: Path, *configs: str) -> str:
    """What a dry run says; without the plugin, so by the local executor."""
    words = ["report", "--workflow-profile", "profiles/slurm", "--configfile", *configs]
    done = snakemake(checkout, "-n", *words, "--executor", "local", "--cores", "8")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def groups(checkout: Path, config: str) -> Counter:
    """Group jobs that a dry run plans."""
    return Counter(re.findall(r"Group job (\w+)", planned(checkout, config)))


def run_here() -> set[str]:
    """Rules that are no jobs: downloads, the demo's world, targets."""
    text = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    blocks = re.split(r"^ *(?:use )?rule ", text, flags=re.MULTILINE)[1:]
    names = {re.split(r"\W", block)[0] for block in blocks if "localrule: True" in block}
    assert {"load_pool", "load_benchmark", "resolve_model"} <= names
    return names | {"report"}


def test_short_rules_are_few_submissions(checkout: Path) -> None:
    expected = {"cleaning": 1, "selection": 1, "verdicts": 2, "report": 1}
    assert groups(checkout, "plain.yaml") == expected


def test_groups_hold_when_models_label_the_pool_in_between(checkout: Path) -> None:
    expected = {"cleaning": 1, "selection": 1, "labels": 2, "verdicts": 2, "report": 1}
    assert groups(checkout, "relabelled.yaml") == expected


def test_rules_that_only_some_studies_have_are_in_the_group(checkout: Path) -> None:
    """A rule between two of a group that is outside of it makes Snakemake refuse the study."""
    (checkout / "more.yaml").write_text(MORE)
    assert groups(checkout, "more.yaml")["report"] == 1


def test_only_long_rules_are_submitted_by_themselves(checkout: Path) -> None:
    """Whatever a shipped study has besides: short rules would wait longer than they run."""
    demo = "profiles/demo/study.yaml"
    overlays = [[demo], ["profiles/ablation.yaml"]] + [
        [demo, f"profiles/demo/{name}.yaml"]
        for name in ("ablation", "draws", "epochs", "forms", "options", "shift", "traces")
    ]
    long = {"train", "generate", "answer_traces", "measure_shift"}
    first = {"ask_traces"}  # between two groups, by what is asked
    for configs in overlays:
        alone = set(re.findall(r"^rule (\w+):", planned(checkout, *configs), re.MULTILINE))
        assert alone - run_here() <= long | first, configs


def test_the_snakefile_reads_without_the_packages_of_the_study() -> None:
    """So that a Snakemake of its own (`module load snakemake`) can submit the jobs."""
    text = (ROOT / "Snakefile").read_text()
    imports = re.findall(
        r"^from workflow_scripts[^(]+?$|^from workflow_scripts.*?\)$", text, re.M | re.S
    )
    absent = "import sys; sys.modules.update(dict.fromkeys(['polars', 'numpy', 'torch']))"
    code = "\n".join([absent, *imports])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert len(imports) >= 5 and done.returncode == 0, done.stderr


def test_the_profile_names_rules_that_exist() -> None:
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    rules = set(re.findall(r"^ *(?:use rule \w+ as|rule) (\w+)", text, re.MULTILINE))
    assert set(PROFILE["groups"]) <= rules
    assert set(PROFILE["group-components"]) <= set(PROFILE["groups"].values())

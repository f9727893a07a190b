"""The image of rules: refused where it is missing, and of no account where nobody asks for it."""

import re
from pathlib import Path

import pytest

from tests.workflow.snakemake_run import ROOT, copy_checkout, snakemake

ASKED = ("--software-deployment-method", "apptainer")
TARGET = ("make_benchmarks", "--cores", "1", "--configfile", "profiles/demo/study.yaml")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


def test_another_image_reruns_nothing(checkout: Path) -> None:
    assert snakemake(checkout, *TARGET).returncode == 0
    again = snakemake(checkout, *TARGET, "--dry-run", "--config", "container=docker://other:1")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_an_image_that_is_missing_is_refused_with_the_command_that_builds_it(checkout) -> None:
    done = snakemake(checkout, *TARGET, *ASKED, "--dry-run")
    assert done.returncode != 0
    assert "apptainer build s1flow-cpu.sif envs/apptainer.def" in done.stdout + done.stderr


def test_both_definitions_install_the_same() -> None:
    docker = (ROOT / "envs/Dockerfile").read_text()
    apptainer = (ROOT / "envs/apptainer.def").read_text()
    listed = re.compile(r"ca-certificates [\w+ -]*\w")
    packages = [listed.search(text) for text in (docker, apptainer)]
    assert packages[0] and packages[1] and packages[0][0] == packages[1][0]
    ignored = (ROOT / ".dockerignore").read_text()
    for name in re.findall(r"^    (\S+) /opt/source/", apptainer, re.MULTILINE):
        assert (ROOT / name).exists() and f"\n!{name}\n" in ignored, name

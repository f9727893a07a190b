"""The workflow on a full and on a read-only results folder: one line, and no half file."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.common.test_storage import mount
from tests.workflow.snakemake_run import copy_checkout, snakemake

POOL = "results/demo/world/pool.jsonl"


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    """The results folder of a checkout, a file system of 1 MiB."""
    folder = copy_checkout(tmp_path / "checkout") / "results" / "demo"
    folder.parent.mkdir()
    mount(folder, "size=1m")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def make_pool(results: Path) -> str:
    done = snakemake(results.parents[1], POOL, "--workflow-profile", "profiles/demo")
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "Traceback" not in text and "Errno" not in text
    return text


def test_a_full_results_folder(results: Path) -> None:
    text = make_pool(results)
    assert f"error: cannot write {POOL}: the disk is full (" in text
    assert not list(results.glob("world/*"))


def test_a_read_only_results_folder(results: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
    text = make_pool(results)
    assert "cannot write results/demo/study.json: the file system is read-only. Mount it" in text

"""`pip install .` gives a package that can be imported, with every file that the workflow reads."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.workflow.snakemake_run import PARTS, ROOT

BESIDE = ("data", "s1flow", "shelf", "config", "pyproject.toml", "README.md", "LICENSE")
READ_OF_DOCS = ("docs/captions/", "docs/attempts.md")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout without what git ignores: building leaves folders behind."""
    where = tmp_path_factory.mktemp("source")
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in (*PARTS, *BESIDE):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, where / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, where / name)
    return where


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("wheel")
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(where)]
    pip(sys.executable, *words, str(source))
    (built,) = where.glob("s1flow-*.whl")
    return built


def pip(python: str, *words: str) -> None:
    done = subprocess.run([python, "-m", "pip", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_every_file_of_the_package_and_of_the_workflow(
    source: Path, wheel: Path
) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    shared = wheel.name.removesuffix("-py3-none-any.whl") + ".data/data/share/s1flow/"
    for top in (*PARTS, "data"):
        for path in (source / top).rglob("*") if (source / top).is_dir() else [source / top]:
            name = path.relative_to(source).as_posix()
            if top == "docs" and not name.startswith(READ_OF_DOCS) or path.is_dir():
                continue
            assert (name if top == "workflow_scripts" else shared + name) in held, name


def test_the_installed_package_is_imported_from_its_own_place(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = str(tmp_path / "env/bin/python")
    pip(sys.executable, "--python", python, "install", "--quiet", "--no-deps", str(wheel))
    code = (
        "import workflow_scripts.common.errors as errors, workflow_scripts.setup;"
        "from workflow_scripts.common.code_id import code_id;"
        "print(errors.__file__, code_id('reporting.view_samples'))"
    )
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    place, code = done.stdout.split()
    assert place.startswith(str(tmp_path / "env"))
    assert len(code) == 12  # the closure's own files, styles and fonts among them, are all there
    assert (tmp_path / "env/share/s1flow/Snakefile").read_text() == (ROOT / "Snakefile").read_text()

"""Where the workflow lies: in a checkout, or beside the installed package."""

import importlib.metadata
import sysconfig
import tomllib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT_OR_SITE = PACKAGE.parent  # what has to be on PYTHONPATH
SHARE = "share/s1flow"  # where pip lays Snakefile, rules, config.yaml, ...


@cache
def home() -> Path:
    """Folder of Snakefile, config.yaml and rules: the checkout, or where pip laid them.

    The folder beside the package where nothing was laid, so that what is missing there is named.
    """
    if (CHECKOUT_OR_SITE / "Snakefile").exists():
        return CHECKOUT_OR_SITE
    places = [Path(sysconfig.get_path("data")) / SHARE, *_laid()]
    return next((place for place in places if (place / "Snakefile").exists()), CHECKOUT_OR_SITE)


def is_installed() -> bool:
    """Whether the workflow lies apart from the package: it was installed, not checked out."""
    return home() != CHECKOUT_OR_SITE


def version() -> str:
    """The version of this code."""
    project = CHECKOUT_OR_SITE / "pyproject.toml"
    if project.exists():
        return tomllib.loads(project.read_text())["project"]["version"]
    return importlib.metadata.version("s1flow")


def _laid() -> list[Path]:
    """The same from pip's record, which knows `--user`, `--target` and `--prefix`."""
    try:
        files = importlib.metadata.files("s1flow") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = [file for file in files if file.as_posix().endswith(f"{SHARE}/Snakefile")]
    return [Path(str(file.locate())).resolve().parent for file in found]

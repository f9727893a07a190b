"""Run Snakemake on a copy of the checkout and read which jobs it plans."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile",
    "config.yaml",
    "rules",
    "schemas",
    "profiles",
    "workflow_scripts",
    "envs",
    "docs",
)


def copy_checkout(target: Path) -> Path:
    """A copy of what Snakemake reads, without results."""
    target.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(source, target / name, ignore=ignore)
        else:
            shutil.copy(source, target / name)
    (target / "data").mkdir(exist_ok=True)
    return target


def snakemake(
    where: Path, *words: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    """Snakemake of this interpreter's environment, in `where`, with `env` as its variables."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "snakemake"), *words],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=1800,
        env=env,
    )


def planned(where: Path, *words: str) -> Counter:
    """Rules that a dry run would execute, with their counts; empty when nothing is to be done.

    Twins of a rule, such as cut_of_NAME for models with other cells, count as the rule.
    """
    done = snakemake(where, "--dry-run", *words)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    if "Nothing to be done" in text:
        return Counter()
    table = text.split("Job stats:")[-1]
    rows = re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
    found = Counter()
    for rule, count in rows:
        if rule not in ("total", "report"):
            found[rule.partition("_of_")[0]] += int(count)
    return found


def outputs(where: Path, *words: str) -> list[str]:
    """Every file that a dry run would make."""
    done = snakemake(where, "--dry-run", *words)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    lines = re.findall(r"^ +output: (.*)$", text, re.MULTILINE)  # farther in where grouped
    return [path for line in lines for path in line.split(", ")]

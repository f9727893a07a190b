"""How commands start snakemake: which one, on which Snakefile."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.home import home

SNAKEFILE = ("-s", "--snakefile")
WITH_WORKFLOW = ("profiles/", "config/")
# With one of them the caller has said how many jobs run at a time.
CORES = ("-c", "--cores", "-j", "--jobs", "--profile", "--workflow-profile", "-e", "--executor")


def become(words: Sequence[str]) -> NoReturn:
    """Turn this process into snakemake: its exit status, signals and terminal are its own."""
    program = [snakemake(), *on_workflow(words), *map(found_at_home, words)]
    sys.stdout.flush()
    os.execvp(program[0], program)


def snakemake() -> str:
    """The snakemake of this Python, else the one on PATH; UserError where there is none."""
    own = Path(sys.executable).parent / "snakemake"
    found = str(own) if own.exists() else shutil.which("snakemake")
    if found is None:
        raise UserError(
            f"there is no snakemake for {sys.executable}, nor on PATH. In a checkout "
            "`python3 -m workflow_scripts.setup install` makes an environment with it; elsewhere "
            f"install the pins of {home() / 'envs/lock'} (pip install --no-deps -r cpu.txt)"
        )
    return found


def on_workflow(words: Sequence[str]) -> list[str]:
    """The option that names the workflow; none in a checkout, or where the words name one."""
    if given(words, SNAKEFILE) or in_checkout():
        return []
    if not (home() / "Snakefile").exists():
        raise UserError(f"{home()} holds no Snakefile; install s1flow anew, or run in a checkout")
    if Path("Snakefile").exists() or Path("workflow/Snakefile").exists():
        print(
            "[s1flow] the Snakefile that lies here is not s1flow's and is not used; "
            "`snakemake` runs it",
            file=sys.stderr,
        )
    return ["--snakefile", str(home() / "Snakefile")]


def found_at_home(word: str) -> str:
    """A profile or overlay that came with the workflow, such as `profiles/slurm`, where it lies.

    What lies under that name in the working directory goes before it; other words stay as they are.
    """
    option, equals, name = word.rpartition("=") if word.startswith("--") else ("", "", word)
    theirs = name.startswith(WITH_WORKFLOW) and not Path(name).exists()
    return f"{option}{equals}{home() / name}" if theirs and (home() / name).exists() else word


def in_checkout() -> bool:
    """Whether the working directory is a checkout of s1flow."""
    return Path("Snakefile").exists() and Path("workflow_scripts/workflow.py").exists()


def enough_cores(words: Sequence[str]) -> list[str]:
    """All cores, where the words do not say how many."""
    return [] if given(words, CORES) else ["--cores", "all"]


def given(words: Iterable[str], options: Sequence[str]) -> bool:
    """Whether one of the options stands among the words, as `-c 8`, `-c8` or `--cores=8`."""
    short = tuple(option for option in options if not option.startswith("--"))
    names = [word.partition("=")[0] for word in words]
    return any(
        name in options or (name.startswith(short) and not name.startswith("--")) for name in names
    )

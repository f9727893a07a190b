"""Which Python the rules run on when no conda environment is asked for."""

import os
import sys
from pathlib import Path


def use_own_python(checkout: Path) -> None:
    """Put the folder of the jobs' Python first on PATH.

    Conda puts its own environment in front later, where a rule uses one.
    """
    folder = str(job_python(checkout, os.environ.get("VIRTUAL_ENV"), Path(sys.executable)))
    os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])


def job_python(checkout: Path, activated: str | None, own: Path) -> Path:
    """Folder of the Python that jobs use: the checkout's `.venv`, else the activated one.

    Without either it is the Python that runs snakemake. So a snakemake of its own (`module load
    snakemake`, or beside a cluster plugin that needs other versions) starts jobs that find the
    study's packages.
    """
    for environment in (checkout / ".venv", activated and Path(activated)):
        if environment and (environment / "bin/python").exists():
            return environment / "bin"
    return own.parent

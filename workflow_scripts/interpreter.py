"""Which Python the rules run on when no conda environment is asked for."""

import os
import sys
from pathlib import Path


def use_own_python() -> None:
    """Put this interpreter's folder first on PATH: jobs run on the Python that runs snakemake.

    So `.venv/bin/snakemake` works whether or not the environment was activated. Conda puts its own
    environment in front later, where a rule uses one.
    """
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])

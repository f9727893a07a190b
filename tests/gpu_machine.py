"""A machine with GPUs as a job sees it: a stand-in for nvidia-smi on PATH, real lock files."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

NVIDIA_SMI = """#!{python} -IS
import pathlib, sys, time
here = pathlib.Path("{folder}")
if (here / "hangs").exists():
    time.sleep(600)
if (here / "broken").exists():
    print((here / "broken").read_text())
    sys.exit(18)
option = sys.argv[1]
if option == "-L":
    print((here / "instances").read_text(), end="")
elif option.startswith("--query-compute-apps"):
    print((here / "processes").read_text(), end="")
else:
    order = ["index", "uuid", "memory.used", "utilization.gpu", "mig.mode.current"]
    wanted = [order.index(name) for name in option.split("=")[1].split(",")]
    for line in (here / "gpus").read_text().splitlines():
        row = line.split(", ")
        print(", ".join(row[place] for place in wanted) if len(row) == 5 else line)
"""
# Take GPUs as a job does, say which, hold them until told to end.
JOB = """
import logging, os, sys
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.gpus import take_gpus
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
try:
    print(",".join(take_gpus(int(sys.argv[1]), "training.gpus")), flush=True)
except UserError as error:
    print(f"error: {error}", flush=True)
    sys.exit(1)
sys.stdin.read()
"""


def idle(index: int) -> str:
    """A line of nvidia-smi for a GPU that nobody uses."""
    return f"{index}, {uuid(index)}, 4, 0, Disabled"


def uuid(index: int) -> str:
    return f"GPU-{index}{index}aa0000-1111-2222-3333-444444444444"


@dataclass(frozen=True)
class Machine:
    """`folder` holds what nvidia-smi will say."""

    folder: Path

    def has(self, *lines: str) -> None:
        """GPUs: index, UUID, MiB, per cent, MIG mode."""
        (self.folder / "gpus").write_text("".join(f"{line}\n" for line in lines))

    def runs(self, *lines: str) -> None:
        """Compute processes: UUID of the GPU, process id, name."""
        (self.folder / "processes").write_text("".join(f"{line}\n" for line in lines))

    def is_split_into(self, *names: str) -> None:
        """MIG instances."""
        lines = [f"  MIG 1g.10gb  Device {i}: (UUID: {name})\n" for i, name in enumerate(names)]
        (self.folder / "instances").write_text("GPU 0: H100\n" + "".join(lines))

    def job(self, count: int = 1) -> subprocess.Popen[str]:
        """A process that takes GPUs and keeps them until its stdin is closed."""
        return subprocess.Popen(
            [sys.executable, "-c", JOB, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def said(jobs: Sequence[subprocess.Popen[str]]) -> list[str]:
    """What each job said: the GPUs that it took, or its error."""
    return [job.stdout.readline().strip() for job in jobs if job.stdout]


def finish(jobs: Sequence[subprocess.Popen[str]]) -> None:
    for job in jobs:
        job.communicate()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Four idle GPUs, no CUDA_VISIBLE_DEVICES, a lock folder of its own, no waiting."""
    from workflow_scripts.common import gpus

    folder = tmp_path / "machine"
    (folder / "bin").mkdir(parents=True)
    script = folder / "bin" / "nvidia-smi"
    script.write_text(NVIDIA_SMI.format(python=sys.executable, folder=folder))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("S1FLOW_GPU_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setenv("S1FLOW_GPU_WAIT", "0")
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.setenv(name, "")  # so that it is put back, whatever a test sets it to
        monkeypatch.delenv(name)
    made = Machine(folder)
    made.has(*map(idle, range(4)))
    made.runs()
    made.is_split_into()
    yield made
    gpus.release()

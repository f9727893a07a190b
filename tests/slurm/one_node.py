"""A Slurm of one node on this machine's loopback, with GPUs that are only counted.

    python -m tests.slurm.one_node -- snakemake report --workflow-profile profiles/slurm

starts slurmctld, slurmd and munged in a temporary folder with a configuration of their own, runs
the command there (its sbatch, srun and so on belong to this Slurm) and stops everything. Needs
Debian's packages slurm-wlm and munge, nothing of /etc. The node claims more CPUs and memory than
there are.
"""

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DAEMONS = ("slurmctld", "slurmd", "munged")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
# Slurm counts a GPU only with a character device of its own; these stand on every Linux.
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random")
FREEZER = Path("/sys/fs/cgroup/freezer")  # of cgroup v1; v2 needs systemd

CONFIGURATION = """
ClusterName=s1flow
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
PluginDir={plugins}
PlugStackConfig={folder}/plugstack.conf
ProctrackType={tracking}
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer=0
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
KillWait={kill_wait}
InactiveLimit=0
GresTypes=gpu
NodeName=DEFAULT CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus}
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1
PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE OverSubscribe=NO State=UP
"""


def missing() -> list[str]:
    """Programs that this machine lacks."""
    return [name for name in (*DAEMONS, *CLIENTS) if shutil.which(name, path=PATH) is None]


def tracking_here() -> str:
    """How jobs' processes are found: by cgroups, as on clusters, where this user may make them."""
    return "proctrack/cgroup" if os.access(FREEZER, os.W_OK) else "proctrack/linuxproc"


@contextmanager
def one_node(
    folder: Path,
    cpus: int = 8,
    memory: int = 64000,
    gpus: int = 2,
    tracking: str = "proctrack/linuxproc",
    kill_wait: int = 5,
) -> Iterator[dict[str, str]]:
    """Start Slurm in `folder`; environment of its clients; stop everything at the end.

    tracking   how Slurm finds a job's processes. Clusters use proctrack/cgroup, which passes
               signals to the first process of a job only; it needs root and cgroups.
    kill_wait  seconds between SIGTERM and SIGKILL at a time limit; Slurm's own default is 30
    """
    folder.mkdir(parents=True, exist_ok=True)
    host, daemon = socket.gethostname().split(".")[0], _free_port()
    facts = {
        "folder": folder,
        "host": host,
        "user": _user(),
        "node": f"s1flow{daemon}",  # names its cgroups, apart from another Slurm's
        "controller": _free_port(),
        "daemon": daemon,
        "plugins": _plugins(),
        "cpus": cpus,
        "memory": memory,
        "gpus": gpus,
        "tracking": tracking,
        "kill_wait": kill_wait,
    }
    _write(folder, facts)
    environment = {**os.environ, "PATH": f"{folder}/bin:{PATH}"}
    daemons = []
    try:
        for command in _commands(folder):
            daemons.append(_start(command, folder, environment))
            time.sleep(0.5)
        _wait_until_idle(environment, folder)
        yield environment
    finally:
        _cancel_all(environment)
        for process in reversed(daemons):
            process.terminate()
            process.wait(60)
        for path, _, _ in os.walk(FREEZER / f"slurm_{facts['node']}", topdown=False):
            with suppress(OSError):  # a process that has just been killed is in it still
                os.rmdir(path)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _plugins() -> str:
    found = sorted(Path("/usr/lib").glob("*/slurm*/select_cons_tres.so"))
    return str(found[0].parent) if found else "/usr/lib/slurm"


def _write(folder: Path, facts: dict[str, object]) -> None:
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**facts).lstrip())
    (folder / "plugstack.conf").write_text("")
    devices = "".join(f"Name=gpu File={device}\n" for device in DEVICES[: facts["gpus"]])
    (folder / "gres.conf").write_text(f"AutoDetect=off\n{devices}")
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(exist_ok=True)
    # Not SLURM_CONF in the environment: the plugin clears it for its job steps.
    for name in CLIENTS:
        program = folder / "bin" / name
        real = shutil.which(name, path=PATH)
        program.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {real} "$@"\n')
        program.chmod(0o755)
    folder.chmod(0o755)
    key = folder / "munge.key"
    if not key.exists():
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)


def _commands(folder: Path) -> list[list[str]]:
    munge = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("socket", "pid-file")]
    munge += [f"--key-file={folder}/munge.key", f"--log-file={folder}/munge.log"]
    munge += [f"--seed-file={folder}/munge.seed"]
    return [
        ["munged", "--foreground", "--force", *munge],
        ["slurmctld", "-D", "-c", "-f", f"{folder}/slurm.conf"],
        ["slurmd", "-D", "-c", "-f", f"{folder}/slurm.conf"],
    ]


def _start(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    with (folder / f"{command[0]}.out").open("wb") as out:
        return subprocess.Popen(
            command, env=environment, stdout=out, stderr=out, start_new_session=True
        )


def _wait_until_idle(environment: dict[str, str], folder: Path, seconds: int = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        asked = ["sinfo", "--noheader", "--format=%T"]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    said = done.stdout + done.stderr
    logs = "\n".join(path.read_text()[-2000:] for path in sorted(folder.glob("*.log")))
    raise RuntimeError(f"Slurm did not start within {seconds} s: {said}\n{logs}")


def _cancel_all(environment: dict[str, str]) -> None:
    listed = ["squeue", "--noheader", "--format=%i"]
    for _ in range(60):
        jobs = subprocess.run(
            listed, env=environment, capture_output=True, text=True
        ).stdout.split()
        if not jobs:
            return
        subprocess.run(["scancel", *jobs], env=environment, capture_output=True)
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> None:
    """Run a command inside a Slurm of one node; exit with its status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cpus", type=int, default=8)
    parser.add_argument("--gpus", type=int, default=2, help="counted, not real")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    if missing():
        sys.exit(f"not installed: {', '.join(missing())}; apt-get install slurm-wlm munge")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit stops the daemons
    with (
        tempfile.TemporaryDirectory(prefix="s1flow-slurm-") as folder,
        one_node(Path(folder), cpus=args.cpus, gpus=args.gpus) as environment,
    ):
        sys.exit(subprocess.run(args.command, env=environment).returncode)


if __name__ == "__main__":
    main()

"""Each job gets GPUs that nobody uses, whoever starts at the same time, and says why if not."""

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu_machine import Machine, finish, idle, said, uuid
from workflow_scripts.common import gpus
from workflow_scripts.common.errors import ConfigError, UserError
from workflow_scripts.common.gpus import any_gpu, check_groups, device_of, take_gpus

BUSY = f"1, {uuid(1)}, 30112, 0, Disabled"
WORKING = f"2, {uuid(2)}, 600, 55, Disabled"
SPLIT = f"3, {uuid(3)}, [N/A], [N/A], Enabled"
PARTS = ("MIG-5f2c0000-aaaa", "MIG-77110000-bbbb")


def test_busy_gpus_are_left_alone_and_named(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.has(idle(0), BUSY, WORKING, SPLIT, idle(4))
    machine.runs(f"{uuid(0)}, 4242, /usr/bin/python3", f"{uuid(4)}, 7, nvidia-cuda-mps-server")
    with caplog.at_level(logging.INFO, "s1flow"):
        assert take_gpus(1, "training.gpus") == [uuid(4)]
    for words in (
        "GPU 0 busy: process 4242 (python3)",
        "GPU 1 busy: 30,112 MiB used",
        "GPU 2 busy: 55 % busy",
        "GPU 3 split by MIG: name one of its instances",
        "using GPU 4",
    ):
        assert words in caplog.text
    assert os.environ["CUDA_VISIBLE_DEVICES"] == uuid(4)
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_when_all_are_busy_each_is_named_with_its_reason(machine: Machine) -> None:
    machine.has(idle(0), BUSY)
    holder = machine.job()
    assert said([holder]) == [uuid(0)]
    with pytest.raises(UserError) as caught:
        take_gpus(1, "inference.gpus")
    finish([holder])
    for words in (
        "inference.gpus asks for 1 GPU(s), of 2 too few are free",
        f"GPU 0 held by s1flow job {holder.pid} of ",
        "GPU 1 busy: 30,112 MiB used",
        "S1FLOW_GPU_WAIT",
    ):
        assert words in str(caught.value)


def test_fields_that_the_driver_does_not_know(machine: Machine) -> None:
    machine.has(f"0, {uuid(0)}, [N/A], [Not Supported], [N/A]")
    machine.runs("[N/A], [Insufficient Permissions], [Not Supported]")
    assert take_gpus(1, "training.gpus") == [uuid(0)]


def test_jobs_that_start_together_get_different_gpus(machine: Machine) -> None:
    jobs = [machine.job() for _ in range(5)]
    found = said(jobs)
    assert sorted(one for one in found if one.startswith("GPU-")) == [uuid(i) for i in range(4)]
    assert sum(one.startswith("error: training.gpus asks for 1") for one in found) == 1
    finish(jobs)


def test_of_jobs_that_want_all_gpus_one_gets_all(machine: Machine) -> None:
    jobs = [machine.job(4) for _ in range(4)]
    found = said(jobs)
    assert sorted(one.startswith("error:") for one in found) == [False, True, True, True]
    finish(jobs)


def test_a_lock_ends_with_its_job_however_it_ends(machine: Machine) -> None:
    machine.has(idle(0))
    for _ in range(3):
        job = machine.job()
        assert said([job]) == [uuid(0)]
        job.kill()
        job.wait()
    finish([job])


def test_a_job_waits_for_the_gpu_of_another(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has(idle(0))
    monkeypatch.setenv("S1FLOW_GPU_WAIT", "600")
    first = machine.job()
    assert said([first]) == [uuid(0)]
    second = machine.job()
    assert "waiting for a GPU" in second.stderr.readline()
    finish([first])
    assert said([second]) == [uuid(0)]
    finish([second])
    monkeypatch.setenv("S1FLOW_GPU_WAIT", "long")
    with pytest.raises(ConfigError, match="S1FLOW_GPU_WAIT=long"):
        take_gpus(1, "training.gpus")


@pytest.mark.parametrize(
    ("given", "count", "taken"),
    [
        ("2,0", 2, [uuid(2), uuid(0)]),
        (f"{uuid(3)}, GPU-11", 2, [uuid(3), uuid(1)]),
        ("MIG-77", 1, [PARTS[1]]),
        (",".join(PARTS), 2, list(PARTS)),
        ("MIG-GPU-4f/1/0", 1, ["MIG-GPU-4f/1/0"]),
        ("1", 1, [uuid(1)]),  # busy, but named
        ("1,3,2", 1, [uuid(3)]),  # more names than needed: the first that is free
        ("0,-1,2", 1, [uuid(0)]),
    ],
)
def test_named_gpus_are_taken_in_their_order(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, given: str, count: int, taken: list[str]
) -> None:
    machine.has(idle(0), BUSY, idle(2), idle(3))
    machine.is_split_into(*PARTS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert take_gpus(count, "training.gpus") == taken
    assert take_gpus(count, "training.gpus") == taken  # again, as for a second engine of the job


@pytest.mark.parametrize(
    ("given", "count", "words"),
    [
        ("", 1, "CUDA_VISIBLE_DEVICES= names 0: none"),
        ("NoDevFiles", 1, "names 0: none"),
        ("0,1", 3, "names 2: GPU 0, GPU 1"),
        ("7", 1, "names '7', which is none of the GPUs here: GPU 0 = GPU-00aa"),
        ("GPU-", 1, "which is 4 of the GPUs here"),
        ("MIG-99", 1, "names 'MIG-99', which is none"),
        ("0,GPU-00", 2, "names a GPU twice"),
    ],
)
def test_names_that_cannot_be_meant(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, given: str, count: int, words: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    with pytest.raises(UserError, match=words):
        take_gpus(count, "training.gpus")


def test_named_gpus_are_locked_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.is_split_into(*PARTS)
    for given, taken in (("0,1", [uuid(0), uuid(1)]), (",".join(PARTS), list(PARTS))):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        jobs = [machine.job() for _ in range(3)]
        found = said(jobs)
        assert sorted(one for one in found if "error" not in one) == sorted(taken)
        assert sum("held by s1flow job" in one for one in found) == 1
        finish(jobs)


def test_mig_instances_cannot_work_together(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.is_split_into(*PARTS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(PARTS))
    with pytest.raises(UserError, match="2 GPUs are to work together, .* MIG splits MIG-5f2c"):
        take_gpus(2, "inference.gpus", together=2)
    assert take_gpus(2, "inference.gpus", together=1) == list(PARTS)


def test_a_gpu_that_mig_splits_is_taken_if_it_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has(SPLIT, idle(4))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    with pytest.raises(UserError, match="MIG splits GPU 3, and"):
        take_gpus(2, "training.gpus", together=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert take_gpus(1, "training.gpus") == [uuid(3)]


def test_a_machine_without_enough(machine: Machine) -> None:
    with pytest.raises(UserError, match="asks for 5 GPU.s., this machine has 4"):
        take_gpus(5, "training.gpus")
    machine.has("No devices were found")
    with pytest.raises(UserError, match="this machine has 0: none"):
        take_gpus(1, "training.gpus")
    assert not any_gpu()


def test_no_driver(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no NVIDIA GPU answers here .* set device: cpu"):
        take_gpus(1, "training.gpus")
    assert not any_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")  # in a container without nvidia-smi
    assert take_gpus(1, "training.gpus") == ["5"]


def test_a_driver_that_fails_or_hangs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "ASK_S", 1)
    (machine.folder / "broken").write_text("Failed to initialize NVML: version mismatch")
    with pytest.raises(UserError, match=r"\(exit 18\): Failed to initialize NVML.*repair"):
        take_gpus(1, "training.gpus")
    (machine.folder / "hangs").touch()
    with pytest.raises(UserError, match="no answer in 1 s: the driver hangs; look for NVRM"):
        take_gpus(1, "training.gpus")


def test_locks_are_for_all_users_of_the_machine(machine: Machine, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        take_gpus(1, "training.gpus")
    finally:
        os.umask(before)
    locks = tmp_path / "locks"
    assert stat.S_IMODE(locks.stat().st_mode) == 0o1777
    assert {stat.S_IMODE(file.stat().st_mode) for file in locks.iterdir()} == {0o666}
    assert len(list(locks.iterdir())) == 2


def test_links_in_the_lock_folder_are_not_followed(machine: Machine, tmp_path: Path) -> None:
    machine.has(idle(0))
    victim = tmp_path / "victim"
    victim.write_text("mine")
    locks = tmp_path / "locks"
    locks.mkdir()
    name = f"{uuid(0)}.lock"
    for make in (os.symlink, os.link):
        make(victim, locks / name)
        with pytest.raises(UserError, match="GPU locks cannot be kept here .*S1FLOW_GPU_LOCKS"):
            take_gpus(1, "training.gpus")
        (locks / name).unlink()
    os.mkfifo(locks / name)
    with pytest.raises(UserError, match="not a plain file"):
        take_gpus(1, "training.gpus")
    (locks / name).unlink()
    (locks / gpus.MUTEX).unlink()
    locks.rmdir()
    (tmp_path / "elsewhere").mkdir()
    locks.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="GPU locks cannot be kept here"):
        take_gpus(1, "training.gpus")
    assert victim.read_text() == "mine" and not list((tmp_path / "elsewhere").iterdir())


def test_locks_can_be_off(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.has(idle(0))
    monkeypatch.setenv("S1FLOW_GPU_LOCKS", "off")
    jobs = [machine.job(), machine.job()]
    assert said(jobs) == [uuid(0)] * 2
    finish(jobs)


def test_a_child_that_was_given_the_lock_keeps_it(machine: Machine) -> None:
    machine.has(idle(0))
    take_gpus(1, "training.gpus")
    wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    child = subprocess.Popen(wait, stdin=subprocess.PIPE, pass_fds=gpus.held())
    gpus.release()  # as if this process had ended
    refused = machine.job()
    assert said([refused])[0].startswith("error: ")
    child.communicate()
    job = machine.job()
    assert said([job]) == [uuid(0)]
    finish([refused, job])


def test_granted_gpus_are_whole_groups() -> None:
    check_groups(4, 2)
    with pytest.raises(UserError, match="granted 1 GPU.s., .*tensor_parallel is 4.* gpu=4"):
        check_groups(1, 4)
    with pytest.raises(UserError, match="granted 3 GPU.s., .*tensor_parallel is 2.* gpu=4"):
        check_groups(3, 2)


def test_no_gpu_is_taken_for_work_on_cpus(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert device_of("cpu", 1, "training.gpus") == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device_of("auto", 1, "training.gpus") == "cpu"
    assert not (tmp_path / "locks").exists()

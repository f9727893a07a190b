"""The command `s1flow`: what it lists, what it passes on, how it ends."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.snakemake_run import ROOT
from workflow_scripts import cli
from workflow_scripts.commands import snakemake

FAKE = '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n'


def s1flow(where: Path, *words: str, **more: str) -> subprocess.CompletedProcess:
    """The command in a folder, as `python -m`, with a snakemake that prints its words."""
    own = {"PYTHONPATH": str(ROOT), "S1FLOW_TEST": "1", **more}
    return subprocess.run(
        [sys.executable, "-m", "workflow_scripts.cli", *words],
        cwd=where,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Words that a command gives to snakemake, and its exit status."""
    program = tmp_path / "fake"
    program.write_text(FAKE)
    program.chmod(0o755)
    code = (
        "import sys; from workflow_scripts import cli; from workflow_scripts.commands import "
        f"snakemake; snakemake.snakemake = lambda: {str(program)!r}; sys.exit(cli.main())"
    )

    def call(where: Path, *words: str) -> tuple[list[str], int]:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=where,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr
        return done.stdout.split("\n")[:-1], done.returncode

    return call


def test_every_command_has_what_the_table_says() -> None:
    for command in cli.COMMANDS:
        module = importlib.import_module(f"workflow_scripts.commands.{command.module}")
        assert module.HELP.strip() and callable(module.arguments) and callable(module.run)


def test_help_imports_no_command() -> None:
    code = "import sys; from workflow_scripts import cli\ntry: cli.main(['--help'])\nfinally: "
    code += "print('polars' in sys.modules, 'workflow_scripts.commands' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.endswith("False False\n"), done.stderr
    for command in cli.COMMANDS:
        assert f"  {command.name} " in done.stdout


@pytest.mark.parametrize("command", [c.name for c in cli.COMMANDS if c.name in {"run", "status"}])
def test_help_of_a_command(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: s1flow {command}" in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_those_that_there_are(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["trian"])
    assert end.value.code == 2
    assert "'estimate'" in capsys.readouterr().err


def test_run_passes_every_word_on_and_ends_as_snakemake_does(passed_on, tmp_path: Path) -> None:
    words = ["report", "-n", "--cores=8", "--config", "seed=3", "--resources", "gpu=2"]
    found, status = passed_on(tmp_path, "run", *words)
    assert found == ["--snakefile", str(ROOT / "Snakefile"), *words]
    assert status == 7


def test_in_a_checkout_its_own_snakefile_is_used(passed_on) -> None:
    assert passed_on(ROOT, "run", "report")[0] == ["report"]


def test_a_snakefile_that_is_named_is_used(passed_on, tmp_path: Path) -> None:
    assert passed_on(tmp_path, "run", "-s", "mine.smk")[0] == ["-s", "mine.smk"]


def test_overlays_of_the_workflow_are_found_and_own_ones_go_first(passed_on, tmp_path) -> None:
    words = ["run", "--configfile", "config/draws.yaml", "--workflow-profile=profiles/slurm"]
    found, _ = passed_on(tmp_path, *words)
    assert found[2:] == [
        "--configfile", str(ROOT / "config/draws.yaml"), f"--workflow-profile={ROOT}/profiles/slurm"
    ]  # fmt: skip
    (tmp_path / "config").mkdir()
    (tmp_path / "config/draws.yaml").touch()
    assert "config/draws.yaml" in passed_on(tmp_path, *words)[0]


def test_the_demo_is_that_of_its_profile(passed_on, tmp_path: Path) -> None:
    found, _ = passed_on(tmp_path, "demo", "-n")
    overlays = yaml.safe_load((ROOT / "profiles/demo/profile.yaml").read_text())["configfile"]
    assert found[2:] == [
        "report", "-n", "--cores", "2", "--configfile", *(str(ROOT / name) for name in overlays)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["estimate"], "estimate"),
        (["estimate", "--training"], "estimate_training"),
        (["show-prompts"], "show_prompts"),
    ],
)
def test_estimate_and_prompts_are_rules(passed_on, words: list[str], target: str) -> None:
    assert passed_on(ROOT, *words)[0] == [target, "--cores", "all"]
    assert passed_on(ROOT, *words, "-c4")[0] == [target, "-c4"]


def test_a_machine_without_snakemake_is_told_what_to_install(monkeypatch, capsys) -> None:
    monkeypatch.setattr(snakemake.sys, "executable", "/nowhere/python")
    monkeypatch.setattr(snakemake.shutil, "which", lambda name: None)
    assert cli.main(["run", "report"]) == 1
    assert "workflow_scripts.setup install" in capsys.readouterr().err


def test_grade_is_a_command_and_bad_input_status_1(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"gold": "4", "prediction": r"\boxed{4.0}"}))
    done = s1flow(tmp_path, "grade", "in.jsonl", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.jsonl").read_text())["verdict"] is True
    done = s1flow(tmp_path, "grade", "absent.jsonl", "out.jsonl")
    assert (done.returncode, done.stderr) == (1, "error: absent.jsonl does not exist\n")


def test_tests_are_refused_where_there_are_none(tmp_path: Path, monkeypatch, capsys) -> None:
    from workflow_scripts.commands import test

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(test, "CHECKOUT_OR_SITE", tmp_path)
    assert cli.main(["test"]) == 1
    assert "call `s1flow test` there" in capsys.readouterr().err

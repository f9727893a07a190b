"""The real tools of other projects read what is exported here, each in an environment of its own.

S1FLOW_TOOLS names a folder in which these environments are made and kept; else they are made anew.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.exchange import made_study
from workflow_scripts.cli import main

pytestmark = pytest.mark.slow

TOOLS = {  # folder -> what is installed, and the Python that it needs
    "inspect": ("inspect-ai==0.3.285", "python3"),
    "eee": ("every-eval-ever==0.3.0", "python3.12"),
}
READ = """
import glob, json, sys
from inspect_ai.log import list_eval_logs, read_eval_log
found = []
for path in sorted(glob.glob(sys.argv[1] + "/*/*.eval")):
    log = read_eval_log(path)
    right = [s.scores["s1flow"].value == "C" for s in log.samples]
    accuracy = log.results.scores[0].metrics["accuracy"].value
    usage = sum(s.output.usage.total_tokens for s in log.samples)
    total = log.stats.model_usage[log.eval.model].total_tokens
    found.append([log.status, sum(right), len(right), accuracy, usage == total])
print(json.dumps([len(list_eval_logs(sys.argv[1])), found]))
"""


@pytest.fixture(scope="session")
def exported(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported")
    assert main(["export", str(study), "--format", "all", "--owner", "lab", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def python_of(tmp_path_factory):
    """The Python of a tool's environment, by the name of the tool."""
    kept = os.environ.get("S1FLOW_TOOLS")
    root = Path(kept) if kept else tmp_path_factory.mktemp("tools")

    def made(name: str) -> Path:
        package, interpreter = TOOLS[name]
        python = root / name / "bin/python"
        if not python.exists():
            works = shutil.which(interpreter) and _runs(interpreter, "-c", "pass")
            if not works:
                pytest.skip(f"{package} needs {interpreter}")
            assert _runs(interpreter, "-m", "venv", root / name)
            assert _runs(python, "-m", "pip", "install", "-q", package)
        return python

    return made


def _runs(*words: object) -> bool:
    return subprocess.run(list(map(str, words)), capture_output=True).returncode == 0


def test_every_eval_ever_validates_all_files_without_a_warning(exported, python_of):
    root = exported / "every-eval-ever"
    files = sorted(str(p.relative_to(root)) for p in root.glob("data/*/*/*/*"))
    command = [python_of("eee"), "-m", "every_eval_ever", "validate", *files]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert f"{len(files)} passed, 0 warning-only, 0 failed" in done.stdout


def test_its_validator_finds_a_wrong_count(exported, python_of, tmp_path):
    """So that passing means something."""
    root = shutil.copytree(exported / "every-eval-ever", tmp_path / "copy")
    samples = next(root.glob("data/*/*/*/*_samples.jsonl"))
    samples.write_text("".join(samples.read_text().splitlines(keepends=True)[1:]))
    files = sorted(str(p.relative_to(root)) for p in root.glob("data/*/*/*/*"))
    command = [python_of("eee"), "-m", "every_eval_ever", "validate", *files]
    assert subprocess.run(command, cwd=root, capture_output=True).returncode != 0


def test_inspect_reads_every_log(exported, python_of):
    command = [python_of("inspect"), "-c", READ, str(exported / "inspect")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed, logs = json.loads(done.stdout)
    assert listed == len(logs) == 2 * 2 * made_study.CELLS
    assert sum(count for _, _, count, _, _ in logs) == 2 * made_study.SAMPLES
    for status, right, count, accuracy, adds_up in logs:
        assert status == "success" and adds_up
        assert accuracy == pytest.approx(right / count)


def test_lm_eval_s_files_are_converted_by_another_project(exported, python_of, tmp_path):
    (results, *_) = sorted((exported / "lm-eval").glob("*s1k/results_*.json"))
    command = [
        python_of("eee"),
        "-m",
        "every_eval_ever",
        "convert",
        "lm_eval",
        "--log_path",
        results,
    ]
    words = [
        "--output_dir",
        tmp_path / "data",
        "--include_samples",
        "--source_organization_name",
        "lab",
    ]
    done = subprocess.run([*command, *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.rglob("*_samples.jsonl"))) == 2 * made_study.CELLS

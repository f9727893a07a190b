"""Shell lines of the rules: the job's process is the script itself, and no line grows too long."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    name: (path.name, body)
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", path.read_text(), re.M | re.S)
}


@pytest.mark.parametrize("rule", RULES)
def test_a_signal_to_the_job_reaches_its_script(rule: str) -> None:
    """Without `exec` a shell stands between: Slurm's warning before a time limit would be lost."""
    shell = RULES[rule][1].split("    shell:\n")[1].lstrip(' "')
    assert shell.startswith("exec python -m workflow_scripts.")

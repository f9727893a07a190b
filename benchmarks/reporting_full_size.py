"""Time and memory of analysis, plots and report on a made-up study of full size.

2 benchmarks x 100 questions and one of 30 with 16 draws each, 2 models, 45 cells (natural,
truncation and two phrases with three n at 6 budgets, two class prompts), thinking up to 32,000
tokens: 61,200 generations in 270 files.

    python -m benchmarks.reporting_full_size [--folder FOLDER] [--models 10]

Bar: at most 60 s in all on 2 cores, of two models. Each rule runs alone, as the workflow would
start it. With ten models: 30, 100 and 198 questions once each, 133,824 generations in 1,224 files.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
import unittest.mock
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.analysis.many_models import MANY as MANY_MODELS
from tests.analysis.synthetic import Plan, write_study
from workflow_scripts.workflow import MANY

BUDGETS = (500, 1000, 2000, 4000, 8000, "infinite")
PLAN = Plan(
    budgets=BUDGETS,
    natural_mean=3000.0,
    infinite=32000,
    training_gain=0.6,
    effect=0.6,
    sizes={"modular": 30},
    draws={"modular": 16},
    vocabulary=151_643,
)
TEN = replace(MANY_MODELS, budgets=BUDGETS, natural_mean=3000.0, infinite=32000, vocabulary=151_643)
CHILD = """
import resource, runpy, sys
module = sys.argv[1]
sys.argv = [module, *sys.argv[2:]]
runpy.run_module(module, run_name="__main__")
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, int(peak.split()[1]) / 1024)
"""
RULES = (
    "analysis.count_points",
    "analysis.measure",
    "analysis.rank_models",
    "analysis.follow_answers",
    "reporting.plot_results",
    "reporting.plot_claims",
    "reporting.plot_models",
    "reporting.plot_parallel",
    "reporting.plot_answers",
    "reporting.plot_curation",
    "reporting.plot_training",
    "reporting.write_report",
)
OF_MANY = ("analysis.rank_models", "reporting.plot_models")
PARQUET = ("outcomes", "answer_path")
JSON = ("quality", "checks", "answer_checks")
RANKED = {"ranking": "csv", "ranking_pairs": "csv", "ranking_checks": "json"}
CSV = (
    "points", "contrasts", "metrics", "pairs", "votes", "draws", "repeats", "answer_curves",
    "confidence_stop", "endings",
)  # fmt: skip
CURATED = ("funnel", "domains", "sources")
PLOTS = ("scaling", "curves", "methods", "forcing", "lengths", "lead", "effects", "causes")
PLOTS += ("parallel", "answers", "oracle")
OF_ALL = ("frontier", "multiples", "verdicts", "spans")
PAGES = {
    "markdown": "report.md", "html": "report.html", "appendix": "appendix.md",
    "appendix_html": "appendix.html",
}  # fmt: skip


def names(module: str) -> list[str]:
    """The inputs and outputs that a rule's script asks for, as it would parse them."""
    script = importlib.import_module(f"workflow_scripts.{module}")
    asked: list[str] = []

    def told(work: Any, doc: Any, inputs: Any, outputs: Any, granted: Any = ()) -> None:
        asked.extend([*inputs, *outputs])

    with unittest.mock.patch.object(script, "run", told):
        script.main()
    return asked


def places(root: Path, paths: dict[str, list[Path]]) -> dict[str, Any]:
    """Where everything that has a name lies."""
    files: dict[str, Any] = {**paths}
    files |= {name: root / f"analysis/{name}.csv" for name in CSV}
    files |= {name: root / f"analysis/{name}.parquet" for name in PARQUET}
    files |= {name: root / f"analysis/{name}.json" for name in JSON}
    files |= {name: root / f"curation/{name}.csv" for name in CURATED}
    files |= {f"{name}_png": root / f"plots/{name}.png" for name in CURATED}
    files |= {name: root / f"plots/{name}.png" for name in PLOTS}
    files |= {name: root / f"report/{file}" for name, file in PAGES.items()}
    files["lead"] = root / "plots/contrasts.png"
    files["png"] = root / "plots/training.png"
    files["logs"] = [path.with_name("log.csv") for path in paths["training"]]
    files |= {name: root / f"plots/{name}.png" for name in OF_ALL}
    files["ranking_png"] = root / "plots/ranking.png"
    files |= {name: root / f"analysis/{name}.{kind}" for name, kind in RANKED.items()}
    files["plots"] = [files[name] for name in PLOTS]
    files["curation_md"] = [root / "curation/curation.md"]
    files["contamination"] = [root / "curation/contamination.json"]
    none = ("touched", "notes", "upstream", "traces", "teachers")
    return files | {name: [] for name in none}


def commands(root: Path, paths: dict[str, list[Path]], plan: Plan) -> list[tuple[str, list[str]]]:
    """Name and arguments of every rule, in order. SystemExit names what has no place here."""
    files = places(root, paths)
    settings = plan.settings() | {"study": "full size", "base": plan.models[0], "titles": {}}
    settings["focus"] = plan.models[1]
    settings["analysis"]["bootstrap"] = 10_000
    many = len(plan.models) >= MANY
    if many:
        files["plots"] += [files[name] for name in ("ranking_png", *OF_ALL)]
    made = []
    for module in [name for name in RULES if many or name not in OF_MANY]:
        words = ["--settings", json.dumps(settings)]
        for name in names(module):
            if name not in files:
                raise SystemExit(f"{module} asks for {name}: say in `places` where it lies")
            value = files[name] if many or name not in RANKED else []
            words += ["--" + name.replace("_", "-")]
            words += [str(v) for v in value] if isinstance(value, list) else [str(value)]
        made.append((module, words))
    return made


def timed(module: str, words: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory (MB) of one rule.

    The child tells its own high-water mark: what the system reports about a child includes the
    memory of this process at the time of the fork.
    """
    start = time.perf_counter()
    command = [sys.executable, "-c", CHILD, f"workflow_scripts.{module}", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stderr}")
    cpu, peak = map(float, done.stdout.split()[-2:])
    return time.perf_counter() - start, cpu, peak


def main() -> None:
    """Write the study, run the rules, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keep the study here")
    parser.add_argument("--models", type=int, choices=(2, 10), default=2)
    asked = parser.parse_args()
    folder, plan = asked.folder, TEN if asked.models == 10 else PLAN
    with tempfile.TemporaryDirectory() as scratch:
        root = folder or Path(scratch)
        paths = write_study(root, plan)
        size = sum(path.stat().st_size for path in paths["generations"]) / 1e6
        print(f"{len(paths['generations'])} files of generations, {size:.0f} MB")
        rows = [(module, *timed(module, words)) for module, words in commands(root, paths, plan)]
    rows.append(
        (
            "all, one after another",
            sum(row[1] for row in rows),
            sum(row[2] for row in rows),
            max(row[3] for row in rows),
        )
    )
    print(f"{'':26} {'wall':>7} {'CPU':>7} {'peak':>9}")
    for module, wall, cpu, memory in rows:
        print(f"{module:26} {wall:5.1f} s {cpu:5.1f} s {memory:6.0f} MB")


if __name__ == "__main__":
    main()

"""One made-up study, analysed once for all tests of reporting."""

import json
from argparse import Namespace
from pathlib import Path

import pytest

from tests.analysis.synthetic import Plan, write_study
from workflow_scripts.analysis import count_points, follow_answers, measure, rank_models
from workflow_scripts.common import job
from workflow_scripts.reporting import style, write_report
from workflow_scripts.workflow import MANY

PLAN = Plan(questions=50, training_gain=0.3, models=("base", "s1k", "random"))
EXTRA = {
    "study": "made-up",
    "results": "results",
    "training": {"recipe": {"epochs": 3, "batch_size": 16, "learning_rate": 1e-3}},
    "samples_per_rule": 1,
}


def analysed(root: Path, plan: Plan) -> Namespace:
    """Arguments of write_report for a study written and analysed under `root`."""
    paths = write_study(root, plan)
    settings = plan.settings()
    settings["analysis"]["bootstrap"] = 500
    args = Namespace(
        **paths,
        points=root / "analysis/points.csv",
        outcomes=root / "analysis/outcomes.parquet",
        quality=root / "analysis/quality.json",
        metrics=root / "analysis/metrics.csv",
        contrasts=root / "analysis/contrasts.csv",
        pairs=root / "analysis/pairs.csv",
        votes=root / "analysis/votes.csv",
        draws=root / "analysis/draws.csv",
        repeats=root / "analysis/repeats.csv",
        checks=root / "analysis/checks.json",
        answer_path=root / "analysis/answer_path.parquet",
        answer_curves=root / "analysis/answer_curves.csv",
        confidence_stop=root / "analysis/confidence_stop.csv",
        endings=root / "analysis/endings.csv",
        answer_checks=root / "analysis/answer_checks.json",
        settings=settings | EXTRA,
    )
    args.ranking = args.ranking_pairs = args.ranking_checks = []
    args.imports = []
    for name, kind in write_report.INPUTS.items():  # what this study has none of
        if kind == job.MANY and not hasattr(args, name):
            setattr(args, name, [])
    args.points.parent.mkdir(parents=True, exist_ok=True)
    analyse(args)
    if len(plan.models) >= MANY:
        rank(args)
    args.curation_md = [root / "curation/curation.md"]
    args.contamination = [root / "curation/contamination.json"]
    args.touched = args.upstream = args.traces = args.teachers = []
    args.plots, args.notes = [], []
    args.report = args.html = root / "report/report.html"
    args.markdown = root / "report/report.md"
    args.appendix = root / "report/appendix.md"
    args.appendix_html = root / "report/appendix.html"
    args.summary = root / "report/summary.txt"
    return args


def analyse(args: Namespace) -> None:
    """Run the analysis rules."""
    count_points.work(args)
    measure.work(args)
    follow_answers.work(args)


def rank(args: Namespace) -> None:
    """Run rule rank_models, and give its files to the report."""
    names = {"ranking": "csv", "ranking_pairs": "csv", "ranking_checks": "json"}
    files = {name: args.points.with_name(f"{name}.{kind}") for name, kind in names.items()}
    given = {"points": args.points, "outcomes": args.outcomes, "settings": args.settings}
    rank_models.work(Namespace(**given, **files))
    for name, path in files.items():
        setattr(args, name, [path])


def findings(args: Namespace) -> list[dict]:
    """Data-quality findings of a study."""
    return json.loads(args.quality.read_text())["findings"]


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer pixels than in a report: the tests ask what is drawn, not how finely."""
    monkeypatch.setattr(style, "RESOLUTION", 60)


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Namespace:
    """Two benchmarks under every kind of method, some questions without an effect."""
    plan = Plan(
        questions=20,
        budgets=(16, 64, "infinite"),
        datasets=("algebra", "riddles"),
        effect=0.3,
        methods=[
            {"method": "natural"},
            {"method": "truncation"},
            {"method": "force", "phrase": "Wait", "n": [1, 2]},
            {"method": "class-long"},
        ],
    )
    return analysed(tmp_path_factory.mktemp("mixed"), plan)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Namespace:
    """One model and truncation alone."""
    plan = Plan(
        questions=8,
        budgets=(16, "infinite"),
        datasets=("riddles",),
        models=("only",),
        methods=[{"method": "truncation"}],
    )
    return analysed(tmp_path_factory.mktemp("bare"), plan)


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Namespace:
    """A study with a strong effect; tests must not change its files."""
    return analysed(tmp_path_factory.mktemp("study"), PLAN)

"""A study of trainings with several seeds: a line each, with single seeds in the appendix."""

import re
from argparse import Namespace
from pathlib import Path

import polars as pl
import pytest

from tests.analysis.synthetic import METHODS, Plan
from tests.reporting.conftest import analysed
from tests.reporting.drawn import assert_drawn
from workflow_scripts.analysis.tables import (
    CONTRASTS,
    OUTCOMES,
    POINTS,
    RANKING,
    SET_PAIRS,
    SETS,
    read_table,
    write_table,
)
from workflow_scripts.analysis.training_sets import Run, compare, trained_sets
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.reporting import plot_claims, plot_models, show_summary, write_report
from workflow_scripts.reporting.figure_effects import effects_data
from workflow_scripts.reporting.figure_models import as_families, family_of, spans_data
from workflow_scripts.reporting.figure_training import training_plot
from workflow_scripts.reporting.style import is_drawn, save, saying

SETS_OF = {"long": 0.9, "short": 0.5, "chance": 0.3, "wrong": 0.1}
SEEDS = (1, 2, 3)
LOG = pl.DataFrame({"step": [1, 2], "loss": [2.0, 1.0], "grad_norm": [1.0, 1.0]})
NAMES = {f"{name}-{seed}": name for name in SETS_OF for seed in SEEDS}
PLAN = Plan(
    questions=24,
    budgets=(INFINITE,),
    methods=METHODS[:1],
    datasets=("algebra", "riddles"),
    models=("base", *NAMES),
    trained=tuple(NAMES),
    titles={"base": "Base"} | {m: f"T {name}, seed {m[-1]}" for m, name in NAMES.items()},
    ability={"base": 0.2} | {model: SETS_OF[name] for model, name in NAMES.items()},
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Namespace:
    """Four sets of equal size with three seeds each, at the natural end alone."""
    return written(tmp_path_factory.mktemp("seeds"))


def written(root: Path) -> Namespace:
    args = analysed_families(root)
    places, pairs = compared(args)
    args.set_table, args.set_pairs = [root / "sets.csv"], [root / "set_pairs.csv"]
    write_table(args.set_table[0], places, SETS)
    write_table(args.set_pairs[0], pairs, SET_PAIRS)
    write_report.work(args)
    return args


def analysed_families(root: Path) -> Namespace:
    settings = Plan.settings

    class Families(Plan):
        """The plan, whose models know their families."""

        def settings(self) -> dict:
            found = settings(self)
            for entry in found["models"]:
                own = {"family": NAMES.get(entry["name"], entry["name"]), "rows": 100}
                entry |= own | {"set": NAMES.get(entry["name"]), "selector": "random"}
                entry["seed"] = int(entry["name"][-1]) if entry["trained"] else None
            return found

    return analysed(root, Families(**vars(PLAN)))


def compared(args: Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    runs = [Run(model, name, name, 100, int(model[-1])) for model, name in NAMES.items()]
    outcomes = OUTCOMES.read(args.outcomes).filter(pl.col("model").is_in(list(NAMES)))
    sets = trained_sets(runs, outcomes)
    return compare(sets, 0.95, 5)


def lines(text: str) -> list[str]:
    """First cells of a table's rows."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]]


# ---------------------------------------------------------------------------------- the report


def test_the_front_page_has_a_line_a_training_with_its_interval_and_seeds(seeds):
    front = seeds.markdown.read_text().split("\n## ")[0]
    assert sorted(lines(front)) == ["Base", *sorted(f"T {name}" for name in SETS_OF)]
    assert "**Which of the 5 models (13 with their seeds) is best?**" in front
    row = next(line for line in front.splitlines() if line.startswith("| T long | "))
    assert re.search(r"\| \d+ \[\d+,\xa0\d+\] \| [\d.]+ [\d.]+ [\d.]+ \|", row)
    assert "seed 1" not in front.split("Read a generation")[0]
    assert "cutting harms" not in front and "Not asked: whether models need" in front


def test_the_front_page_says_whether_the_set_matters_as_its_tests_do(seeds):
    front = seeds.markdown.read_text().split("\n## ")[0]
    pairs = read_table(seeds.set_pairs[0], SET_PAIRS).filter(pl.col("verdict").is_not_null())
    found = pairs.filter(pl.col("verdict").is_in(["better", "worse"])).height
    assert found and f"{found} of 6 pairs are told apart" in front
    assert "**Does it matter which set a model is trained on?** **Yes.** At 100 rows" in front


def test_costs_are_summed_over_seeds_and_stand_singly_in_the_appendix(seeds):
    body, more = seeds.markdown.read_text(), seeds.appendix.read_text()
    costs = body.split("\n## Costs\n")[1].split("\n## ")[0]
    assert "| T long (3 seeds) | " in costs and "T long, seed 2" not in costs
    single = more.split("\n### Every model\n")[1].split("\n### ")[0]
    assert "| T long, seed 2 | " in single


@pytest.mark.parametrize(
    ("section", "lines"),
    [("All metrics", 26), ("All contrasts", 24), ("How thinking ended", 26), ("All cells", 26)],
)
def test_one_cell_a_model_and_benchmark_is_one_table_of_all(seeds, section, lines):
    own = seeds.appendix.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    assert "\n###" not in own
    told = own.split("\n\nTraining, averaged")[0].splitlines()
    models = [line.split(" | ")[0] for line in told if line.startswith(("| Base |", "| T "))]
    assert len(models) == lines and models == sorted(models, key=models.index)


def test_natural_ends_alone_leave_no_empty_sections(seeds):
    body = seeds.markdown.read_text()
    assert "## Where test-time scaling" not in body and "## Accuracy against thinking" not in body
    assert "Every model was run at its natural end alone." in body
    assert "no sampling arm was run" not in body and "Best cells" not in body


def test_training_is_told_of_every_benchmark_in_a_sentence(seeds):
    told = seeds.markdown.read_text().split("\n### Training seeds\n")[1].split("\n### ")[0]
    assert re.search(r"\*\*Algebra\*\*, 4 trainings, each the mean over its seeds: ", told)
    rows = read_table(seeds.contrasts, CONTRASTS).filter(estimand="seeds", dataset="algebra")
    raised = (rows["verdict"] == "helps").sum()
    assert not raised or f"raised accuracy in {raised} of 4" in told


def test_sets_drawn_at_random_are_said_to_be_one_draw(seeds):
    data = seeds.markdown.read_text().split("\n### Training sets\n")[1]
    assert "Of long, short, chance and wrong each is one draw of rows at random" in data


def test_the_terminal_has_a_line_a_training_and_the_answer(seeds, capfd):
    show_summary.work(seeds)
    text = seeds.summary.read_text()
    assert text in capfd.readouterr().err
    assert "seed 1" not in text and "; of several training seeds the mean" in text
    own = read_table(seeds.points, POINTS).filter(
        pl.col("model").str.starts_with("long-"), dataset="algebra"
    )
    percent = sorted(100 * value for value in own["accuracy"])
    told = f"{sum(percent) / 3:.1f} ({percent[0]:.0f} to {percent[-1]:.0f})"
    line = next(one for one in text.splitlines() if one.split()[:3] == ["T", "long", "Algebra"])
    assert line.endswith(told)
    whole = " ".join(text.split())
    assert "Does it matter which set a model is trained on? Yes. At 100 rows" in whole


# ------------------------------------------------------------------------------------- figures


def test_points_of_a_family_are_means_without_intervals(seeds):
    points = read_table(seeds.points, POINTS)
    found = as_families(points, seeds.settings["models"])
    assert found["model"].unique(maintain_order=True).to_list() == ["base", *SETS_OF]
    own = points.filter(pl.col("model").str.starts_with("long-"), dataset="algebra")
    row = found.filter(model="long", dataset="algebra").row(0, named=True)
    assert row["accuracy"] == pytest.approx(own["accuracy"].mean())
    assert row["model_title"] == "T long" and row["ci_low"] is None
    base = found.filter(model="base")
    assert base.equals(points.filter(model="base"))


def test_a_model_with_one_seed_is_no_family():
    one = [{"name": "a-1", "family": "a"}, {"name": "b", "family": "b"}]
    assert family_of(one, ["a-1", "b"]) == {}
    two = [*one, {"name": "a-2", "family": "a"}]
    assert family_of(two, ["a-1", "a-2", "b"]) == {"a-1": "a", "a-2": "a"}
    assert family_of(two, ["a-1", "b"]) == {}


def test_lengths_are_those_of_all_seeds(seeds):
    points, models = read_table(seeds.points, POINTS), seeds.settings["models"]
    outcomes = OUTCOMES.read(seeds.outcomes)
    named = outcomes.with_columns(pl.col("model").replace(family_of(models, points["model"])))
    data = spans_data(as_families(points, models), named)
    own = outcomes.filter(pl.col("model").str.starts_with("long-"), verdict=True)
    assert data.filter(model="long", which="right")["traces"].sum() == own.height


def test_training_is_drawn_of_the_mean_over_seeds(seeds):
    points, contrasts = read_table(seeds.points, POINTS), read_table(seeds.contrasts, CONTRASTS)
    own = family_of(seeds.settings["models"], points["model"])
    data = effects_data(points, contrasts, "long-1", own)
    assert set(data["label"]) == {f"Base → T {name}" for name in SETS_OF}
    means = contrasts.filter(estimand="seeds")
    assert sorted(data["difference"]) == sorted(means["difference"])


def test_every_figure_of_families_is_drawn_or_says_why_not(seeds, tmp_path, coarse):
    names = ("ranking_png", "frontier", "multiples", "verdicts", "spans")
    given = {name: getattr(seeds, name) for name in ("points", "contrasts", "outcomes")}
    files = {name: tmp_path / f"{name}.png" for name in (*names, "lead", "effects", "causes")}
    settings = {"focus": "long-1", "base": "base", "models": seeds.settings["models"]}
    args = Namespace(**given, **files, ranking=seeds.ranking[0], settings=settings)
    plot_models.work(args)
    plot_claims.work(args)
    for name, path in files.items():
        assert_drawn(path)
        empty = name in ("multiples", "verdicts", "lead", "causes")
        assert is_drawn(path) != empty, name
    assert "T long" in (tmp_path / "ranking_png.svg").read_text()
    assert read_table(seeds.ranking[0], RANKING)["members"].str.contains("long-1 long-2").any()


def test_a_figure_of_words_is_left_out_of_the_report(seeds, tmp_path, coarse):
    empty = tmp_path / "forcing.png"
    save(saying("no forcing in this study"), empty)
    args = Namespace(**vars(seeds))
    args.plots = [empty]
    for name in ("markdown", "html", "appendix", "appendix_html"):
        setattr(args, name, tmp_path / getattr(seeds, name).name)
    write_report.work(args)
    assert "forcing.png" not in args.markdown.read_text()


def test_the_figure_of_sets_leads_where_no_contrast_is_drawn(seeds, tmp_path, coarse):
    sets, lead = tmp_path / "sets.png", tmp_path / "contrasts.png"
    save(training_plot({"a": LOG}), sets)
    args = Namespace(**vars(seeds))
    for name in ("markdown", "html", "appendix", "appendix_html"):
        setattr(args, name, tmp_path / getattr(seeds, name).name)
    for plot, leads in (
        (saying("No cell can be compared."), "sets"),
        (training_plot({"a": LOG}), "contrasts"),
    ):
        save(plot, lead)
        args.plots = [sets, lead]
        write_report.work(args)
        text = args.markdown.read_text()
        assert f"{leads}.png" in text.split("\n## ")[0]
        assert text.count("sets.png") == 1


def test_training_curves_of_a_family_look_alike():
    titles = [f"T {name}, seed {seed}" for name in SETS_OF for seed in SEEDS]
    plot = training_plot(
        dict.fromkeys(titles, LOG), {title: title.rsplit(",", 1)[0] for title in titles}
    )
    assert set(plot.data["training"]) == {f"T {name}" for name in SETS_OF}
    assert plot.data["model"].nunique() == 12

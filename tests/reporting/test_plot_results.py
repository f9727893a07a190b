"""Rule plot_results: what the methods reach, in three formats."""

import polars as pl
import pytest

from tests.analysis.synthetic import Plan
from tests.reporting.conftest import analysed
from tests.reporting.drawn import FIGURES, arguments, assert_drawn
from workflow_scripts.analysis.tables import CONTRASTS, POINTS, read_table
from workflow_scripts.reporting import plot_results, style
from workflow_scripts.reporting.figure_curves import curves_plot
from workflow_scripts.reporting.figure_methods import methods_plot
from workflow_scripts.reporting.figure_scaling import best_lines, scaling_data, scaling_plot

pytestmark = pytest.mark.usefixtures("coarse")


def test_every_figure_is_drawn_in_every_format(mixed, tmp_path):
    args = arguments(mixed, tmp_path)
    plot_results.work(args)
    for name in FIGURES:
        assert_drawn(getattr(args, name))


def test_one_model_truncation_only(bare, tmp_path):
    args = arguments(bare, tmp_path)
    args.settings = {"base": None}
    plot_results.work(args)
    for name in ("scaling", "lengths"):
        assert_drawn(getattr(args, name))


def test_a_model_that_does_not_think_is_drawn(study, tmp_path):
    points = read_table(study.points, POINTS).with_columns(mean_thinking_tokens=pl.lit(0.0))
    style.save(scaling_plot(points, "base"), tmp_path / "scaling.png")
    assert_drawn(tmp_path / "scaling.png")


def test_the_base_at_its_best_is_a_line(tmp_path):
    """Responses in the base's own form are no points: their thinking tokens say nothing."""
    own = [{"method": "natural"}, {"method": "native"}, {"method": "truncation"}]
    plan = Plan(questions=20, training_gain=0.3, own={"base": own})
    args = arguments(analysed(tmp_path / "study", plan), tmp_path)
    points, found = read_table(args.points, POINTS), read_table(args.contrasts, CONTRASTS)
    drawn = scaling_data(points, "base")
    assert "native" in set(points["method"]) and "native" not in set(drawn["method"])
    best = best_lines(drawn, found).sort("panel")
    trained = found.filter(estimand="train").sort("dataset")
    assert best["percent"].to_list() == [100 * share for share in trained["accuracy_from"]]
    assert set(trained["from_method"]) == {"best-form"}
    assert best_lines(drawn, None).is_empty()
    plot_results.work(args)
    assert_drawn(args.scaling)


def test_a_study_of_whole_responses_says_that_thinking_was_not_measured(tmp_path):
    own = [{"method": "native"}]
    plan = Plan(questions=10, own={"base": own, "s1k": own})
    args = arguments(analysed(tmp_path / "study", plan), tmp_path)
    points = read_table(args.points, POINTS)
    assert set(points["method"]) == {"native"}
    plot_results.work(args)
    assert_drawn(args.methods)
    for name in ("scaling", "curves", "lengths"):
        svg = getattr(args, name).with_suffix(".svg").read_text()
        assert "thought about was not measured" in svg


def test_figures_say_which_line_is_guessing_where_there_is_one(mixed):
    points = read_table(mixed.points, POINTS)
    none = points.with_columns(chance=pl.lit(0.0))
    for make in (
        lambda p: scaling_plot(p, "base"),
        lambda p: curves_plot(p, "base"),
        methods_plot,
    ):
        told, silent = (make(p).labels.caption for p in (points, none))
        assert "otted: guessing" in told or "otted line: guessing" in told
        assert "guessing" not in silent

"""What is said of training sets: differences, what is left open, gains, costs, and the figure."""

from dataclasses import replace
from itertools import combinations, pairwise

import polars as pl
import pytest

from tests.analysis.test_training_sets import simulated
from tests.reporting.test_findings import results
from workflow_scripts.analysis.tables import CONTRASTS
from workflow_scripts.analysis.training_sets import Run, Trained, compare
from workflow_scripts.reporting.figure_sets import (
    NAME_HEIGHT,
    _base,
    _quoted,
    sets_data,
    sets_plot,
)
from workflow_scripts.reporting.set_findings import (
    audit,
    benchmarks_table,
    pairs_table,
    sentences,
    sets_table,
)
from workflow_scripts.reporting.study_results import ComparedSets, Results


def relabelled(one: Trained, arm: str, rows: int) -> Trained:
    runs = tuple(
        Run(f"m-{arm}-{rows}-{s}", f"{arm}-{rows}", arm, rows, s, tokens=5, cost=0.5)
        for s in range(one.seeds)
    )
    return Trained(f"{arm}-{rows}", runs, one.verdicts)


@pytest.fixture(scope="module")
def compared() -> ComparedSets:
    """Chance twice, equal but for their draws; `long` far above, and higher with more rows."""
    first = simulated((0.0, 0.0, 1.2, 2.4), 0.1, 5)
    arms = [("random", 100), ("diverse", 100), ("long", 100), ("long", 200)]
    sets = [relabelled(one, *arm) for one, arm in zip(first, arms, strict=True)]
    return ComparedSets(*compare(sets, 0.95, 5))


@pytest.fixture(scope="module")
def found(compared: ComparedSets) -> Results:
    rows = [
        dict.fromkeys(CONTRASTS)
        | {"estimand": "seeds", "model": f"m-{arm}", "dataset": d, "difference": gain}
        | {"verdict": verdict, "note": ""}
        for arm, gain, verdict in (("random-100", 10.0, "helps"), ("long-200", -5.0, "harms"))
        for d in ("d0", "d1")
    ]
    models = [
        {"name": f"m-{name}-0", "family": f"m-{name}", "set": name}
        for name in ("random-100", "diverse-100", "long-100", "long-200")
    ]
    settings = {"models": models, "analysis": {"smallest_effect": 5}}
    titles = {"d0": "First", "d1": "Second"}
    return replace(results(*rows), sets=compared, settings=settings, dataset_titles=titles)


def test_what_is_resolved_and_what_is_left_open_is_said(found: Results) -> None:
    told = list(sentences(found))
    assert len(told) == 4
    assert told[0].startswith("**long** is better at 100 rows than ") and "points." in told[0]
    assert told[2].startswith("**long**: going from 100 to 200 rows raises accuracy by +")
    assert told[3].startswith(("Not resolved: random and diverse at 100 rows", "No difference"))


def test_the_table_has_gains_costs_and_the_frontier(found: Results) -> None:
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in sets_table(found).splitlines()[2:]
    ]
    names = [(line[0], line[1], line[2]) for line in lines]
    assert names[0] == ("random", "100", "3") and names[3] == ("long", "200", "3")
    assert lines[0][5] == "+10.0 (raised on 2 of 2)"
    assert lines[3][5] == "−5.0 (raised on 0 of 2 and lowered on 2)"
    assert [line[6] for line in lines] == ["", "", "yes", "yes"]
    assert (lines[0][7], lines[0][8], lines[1][8]) == ("0.500", "20", "–")


def test_the_appendix_has_all_pairs_and_benchmarks(found: Results) -> None:
    assert len(pairs_table(found).splitlines()) == 2 + 4
    assert len(benchmarks_table(found).splitlines()) == 2 + 2 * 4
    assert "| Second |" in benchmarks_table(found)


def test_a_study_of_one_set_says_nothing() -> None:
    alone = results()
    assert list(sentences(alone)) == [] and sets_table(alone) == pairs_table(alone) == ""


def test_the_audit_shows_the_columns_that_it_knows() -> None:
    frame = pl.DataFrame({"set": ["a|b"], "plan_rows": ["3"], "plan_times": ["9"]})
    assert audit(frame.cast(pl.String)).splitlines()[0].count("|") == 3


def _caption_of(places: pl.DataFrame, points: pl.DataFrame, contrasts: pl.DataFrame) -> str:
    plot = sets_plot(places, points, contrasts, 0.95)
    plot.draw()
    return " ".join(str(plot.labels.caption).split())


def test_the_figure_moves_sets_of_equal_size_apart(compared: ComparedSets) -> None:
    data = sets_data(compared.places, {"d0": "First", "d1": "Second"})
    assert data["panel"].unique(maintain_order=True).to_list() == [
        "All benchmarks", "First", "Second",
    ]  # fmt: skip
    first = data.filter(panel="All benchmarks")
    assert first["x"].n_unique() == 4 and ((first["x"] / first["rows"] - 1).abs() < 0.1).all()
    contrasts = pl.DataFrame(
        {"estimand": ["train"] * 2, "dataset": ["d0", "d1"], "accuracy_from": [0.2, 0.4]}
    )
    base = _base(contrasts, {"d0": "First", "d1": "Second"}, data["panel"].unique().to_list())
    assert base["percent"].to_list() == pytest.approx([20, 40, 30])
    points = pl.DataFrame({"dataset": ["d0", "d1"], "dataset_title": ["First", "Second"]})
    assert "draws" not in _caption_of(compared.places, points, contrasts)
    redrawn = pl.when(pl.col("arm") == pl.col("arm").first()).then(2).otherwise(1)
    own = _caption_of(compared.places.with_columns(draws=redrawn), points, contrasts)
    assert f"of {compared.places['arm'][0]} over draws of the rows too" in own
    one_size = compared.places.filter(pl.col("rows") == 100)
    sets_plot(one_size, points, contrasts, 0.95).draw()


def test_sizes_of_neighbouring_panels_do_not_run_into_each_other(compared: ComparedSets) -> None:
    names = ["d0", "d1", "d2"]
    points = pl.DataFrame({"dataset": names, "dataset_title": ["First", "Second", "Third"]})
    last = compared.places.filter(name="d1").with_columns(name=pl.lit("d2"))
    # The first arm is moved to the left and the last one to the right: the ends lie close.
    sizes = {"random-100": 1000, "diverse-100": 300, "long-100": 40, "long-200": 300}
    rows = pl.col("set").replace_strict(sizes)
    wide = pl.concat([compared.places, last]).with_columns(rows=rows)
    figure = sets_plot(wide, points, pl.DataFrame(schema=CONTRASTS), 0.95).draw()
    figure.canvas.draw()
    boxes = [label.get_window_extent() for axis in figure.axes for label in axis.get_xticklabels()]
    shown = [box for box in boxes if box.width > 0]
    assert len(shown) >= 4 and not any(a.overlaps(b) for a, b in combinations(shown, 2))


def test_published_sets_stand_where_a_benchmark_is_theirs() -> None:
    quoted = _quoted({"math500": "MATH500", "mine": "Mine"})
    assert quoted["panel"].unique().to_list() == ["MATH500"] and quoted.height == 5
    assert dict(quoted.select("label", "percent").rows())["1K-diverse"] == 91.2
    heights = quoted.filter(x=1000.0)["y"].sort().to_list()
    assert all(b - a >= NAME_HEIGHT - 1e-9 for a, b in pairwise(heights))
    assert _quoted({"mine": "Mine"}).is_empty()

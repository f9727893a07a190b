"""Compare studies, and write the page, its figure and its tables."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from workflow_scripts.analysis.contrasts import Rule
from workflow_scripts.analysis.tables import RANKING, RANKING_PAIRS, write_table
from workflow_scripts.common.artifacts import write_json, write_text
from workflow_scripts.comparing import changes, conditions, figure, matching, sides
from workflow_scripts.comparing.differences import DIFFERENCES, differences, table
from workflow_scripts.comparing.page import FIGURE, Comparison, markdown, method_titles
from workflow_scripts.reporting.html import page
from workflow_scripts.reporting.style import save

PAGE = "comparison"


def compare(words: Sequence[str], fail_if: Sequence[str], rule: Rule) -> tuple[Comparison, tuple]:
    """Everything that a comparison of some studies finds, and the tables of places.

    words    [NAME=]FOLDER[:MODEL] of each study; the first is what others are compared with
    fail_if  conditions, as `conditions` reads them
    """
    asked = [conditions.read(text) for text in fail_if]
    every = [sides.read(one) for one in sides.asked(words)]
    found, alone = matching.matches(every)
    paired = matching.pairings(every)
    told = differences(found, paired, rule)
    places, pairs = matching.rankings(every, found, paired, rule)
    findings = [
        *(one for side in every for one in side.findings),
        *alone,
        *matching.benchmark_findings(every),
        *(one for own in paired.values() for shared in own for one in shared.findings),
    ]
    differing = {}
    for other in every[1:]:
        own = [(m.model_a, m.model_b) for m in found if m.b is other]
        differing[other.name] = changes.changed(*changes.compared([every[0], other], own))
    judged = conditions.judged(asked, told, rule.confidence)
    return Comparison(every, paired, told, places, differing, findings, judged, rule), (
        places,
        pairs,
    )


def write(found: Comparison, tables: tuple, folder: Path) -> list[Path]:
    """The page as Markdown and HTML, its figure, its tables; the files that were written."""
    places, pairs = tables
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "differences.csv", table(found.differences), DIFFERENCES)
    write_table(folder / "places.csv", places, RANKING)
    write_table(folder / "place_pairs.csv", pairs, RANKING_PAIRS)
    if found.judged:
        write_json(folder / "conditions.json", [_judged(one) for one in found.judged])
    data = figure.figure_data(found.differences, method_titles(found))
    drawn = "" if data.is_empty() else f"{FIGURE}.png"
    if drawn:
        save(figure.figure(data, found.sides[0].name), folder / drawn)
    text = markdown(found, drawn)
    write_text(folder / f"{PAGE}.md", text)
    write_text(folder / f"{PAGE}.html", page(text, folder))
    names = (f"{PAGE}.html", f"{PAGE}.md", "differences.csv", "places.csv", "place_pairs.csv")
    return [folder / name for name in names]


def _judged(one: conditions.Judged) -> dict:
    cells = asdict(one.condition)
    row = one.difference.row
    names = ("study_a", "study_b", "model_a", "model_b", "dataset", "method", "budget")
    return {**cells, **{name: row[name] for name in names}, "holds": one.holds,
            "sentence": one.sentence}  # fmt: skip

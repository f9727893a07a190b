"""The sample viewer in a real browser: what it shows, filters, links, and lets nobody inject."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote_plus

import polars as pl
import pytest

from tests.reporting.browser import CHROMIUM, DRIVER, MISSING, Browser, browser
from tests.reporting.viewer_study import Plan, write_study
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.reporting.viewer.blocks import text_blocks
from workflow_scripts.reporting.viewer.page import render
from workflow_scripts.reporting.viewer.records import build

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)

HOSTILE = (
    "</script><script>window.hacked = 1</script> <img src=x onerror='window.hacked = 2'> "
    "{{INDEX}} &lt;b&gt; $\\href{javascript:window.hacked=3}{x}$ $\\htmlClass{y}{z}$ "
    "\\(" + "{" * 400 + "\\) $\\def\\a{\\a\\a}\\a$ $\\rule{9999em}{9999em}$ "
    "\u202eright to left\u202c \U0001f600 caf\u00e9 \u4f60\u597d \x01 <!-- ]]> </textarea> "
    "\n\n\n\n\n\n\nafter a gap"
)
MATHS = (
    "Set $\\frac{3}{4}$, \\(\\sqrt{5}\\), $\\{1, 2\\}$ and \\[\\begin{pmatrix}1 & 2\\\\3 & 4"
    "\\end{pmatrix}\\] so \\boxed{\\dfrac{1}{2}}; it costs $5 and then $7 more. Zebra "
)
PLAN = Plan(
    questions=4,
    datasets=("math", "choice"),
    texts={0: HOSTILE, 1: MATHS * 5, 3: ""},
    prompts={2: "<b>Is $\\pi > 3$?</b> </script>"},
)
CELL = "#model=s1k&dataset=math&method={method}&budget={budget}&id=math%2F{id}"
COUNT = "return Number(document.getElementById('count').textContent.split(' ')[0].replace(/,/g,''))"
SHOWN = "return document.querySelector('#sample h2').textContent"
TEXT = """
const text = document.querySelectorAll('.column')[arguments[0]].querySelector('.text').cloneNode(true);
const cut = arguments[1] && text.querySelector(arguments[1]);
if (cut) { const r = new Range(); r.setStartBefore(cut); r.setEndAfter(text.lastChild); r.deleteContents(); }
for (const e of text.querySelectorAll('.cut, .banner, .gap, .who, .quiet')) e.remove();
return text.textContent.replace(/\\s+/g, '');
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return write_study(tmp_path_factory.mktemp("study"), PLAN)


@pytest.fixture(scope="module")
def rows(tables: dict[str, list[Path]]) -> pl.DataFrame:
    generations = pl.concat([GENERATION.read(path) for path in tables["generations"]])
    grades = pl.concat([GRADE.read(path) for path in tables["grades"]])
    return generations.join(grades, on=GRADE.key)


@pytest.fixture(scope="module")
def page(tables: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = build(tables["generations"], tables["grades"], tables["benchmarks"], PLAN.settings)
    path = tmp_path_factory.mktemp("page") / "samples.html"
    blocks = text_blocks(records, tables["generations"])
    path.write_text(render(records, *blocks, PLAN.settings))
    return path


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as session:
        yield session


@pytest.fixture
def viewer(chrome: Browser, page: Path) -> Iterator[Browser]:
    """A browser on the page's start, with a desktop window and light colours."""
    chrome.resize(1400, 900)
    chrome.dark(False)
    chrome.open(page)
    yield chrome
    assert chrome.console() == []


def go(viewer: Browser, link: str) -> None:
    viewer.run("location.hash = arguments[0]", link)
    wanted = parse_qs(link.lstrip("#"))
    viewer.wait(f"{SHOWN}.endsWith({wanted['id'][0]!r})")
    cell = f"{wanted['method'][0]}/{wanted['budget'][0]}"
    viewer.wait(f"return document.querySelector('#sample .where').textContent.includes({cell!r})")


def cell(method: str, budget: str, number: int) -> str:
    return CELL.format(method=method, budget=budget, id=number)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text.replace("\ufeff", ""))


def thinking(rows: pl.DataFrame, method: str, budget: str, number: int) -> str:
    chosen = rows.filter(
        pl.col("model").eq("s1k"), pl.col("dataset").eq("math"), pl.col("method").eq(method),
        pl.col("budget").eq(budget), pl.col("question_id").eq(f"math/{number}"),
    )  # fmt: skip
    return chosen["thinking_text"].item()


def test_opens_from_disk_and_asks_nobody(viewer: Browser, rows: pl.DataFrame) -> None:
    assert viewer.run(COUNT) == rows.height
    asked = "return performance.getEntriesByType('resource').map((e) => e.name)"
    assert [name for name in viewer.run(asked) if not name.startswith("data:")] == []


def test_hostile_text_is_shown_and_does_nothing(viewer: Browser, rows: pl.DataFrame) -> None:
    for key in ("t", None):  # as source, then set
        go(viewer, cell("natural", "infinite", 0))
        if key:
            viewer.press(key)
            viewer.wait("return document.querySelector('[aria-pressed=true]') !== null")
            shown = viewer.run(TEXT, 0, None)
            assert shown == squeezed(thinking(rows, "natural", "infinite", 0))
            viewer.press(key)
    viewer.wait("return document.querySelectorAll('.tex.set, .tex.unset').length >= 3")
    assert viewer.run("return window.hacked ?? null") is None
    assert viewer.run("return document.querySelectorAll('#sample img, #sample script').length") == 0
    assert viewer.run("return document.querySelectorAll('a[href^=javascript]').length") == 0
    tall = "return Math.max(...[...document.querySelectorAll('.text')].map((e) => e.scrollHeight))"
    assert viewer.run(tall) < 3000
    assert "blank lines" in viewer.run("return document.querySelector('.gap').textContent")


def test_hostile_question_is_text(viewer: Browser) -> None:
    go(viewer, cell("natural", "infinite", 2))
    assert viewer.run("return document.querySelector('.question .text b')") is None
    shown = viewer.run("return document.querySelector('.question .text').textContent")
    assert shown.startswith("<b>Is ") and shown.endswith("</b> </script>")


def test_formulas_are_set(viewer: Browser) -> None:
    go(viewer, cell("natural", "infinite", 1))
    viewer.wait("return document.querySelectorAll('.column .text .tex.set').length >= 25")
    body = "document.querySelector('.column .text')"
    assert viewer.run(f"return {body}.querySelectorAll('.tex.unset').length") == 0
    for kind in (".mfrac", ".sqrt", ".mopen", ".katex-display .col-align-c", ".fbox"):
        assert viewer.run(f"return {body}.querySelectorAll('{kind}').length") >= 1, kind
    assert viewer.run(f"return {body}.textContent").count("costs $5 and then $7 more") >= 3
    assert viewer.run("return document.fonts.check('16px KaTeX_Main')")


@pytest.mark.parametrize(
    ("facet", "value", "column"),
    [
        ("model", "s1k", pl.col("model") == "s1k"),
        ("dataset", "choice", pl.col("dataset") == "choice"),
        ("method", "force-wait-2", pl.col("method") == "force-wait-2"),
        ("n", "4", pl.col("n") == 4),
        ("budget", "20", pl.col("budget") == "20"),
        ("verdict", "right", pl.col("verdict")),
        ("verdict", "no answer", ~pl.col("verdict") & pl.col("no_answer")),
        ("end", "forced", pl.col("end") == "forced"),
        ("loop", "loop", pl.col("loop")),
    ],
)
def test_each_filter_counts_its_rows(
    viewer: Browser, rows: pl.DataFrame, facet: str, value: str, column: pl.Expr
) -> None:
    viewer.choose(f"facet-{facet}", value)
    expected = rows.filter(column).height
    assert 0 < expected < rows.height
    assert viewer.run(COUNT) == expected
    label = f"return document.querySelector('#facet-{facet} option:checked').textContent"
    assert viewer.run(label).endswith(f"({expected})")
    if facet != "model":
        viewer.choose("facet-model", "base")
        assert viewer.run(COUNT) == rows.filter(column, pl.col("model") == "base").height
    viewer.run("document.getElementById('clear').click()")
    assert viewer.run(COUNT) == rows.height


@pytest.mark.parametrize("kind", ["any", "won", "lost"])
def test_flips_between_two_cells(viewer: Browser, rows: pl.DataFrame, kind: str) -> None:
    viewer.choose("flip-from", "truncation/20")
    viewer.choose("flip-to", "force-wait-1/infinite")
    viewer.choose("flip-kind", kind)
    keys = ["model", "dataset", "question_id", "sample"]
    before = rows.filter(pl.col("method").eq("truncation"), pl.col("budget").eq("20"))
    after = rows.filter(pl.col("method").eq("force-wait-1"), pl.col("budget").eq("infinite"))
    both = before.join(after, on=keys, suffix="_after")
    change = {
        "any": pl.col("verdict") != pl.col("verdict_after"),
        "won": ~pl.col("verdict") & pl.col("verdict_after"),
        "lost": pl.col("verdict") & ~pl.col("verdict_after"),
    }[kind]
    assert viewer.run(COUNT) == both.filter(change).height
    if both.filter(change).height:
        viewer.wait("return document.querySelectorAll('.column').length === 2")
        heads = "return [...document.querySelectorAll('.column > h3:first-child')].map((e) => e.textContent)"
        assert [head.split(": ")[1] for head in viewer.run(heads)] == [
            "force-wait-1/infinite", "truncation/20",
        ]  # fmt: skip
        assert len(viewer.run("return document.querySelector('.item .flip').textContent")) == 3


def test_filters_that_leave_nothing_say_so(viewer: Browser) -> None:
    viewer.choose("facet-n", "4")
    viewer.choose("facet-method", "natural")
    assert viewer.run(COUNT) == 0
    assert "No generation matches" in viewer.run(
        "return document.getElementById('sample').innerText"
    )
    viewer.run("document.getElementById('clear').click()")
    viewer.wait("return document.querySelector('#sample h2') !== null")


@pytest.mark.parametrize(("sort", "descending"), [("longest", True), ("shortest", False)])
def test_sorting_by_length(
    viewer: Browser, rows: pl.DataFrame, sort: str, descending: bool
) -> None:
    viewer.choose("sort", sort)
    shown = (
        "return [...document.querySelectorAll('.item .tokens')].map((e) => Number(e.textContent))"
    )
    lengths = rows["thinking_tokens"].sort(descending=descending).head(5).to_list()
    assert viewer.run(shown)[:5] == lengths


def search(viewer: Browser, text: str, deep: bool) -> None:
    viewer.run(
        "const [q, deep] = ['query', 'deep'].map((id) => document.getElementById(id));"
        "if (deep.checked !== arguments[1]) deep.click();"
        "q.value = arguments[0]; q.dispatchEvent(new Event('input'));",
        text, deep,
    )  # fmt: skip
    viewer.wait(f"return location.hash.includes({'f.query=' + quote_plus(text[:4])!r})")
    viewer.wait("return document.getElementById('progress').textContent === ''")


def test_search_in_questions_and_ids(viewer: Browser, rows: pl.DataFrame) -> None:
    search(viewer, "\\PI > 3", deep=False)
    assert viewer.run(COUNT) == rows.filter(pl.col("question_id").str.ends_with("/2")).height
    search(viewer, "choice/1", deep=False)
    assert viewer.run(COUNT) == rows.filter(pl.col("question_id") == "choice/1").height


@pytest.mark.parametrize("word", ["zebra", "Final Answer", "period 4", "no such words"])
def test_search_in_texts_respects_each_cells_cut(
    viewer: Browser, rows: pl.DataFrame, word: str
) -> None:
    search(viewer, word, deep=True)
    texts = [
        pl.col(name).str.to_lowercase().str.contains(word.lower(), literal=True)
        for name in ("thinking_text", "answer_text")
    ]
    expected = rows.filter(pl.any_horizontal(texts)).height
    viewer.wait(f"{COUNT} === {expected}")


def test_search_paints_matches_and_steps_through_them(viewer: Browser) -> None:
    search(viewer, "zebra", deep=True)
    viewer.wait("return CSS.highlights.get('found')?.size > 0")
    viewer.run("document.activeElement.blur()")
    viewer.press("m")
    viewer.wait("return document.getElementById('progress').textContent.startsWith('Match 1 of')")


def test_cut_points_lie_where_the_cells_end(viewer: Browser, rows: pl.DataFrame) -> None:
    go(viewer, cell("force-wait-4", "infinite", 2))
    viewer.press("t")
    viewer.wait("return document.querySelectorAll('.column .text .tex').length === 0")
    for other in ("truncation/20", "truncation/60", "natural/infinite", "force-wait-2/infinite"):
        shown = viewer.run(TEXT, 0, f".cut[aria-label*='{other}']")
        assert shown == squeezed(thinking(rows, *other.split("/"), 2)), other
    assert viewer.run(TEXT, 0, None) == squeezed(thinking(rows, "force-wait-4", "infinite", 2))
    viewer.press("t")


def test_splices_are_marked(viewer: Browser, rows: pl.DataFrame) -> None:
    go(viewer, cell("force-hmm-4", "infinite", 2))
    marks = "return [...document.querySelectorAll('.column > .text .spliced')].map((e) => e.textContent)"
    assert viewer.run(marks) == [f"+{k}[spliced {k}] Hmm" for k in (1, 2, 3, 4)]
    go(viewer, cell("truncation", "20", 2))
    forced = viewer.run(marks)
    assert len(forced) == 1 and forced[0].strip().endswith("Final Answer:")


def test_rest_of_the_chain_is_shown_apart(viewer: Browser, rows: pl.DataFrame) -> None:
    go(viewer, cell("truncation", "20", 2))
    assert viewer.run("return document.querySelectorAll('.beyond').length") == 0
    viewer.press("r")
    viewer.wait("return document.querySelectorAll('.beyond').length > 0")
    viewer.press("t")
    viewer.wait("return document.querySelectorAll('.column .text .tex').length === 0")
    assert viewer.run(TEXT, 0, None) == squeezed(thinking(rows, "natural", "infinite", 2))
    assert viewer.run(TEXT, 0, ".banner.end") == squeezed(thinking(rows, "truncation", "20", 2))
    viewer.press("t", "r")


def test_empty_thinking_and_answer_say_so(viewer: Browser, rows: pl.DataFrame) -> None:
    go(viewer, cell("natural", "infinite", 3))
    assert "There is no thinking" in viewer.run(
        "return document.querySelector('.column').innerText"
    )
    empty = rows.filter(
        pl.col("answer_text") == "", pl.col("model") == "s1k", pl.col("dataset") == "math"
    ).row(0, named=True)
    go(viewer, cell(empty["method"], empty["budget"], int(empty["question_id"][-1])))
    assert "The answer is empty" in viewer.run("return document.querySelector('.column').innerText")
    assert "none found" in viewer.run("return document.querySelector('.facts').innerText")


def test_link_of_the_report_restores_and_follows(viewer: Browser, page: Path) -> None:
    viewer.open(page, cell("force-wait-1", "60", 2))
    assert viewer.run(SHOWN) == "MATH, question math/2"
    assert viewer.run(COUNT) == PLAN.questions
    viewer.press("k")
    viewer.wait(f"{SHOWN}.endsWith('math/1')")
    viewer.press("right")
    viewer.wait("return location.hash.includes('budget=infinite')")
    viewer.press("]")
    viewer.wait("return location.hash.includes('method=force-wait-2')")
    link = viewer.run("return location.hash")
    named = {key: values[0] for key, values in parse_qs(link[1:]).items() if "f." not in key}
    assert named == {
        "model": "s1k", "dataset": "math", "method": "force-wait-2", "budget": "infinite",
        "id": "math/1",
    }  # fmt: skip
    viewer.open(page, link)
    assert viewer.run("return location.hash") == link
    assert viewer.run(SHOWN) == "MATH, question math/1"


def test_link_without_id_lists_the_cell(viewer: Browser, page: Path, rows: pl.DataFrame) -> None:
    viewer.open(page, "#model=base&dataset=choice&method=truncation")
    chosen = rows.filter(
        pl.col("model").eq("base"),
        pl.col("dataset").eq("choice"),
        pl.col("method").eq("truncation"),
    )
    assert viewer.run(COUNT) == chosen.height


def test_link_to_nothing_says_what_is_missing(viewer: Browser, page: Path) -> None:
    viewer.open(page, "#model=s1k&dataset=math&method=natural&budget=infinite&id=math/99")
    said = viewer.run("return document.getElementById('progress').textContent")
    assert "There is no generation for model s1k" in said and "math/99" in said


def test_any_cell_of_a_question_is_one_click_away(viewer: Browser) -> None:
    go(viewer, cell("natural", "infinite", 2))
    viewer.run("document.querySelector('.grid [aria-label^=\"truncation/60\"]').click()")
    viewer.wait("return location.hash.includes('budget=60')")
    viewer.run("[...document.querySelectorAll('.alike button')][0].click()")
    viewer.wait("return location.hash.includes('model=base')")


def test_side_by_side(viewer: Browser, page: Path, rows: pl.DataFrame) -> None:
    go(viewer, cell("force-wait-1", "infinite", 2))
    viewer.press("c")
    viewer.wait("return document.querySelectorAll('.column').length === 2")
    viewer.run(
        "const select = document.querySelector('.toolbar select');"
        "const option = [...select.options].find((o) => o.text.includes('force-hmm-1/infinite'));"
        "select.value = option.value; select.dispatchEvent(new Event('change'));"
    )
    viewer.wait("return location.hash.includes('with=force-hmm-1/infinite')")
    viewer.wait("return document.querySelectorAll('.banner.part').length === 2")
    viewer.press("t")
    viewer.wait("return document.querySelectorAll('.column .text .tex').length === 0")
    shared = squeezed(thinking(rows, "natural", "infinite", 2))
    assert viewer.run(TEXT, 0, ".banner.part") == viewer.run(TEXT, 1, ".banner.part") == shared
    viewer.press("t")
    link = viewer.run("return location.hash")
    viewer.press("j")
    viewer.wait(f"{SHOWN}.endsWith('math/3')")
    assert "with=force-hmm-1/infinite" in viewer.run("return location.hash")
    viewer.open(page, link)
    assert viewer.run("return document.querySelectorAll('.column').length") == 2
    viewer.press("c")
    viewer.wait("return document.querySelectorAll('.column').length === 1")


def test_keyboard(viewer: Browser) -> None:
    viewer.press("j", "down", "k")
    viewer.wait(f"{SHOWN}.endsWith('/1')")
    viewer.press("/")
    assert viewer.run("return document.activeElement.id") == "query"
    viewer.press("j")
    assert viewer.run("return document.getElementById('query').value") == "j"
    viewer.press("escape")
    assert viewer.run("return document.activeElement.id") != "query"
    viewer.press("?")
    assert viewer.run("return document.getElementById('keys').open")
    viewer.press("escape")
    assert not viewer.run("return document.getElementById('keys').open")


def test_colours_follow_the_system_and_the_toggle(viewer: Browser, page: Path) -> None:
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = viewer.run(paper)
    viewer.dark(True)
    dark = viewer.run(paper)
    assert dark != light
    viewer.press("d")
    assert viewer.run(paper) == light
    viewer.press("d")
    viewer.dark(False)
    assert viewer.run(paper) == dark
    viewer.run("localStorage.clear()")


def test_phone(viewer: Browser, page: Path) -> None:
    viewer.resize(390, 844, 2)
    viewer.open(page)
    visible = "return document.getElementById(arguments[0]).offsetParent !== null"
    wide = "return document.documentElement.scrollWidth"
    assert viewer.run(visible, "list") and not viewer.run(visible, "sample")
    assert viewer.run(wide) <= 390
    viewer.run("document.querySelectorAll('[role=option]')[1].click()")
    viewer.wait(f"{SHOWN}.endsWith('math/1')")
    assert viewer.run(visible, "sample") and not viewer.run(visible, "list")
    assert viewer.run(wide) <= 390
    over = "const m = document.getElementById('sample'); return m.scrollWidth - m.clientWidth"
    assert viewer.run(over) <= 0
    viewer.run("history.back()")
    viewer.wait("return document.getElementById('list').offsetParent !== null")
    viewer.open(page, cell("force-wait-4", "infinite", 1))
    assert viewer.run(visible, "sample")
    viewer.run("document.getElementById('back').click()")
    viewer.wait("return document.getElementById('list').offsetParent !== null")


CONTROLS = (
    "return [...document.querySelectorAll('button, select, input, a, [role], summary')]"
    ".filter((e) => e.checkVisibility())"
)


def test_every_control_has_a_name(viewer: Browser) -> None:
    go(viewer, cell("force-wait-4", "infinite", 2))
    viewer.press("c")
    viewer.wait("return document.querySelectorAll('.column').length === 2")
    viewer.run("document.getElementById('flips').open = true")
    elements = viewer.run(CONTROLS)
    assert len(elements) > 60
    for element in elements:
        (number,) = element.values()
        name = viewer.call("GET", f"/element/{number}/computedlabel")
        role = viewer.call("GET", f"/element/{number}/computedrole")
        assert name or role in ("none", "presentation", "generic", "search", "status"), viewer.run(
            "return arguments[0].outerHTML", element
        )[:300]


CONTRAST = """
const parse = (c) => { const n = c.match(/[\\d.]+/g).map(Number); return [...n.slice(0, 3), n[3] ?? 1]; };
const light = (c) => c.slice(0, 3).map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const paper = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] > 0.99) return c;
  }
  return parse(getComputedStyle(document.body).backgroundColor);
};
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const e = node.parentElement;
  if (!node.data.trim() || e.closest('script, noscript, .katex-mathml') || !e.checkVisibility()) continue;
  const style = getComputedStyle(e);
  const [a, b] = [light(parse(style.color)), light(paper(e))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  seen++;
  if (ratio < 4.5) poor.push([ratio.toFixed(2), e.className, node.data.slice(0, 40)]);
}
return [seen, poor];
"""


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_meets_wcag_aa(viewer: Browser, dark: bool) -> None:
    viewer.dark(dark)
    go(viewer, cell("force-wait-4", "infinite", 2))
    viewer.press("r", "c", "?")
    viewer.wait("return document.querySelectorAll('.column').length === 2")
    viewer.run("document.getElementById('flips').open = true")
    seen, poor = viewer.run(CONTRAST)
    assert seen > 150
    assert poor == []

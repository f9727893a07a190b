"""Decontamination and in-pool deduplication of the rows that passed the quality filter.

Of duplicates, one row of each cluster stays, by a stated rule. Rows are visited best first
(`keep_order`). A row goes when a row that already stays has the same content key, or covers 60 % of
the text of the shorter of the two questions with shared n-grams that are not boilerplate. Under the
plain rule one shared n-gram is enough. Every dropped row is thus a duplicate of a row that stays,
and the work is linear: a shared n-gram that is not boilerplate has few owners.

`contamination_facts` is contamination.json: plain and real counts, every hit explained, and what
was set apart.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.provenance import canonical_json
from workflow_scripts.common.settings.curation import Copies as Settings
from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.common.tables.pool import Decision
from workflow_scripts.curation.contamination import (
    Match,
    Stock,
    exact_matches,
    find_matches,
    find_respelt,
    match_evidence,
)
from workflow_scripts.curation.ngrams import (
    Coverage,
    Form,
    build_forms,
    content_keys,
    frequent,
    repeated_positions,
)

DUPLICATE_SHARE = 0.6
PREFERRED_SOURCES = ("AIME", "GPQA", "MATH")


@dataclass(frozen=True)
class Duplicate:
    """A row and the kept row it repeats."""

    row: int
    of: int
    kind: str  # "exact" or "ngram"
    form: str
    gram: str
    share: float  # of the shorter question's characters


def keep_order(rows: pl.DataFrame) -> list[int]:
    """Row numbers, the ones to keep first.

    Pinned kinds of sources before others (AIME, GPQA, MATH), then rows whose teacher is labelled
    right, rows with all difficulty labels, longer traces, and the row id.
    """
    preference = {name: i for i, name in enumerate(PREFERRED_SOURCES)}
    order = rows.with_row_index("i").sort(
        pl.col("source_name").replace_strict(preference, default=len(preference)),
        pl.col("teacher_correct").fill_null(False).not_(),
        pl.col("labels").str.contains(":null", literal=True),
        -pl.col("trace_characters").cast(pl.Int64),
        pl.col("row_id"),
    )
    return order["i"].to_list()


def exact_duplicates(order: Sequence[int], keys: Sequence[bytes]) -> list[Duplicate]:
    """Rows whose content key an earlier row of the order has."""
    first: dict[bytes, int] = {}
    found = []
    for row in order:
        if (owner := first.setdefault(keys[row], row)) != row:
            found.append(Duplicate(row, owner, "exact", "exact", "", 1.0))
    return found


def shared_grams(
    form: Form,
    positions: NDArray[np.int64],
    sources: NDArray[np.int64],
    keys: NDArray[np.int64],
    minimum: int | None,
) -> dict[int, list[tuple[int, int]]]:
    """Row -> (hash, position) of the n-grams it shares with other rows: `repeated_positions`.

    Without boilerplate, unless `minimum` is None (the plain rule).
    """
    if minimum is not None and len(positions):
        positions = positions[frequent(form, positions, sources, keys, minimum) == 0]
        positions = positions[~form.listed_stock(positions)]
        positions = positions[~form.stock_endings(positions)]
    hashes = form.pool_hashes[positions].tolist()
    items = zip(form.pool.text_of(positions).tolist(), hashes, positions.tolist(), strict=True)
    return {row: [item[1:] for item in group] for row, group in groupby(items, key=itemgetter(0))}


def ngram_duplicates(
    forms: Sequence[Form],
    shared: Sequence[dict[int, list[tuple[int, int]]]],
    order: Sequence[int],
    least_share: float,
) -> list[Duplicate]:
    """Visit rows in order; a row that repeats a kept one is a duplicate, any other is kept."""
    owners: list[dict[int, list[int]]] = [defaultdict(list) for _ in forms]
    found = []
    for row in order:
        hits = [
            hit
            for form, grams, owner in zip(forms, shared, owners, strict=True)
            if (hit := _best(form, row, grams.get(row, []), owner, least_share))
        ]
        if hits:
            found.append(max(hits, key=lambda hit: (hit.share, -hit.of)))
            continue
        for grams, owner in zip(shared, owners, strict=True):
            for value in dict.fromkeys(value for value, _ in grams.get(row, [])):
                owner[value].append(row)
    return found


def plain_repeats(shared: Sequence[dict[int, list[tuple[int, int]]]], order: Sequence[int]) -> int:
    """How many rows `ngram_duplicates` would find at a least share of 0: one n-gram is enough."""
    kept: list[set[int]] = [set() for _ in shared]
    found = 0
    for row in order:
        values = [[value for value, _ in grams.get(row, ())] for grams in shared]
        if all(own.isdisjoint(new) for own, new in zip(kept, values, strict=True)):
            for own, new in zip(kept, values, strict=True):
                own.update(new)
        else:
            found += 1
    return found


def _best(
    form: Form,
    row: int,
    grams: list[tuple[int, int]],
    owners: dict[int, list[int]],
    least_share: float,
) -> Duplicate | None:
    places: dict[int, list[int]] = defaultdict(list)
    for value, position in grams:
        for owner in owners.get(value, ()):
            places[owner].append(position)
    best: Duplicate | None = None
    for owner, positions in places.items():
        share = _shared_share(form, row, owner, positions)
        if share >= least_share and (best is None or share > best.share):
            best = Duplicate(row, owner, "ngram", form.name, form.gram(positions[0]), share)
    return best


def _shared_share(form: Form, row: int, owner: int, positions: list[int]) -> float:
    """Shared characters of `row` relative to the shorter of the two questions, at most 1."""
    coverage = Coverage(form, form.pool.words_of(row))
    begin = int(form.pool.starts[row])
    share = coverage.share([position - begin for position in positions])
    own, theirs = coverage.ends[-1], int(form.sizes[form.pool.words_of(owner)].sum())
    return min(1.0, round(share * own / min(own, theirs), 4))


def cluster_sizes(duplicates: Sequence[Duplicate]) -> Counter[int]:
    """Number of duplicates by the row that stays."""
    return Counter(duplicate.of for duplicate in duplicates)


COLUMNS = (
    "row_id",
    "question",
    "source",
    "source_name",
    "teacher_correct",
    "labels",
    "trace_characters",
)


@dataclass(frozen=True)
class Findings:
    """All that was found; rows are numbers into `rows`, questions into `questions`."""

    settings: Settings
    rows: pl.DataFrame
    questions: list[Question]
    matches: list[Match]  # strongest per row and benchmark and form
    stock: dict[str, Stock]
    duplicates: list[Duplicate]
    plain_duplicates: int  # rows that the plain rule would drop as duplicates
    removed: dict[int, Match]  # rows that go for a benchmark


@dataclass(frozen=True)
class Compared:
    """The pool's rows as they are compared, all by row number.

    forms    "plain" and "latex", with the benchmarks' questions beside the pool's
    keys     content keys; `numbers` numbers them
    sources  numbers of the sources
    """

    rows: pl.DataFrame
    forms: dict[str, Form]
    keys: list[bytes]
    numbers: NDArray[np.int64]
    sources: NDArray[np.int64]


def decontaminate(
    rows: pl.DataFrame, questions: list[Question], settings: Settings
) -> tuple[list[Decision], Findings]:
    """A decision on every row (columns COLUMNS), sorted by row id, and what was found.

    Raises InputError when there is no question to compare with.
    """
    if not questions:
        raise InputError("no benchmark questions to stay clear of: add entries to `benchmarks`")
    rows = rows.select(COLUMNS).sort("row_id").with_columns(pl.col("question").fill_null(""))
    texts, exam = rows["question"].to_list(), [question.question for question in questions]
    forms = build_forms(texts, exam, settings.ngram)
    keys, exam_keys = content_keys(forms["latex"])
    pool = Compared(rows, forms, keys, _numbers(keys), _numbers(_source_labels(rows)))
    matches = exact_matches(keys, exam_keys)
    stock: dict[str, Stock] = {}
    for form in forms.values():
        found, phrases = find_matches(
            form,
            pool.sources,
            pool.numbers,
            settings.boilerplate_questions,
            [question.dataset for question in questions],
        )
        matches += found
        stock |= phrases
    matches += find_respelt(forms["latex"], _not_real(rows.height, matches))
    removed = _removed(matches, settings)
    duplicates, plain = _duplicates(pool, removed, settings)
    findings = Findings(settings, rows, questions, matches, stock, duplicates, plain, removed)
    return _decisions(findings), findings


def for_responses(decisions: Sequence[Decision], rows: pl.DataFrame) -> list[Decision]:
    """A decision on each row (row_id, question) from those on one row of every question."""
    made = {decision.row_id: decision for decision in decisions}
    pairs = list(rows.sort("row_id").select("row_id", "question").iter_rows())
    asked = {question: made[row_id] for row_id, question in pairs if row_id in made}
    return [replace(asked[question], row_id=row_id) for row_id, question in pairs]


def _not_real(rows: int, matches: list[Match]) -> list[int]:
    """Rows that word n-grams leave in the pool."""
    real = {match.row for match in matches if match.real}
    return [row for row in range(rows) if row not in real]


def _source_labels(rows: pl.DataFrame) -> list[str]:
    unknown = pl.col("source_name") == "unknown"
    label = pl.when(unknown).then("source").otherwise("source_name")
    return rows.select(label.alias("label"))["label"].to_list()


def _numbers(values: Sequence[Hashable]) -> NDArray[np.int64]:
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(value, len(first)) for value in values], dtype=np.int64)


def _removed(matches: list[Match], settings: Settings) -> dict[int, Match]:
    strongest: dict[int, Match] = {}
    for match in matches:
        if match.real or settings.boilerplate == "drop":
            known = strongest.get(match.row)
            if known is None or match.rank > known.rank:
                strongest[match.row] = match
    return strongest


def _duplicates(
    pool: Compared, removed: dict[int, Match], settings: Settings
) -> tuple[list[Duplicate], int]:
    """The rows that repeat one that stays, and how many the plain rule would take."""
    order = [row for row in keep_order(pool.rows) if row not in removed]
    exact = exact_duplicates(order, pool.keys)
    repeats = {duplicate.row for duplicate in exact}
    order = [row for row in order if row not in repeats]
    left = np.zeros(pool.rows.height, dtype=bool)
    left[order] = True
    forms = list(pool.forms.values())
    repeated = [(form, repeated_positions(form, left)) for form in forms]

    def shared(minimum: int | None) -> list[dict[int, list[tuple[int, int]]]]:
        return [shared_grams(*pair, pool.sources, pool.numbers, minimum) for pair in repeated]

    if settings.boilerplate == "drop":
        plain = ngram_duplicates(forms, shared(None), order, 0.0)
        return exact + plain, len(exact) + len(plain)
    grams = shared(settings.boilerplate_questions)
    separate = ngram_duplicates(forms, grams, order, DUPLICATE_SHARE)
    return exact + separate, len(exact) + plain_repeats(shared(None), order)


def _decisions(findings: Findings) -> list[Decision]:
    ids = findings.rows["row_id"].to_list()
    texts = findings.rows["question"].to_list()
    repeated = {duplicate.row: duplicate for duplicate in findings.duplicates}
    noted: dict[int, Match] = {}
    for match in findings.matches:
        if match.row not in noted or match.rank > noted[match.row].rank:
            noted[match.row] = match
    decisions = []
    for row, row_id in enumerate(ids):
        if row in findings.removed:
            match = findings.removed[row]
            evidence = match_evidence(match, findings.questions[match.question], texts[row])
            reason = "benchmark-exact" if match.kind == "exact" else "benchmark-ngram"
        elif row in repeated:
            evidence = _duplicate_evidence(repeated[row], ids, texts)
            reason = f"duplicate-{repeated[row].kind}"
        else:
            evidence = {"boilerplate": list(noted[row].stock)} if row in noted else {}
            reason = "kept"
        told = canonical_json(evidence) if evidence else "{}"
        decisions.append(Decision(row_id, reason == "kept", reason, told))
    return decisions


def _duplicate_evidence(
    duplicate: Duplicate, ids: Sequence[str], texts: Sequence[str]
) -> dict[str, Any]:
    return {
        "kept_row": ids[duplicate.of],
        "form": duplicate.form,
        "ngram": duplicate.gram,
        "share": duplicate.share,
        "row_text": texts[duplicate.row],
        "kept_text": texts[duplicate.of],
    }


KINDS = ("exact", "copy", "passage", "phrase")
LARGEST = 10


def contamination_facts(findings: Findings) -> dict[str, Any]:
    """Everything that contamination.json holds."""
    settings = findings.settings
    return {
        "ngram": settings.ngram,
        "boilerplate": settings.boilerplate,
        "boilerplate_questions": settings.boilerplate_questions,
        "rows": findings.rows.height,
        "benchmarks": _benchmarks(findings.questions, settings.ngram),
        "would_remove": _would_remove(findings),
        "counts": _counts(findings),
        "kinds": _kinds(findings),
        "hits": _hits(findings),
        "boilerplate_phrases": _phrases(findings),
        "duplicates": _duplicate_facts(findings),
    }


def _benchmarks(questions: list[Question], n: int) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in questions:
        counts[question.dataset]["questions"] += 1
        counts[question.dataset][f"under_{n}_words"] += len(question.question.split()) < n
    return {name: dict(count) for name, count in counts.items()}


def _would_remove(findings: Findings) -> dict[str, dict[str, int | None]]:
    """Rows that each setting takes; duplicates are counted among the rows this setting leaves."""
    matches = findings.matches
    separate = findings.settings.boilerplate == "separate"
    return {
        "benchmark": {
            "separate": len({m.row for m in matches if m.real}),
            "drop": len({m.row for m in matches}),
            "plain n-grams alone": len({m.row for m in matches if m.form == "plain"}),
        },
        "duplicate": {
            "separate": len(findings.duplicates) if separate else None,
            "drop": findings.plain_duplicates,
        },
    }


def _counts(findings: Findings) -> list[dict[str, Any]]:
    """Rows by benchmark and source: flagged by each form, and real."""
    names = findings.rows["source_name"].to_list()
    cells: dict[tuple[str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for match in findings.matches:
        cell = cells[findings.questions[match.question].dataset, names[match.row]]
        cell[match.form].add(match.row)
        if match.real:
            cell["real"].add(match.row)
        cell["any"].add(match.row)
    return [
        {
            "dataset": dataset,
            "source_name": name,
            "plain": len(cell["plain"]),
            "latex": len(cell["latex"]),
            "exact": len(cell["exact"]),
            "letters": len(cell["letters"]),
            "real": len(cell["real"]),
            "boilerplate_only": len(cell["any"] - cell["real"]),
        }
        for (dataset, name), cell in sorted(cells.items())
    ]


def _kinds(findings: Findings) -> dict[str, int]:
    counts = Counter(match.kind for match in findings.removed.values())
    return {kind: counts[kind] for kind in (*KINDS, "boilerplate") if counts[kind]}


def _hits(findings: Findings) -> list[dict[str, Any]]:
    ids, names = findings.rows["row_id"].to_list(), findings.rows["source_name"].to_list()
    texts = findings.rows["question"].to_list()
    hits = []
    for row, match in findings.removed.items():
        question = findings.questions[match.question]
        hits.append(
            {
                "row_id": ids[row],
                "source_name": names[row],
                "dataset": question.dataset,
                "question_id": question.question_id,
                "kind": match.kind,
                "form": match.form,
                "share": match.share,
                "run": match.run,
                "ngram": next(iter(match.grams + match.stock), ""),
                "why": explain(match, findings),
                "row_text": texts[row],
                "benchmark_text": question.question,
            }
        )
    order = {kind: i for i, kind in enumerate((*KINDS, "boilerplate"))}
    return sorted(hits, key=lambda hit: (order[hit["kind"]], -hit["share"], hit["row_id"]))


def explain(match: Match, findings: Findings) -> str:
    """One sentence: why this row goes."""
    words = len(match.run.split())
    share = f"{match.share:.0%}"
    if match.kind == "exact":
        return "The same question once LaTeX, punctuation and words like 'find' are made uniform."
    if match.form == "letters":
        return f"{share} of the benchmark question's letters stand in this row, formulas included."
    if match.kind == "copy":
        return f"{share} of the benchmark question's text stands in this row in shared n-grams."
    if match.kind == "passage":
        return f"A passage of {words} words is shared that is no stock phrase."
    if match.kind == "phrase":
        return (
            f"A phrase of {words} words is shared ({share} of the benchmark question) that fewer "
            f"than {findings.settings.boilerplate_questions} questions of any source use."
        )
    return "Only stock phrases are shared; dropped because `boilerplate: drop` asks for it."


def _phrases(findings: Findings) -> list[dict[str, Any]]:
    """Boilerplate n-grams joined into phrases, with the number of rows kept in spite of them."""
    kept: dict[str, set[int]] = defaultdict(set)
    datasets: dict[str, set[str]] = defaultdict(set)
    for match in findings.matches:
        if match.row not in findings.removed:
            for gram in match.stock:
                phrase = findings.stock[gram].phrase
                kept[phrase].add(match.row)
                datasets[phrase].add(findings.questions[match.question].dataset)
    by_phrase = {stock.phrase: stock for _, stock in sorted(findings.stock.items())}
    used = {phrase: stock for phrase, stock in by_phrase.items() if phrase in kept}
    listed = []
    for text, parts in join_grams(used):
        rows = set().union(*(kept[part] for part in parts))
        stocks = [used[part] for part in parts]
        listed.append(
            {
                "phrase": text,
                "ngrams": parts,
                "rule": max(stocks, key=lambda stock: stock.questions).rule,
                "questions": max(stock.questions for stock in stocks),
                "rows_kept": len(rows),
                "datasets": sorted(set().union(*(datasets[part] for part in parts))),
            }
        )
    return sorted(listed, key=lambda entry: (-entry["rows_kept"], entry["phrase"]))


def join_grams(stock: dict[str, Stock]) -> list[tuple[str, list[str]]]:
    """N-grams that overlap in all but one word, joined into phrases; each n-gram in one phrase."""
    heads: dict[str, list[str]] = defaultdict(list)
    for gram in sorted(stock):
        heads[gram.rsplit(" ", 1)[0]].append(gram)
    followed = {gram.rsplit(" ", 1)[0] for gram in stock}
    tails = {gram.split(" ", 1)[1] for gram in stock}
    starts = [gram for gram in sorted(stock) if gram.rsplit(" ", 1)[0] not in tails & followed]
    used: set[str] = set()
    joined = []
    for start in [*starts, *sorted(stock)]:
        if start in used:
            continue
        chain, gram = [], start
        while gram and gram not in used:
            used.add(gram)
            chain.append(gram)
            gram = next((g for g in heads[gram.split(" ", 1)[1]] if g not in used), "")
        text = " ".join([chain[0], *(part.rsplit(" ", 1)[1] for part in chain[1:])])
        joined.append((text, chain))
    return joined


def _duplicate_facts(findings: Findings) -> dict[str, Any]:
    ids, names = findings.rows["row_id"].to_list(), findings.rows["source_name"].to_list()
    sizes = cluster_sizes(findings.duplicates)
    return {
        "exact": sum(d.kind == "exact" for d in findings.duplicates),
        "ngram": sum(d.kind == "ngram" for d in findings.duplicates),
        "clusters": len(sizes),
        "by_source": dict(sorted(Counter(names[d.row] for d in findings.duplicates).items())),
        "largest": [
            {"kept_row": ids[row], "dropped": count}
            for row, count in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:LARGEST]
        ],
    }

"""Rows of a harness joined with the questions of a benchmark; the rest is named and counted.

Nothing is joined silently: other questions under ids of ours, questions that nobody asked, rows
that occur twice, other options and other right answers each become a finding.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.common.tables.imported import ImportFinding
from workflow_scripts.exchange.harness import Answered, Log
from workflow_scripts.exchange.matching import (
    How,
    Matcher,
    has_options,
    normal,
    shown_options,
    text_hash,
)

ERROR, WARNING, NOTE = "error", "warning", "note"  # as of findings of analysis
CHOICE = "choice"
LISTED = 3


@dataclass(frozen=True)
class Joined:
    """A row and the question that it answers.

    gold, options  by which the response is graded: of a choice in the order that was shown
    """

    question: Question
    sample: int
    row: Answered
    how: How
    gold: str
    options: tuple[str, ...] | None


@dataclass
class Findings:
    """What does not fit, by kind, as rows come by."""

    where: str
    rows: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, severity: str, message: str, place: str) -> None:
        """One more row of a kind."""
        self.rows[kind, severity, message].append(place)

    def listed(self) -> list[ImportFinding]:
        """One finding for each kind, with the places of its first rows."""
        return [
            ImportFinding(kind, severity, self.where, len(places), f"{message} ({_some(places)})")
            for (kind, severity, message), places in self.rows.items()
        ]


def _some(places: Sequence[str]) -> str:
    return ", ".join(places[:LISTED]) + (", ..." if len(places) > LISTED else "")


def joined(
    log: Log,
    questions: Sequence[Question],
    asked: Sequence[Question],
    draws: int,
    model: str,
) -> tuple[list[Joined], list[ImportFinding]]:
    """Rows of one benchmark by question and draw.

    questions  all of the benchmark; `asked` are those of the study
    draws      that the config says the files hold
    InputError where no row fits, and where a question has more responses than draws.
    """
    dataset = questions[0].dataset
    findings = Findings(f"{model}/{dataset}")
    for note in log.notes:
        findings.rows[note.kind, WARNING, note.message] += [""] * note.count
    matched = _matched(log.rows, questions, findings)
    if not matched:
        raise InputError(_nothing(log.rows, questions))
    names = {question.question_id for question in asked}
    kept: dict[str, list[tuple[Question, Answered, How]]] = defaultdict(list)
    for question, row, how in matched:
        if question.question_id in names:
            kept[question.question_id].append((question, row, how))
        else:
            said = "questions of the benchmark that this study does not ask: left out"
            findings.add("not-asked", NOTE, said, row.place)
    rows: list[Joined] = []
    for found in kept.values():
        rows += _graded(_numbered(found, draws, dataset, findings), findings)
    absent = [question.question_id for question in asked if question.question_id not in kept]
    for name in absent:
        said = "questions of the study that the files do not answer: compared without them"
        findings.add("unanswered", WARNING, said, name)
    told = [
        replace(found, message=found.message.replace(" ()", "").replace(" (, , , ...)", ""))
        for found in findings.listed()
    ]
    order = {question.question_id: place for place, question in enumerate(asked)}
    return sorted(rows, key=lambda row: (order[row.question.question_id], row.sample)), told


def _matched(
    rows: Sequence[Answered], questions: Sequence[Question], findings: Findings
) -> list[tuple[Question, Answered, How]]:
    matcher = Matcher(questions)
    ids = {question.question_id: question for question in questions}
    twins: dict[str, dict[str, int]] = defaultdict(dict)
    found: list[tuple[Question, Answered, How]] = []
    for row in rows:
        match = matcher.find(row)
        if match is None:
            _name_stranger(row, ids, findings)
            continue
        fitting = [one for one in match.questions if _options_fit(row, one)]
        if not fitting:
            said = "the question has other options than in the benchmark: left out"
            findings.add("other-options", ERROR, said, row.place)
            continue
        question = fitting[0]
        if len(fitting) > 1:  # asked twice by the benchmark: the harness's ids tell them apart
            known = twins[text_hash(question.question)]
            place = known.setdefault(row.own_id, len(known))
            if place >= len(fitting):
                said = "asked more often than the benchmark asks it: left out"
                findings.add("asked-too-often", ERROR, said, row.place)
                continue
            question = fitting[place]
        if row.own_id in ids and row.own_id != question.question_id and len(fitting) == 1:
            said = "carry the id of another question of ours; their text decides"
            findings.add("id-of-another", WARNING, said, row.place)
        found.append((question, row, match.how))
    return found


def _name_stranger(row: Answered, ids: dict[str, Question], findings: Findings) -> None:
    if row.own_id in ids:
        said = "another question under the id of one of ours: left out, never joined by id"
        findings.add("other-question", ERROR, said, f"id {row.own_id} at {row.place}")
    else:
        said = "no question of the benchmark has this text: left out"
        findings.add("unknown-question", WARNING, said, row.place)


def _options_fit(row: Answered, question: Question) -> bool:
    """Whether a row's options are the question's; true where the row says nothing of them."""
    if question.kind != CHOICE or not question.options or not has_options(row):
        return True
    return shown_options(row, question.options) is not None


def _numbered(
    found: list[tuple[Question, Answered, How]], draws: int, dataset: str, findings: Findings
) -> list[tuple[Question, int, Answered, How]]:
    """Draws of one question, numbered from 0; rows that are there twice are left out."""
    kept: list[tuple[Question, Answered, How]] = []
    taken: dict[int, Answered] = {}
    texts: set[str] = set()
    for question, row, how in found:
        earlier = taken.get(row.sample) if row.sample is not None else None
        if earlier is not None and earlier.response != row.response:
            raise InputError(
                f"{earlier.place} and {row.place} are both draw {row.sample} of the question "
                f"'{question.question_id}' and differ; take one of them out"
            )
        again = row.sample is None and len(found) > draws and row.response in texts
        if earlier is not None or again:
            said = "rows that are there twice, word for word: counted once"
            findings.add("duplicate-rows", WARNING, said, row.place)
            continue
        if row.sample is not None:
            taken[row.sample] = row
        texts.add(row.response)
        kept.append((question, row, how))
    if len(kept) > draws:
        one, _, _ = kept[0]
        raise InputError(
            f"{kept[0][1].place} and {kept[1][1].place} are {len(kept)} responses to the question "
            f"'{one.question_id}', and `imported.samples` says {draws} for {dataset}. If they are "
            f"draws, set `samples: {{{dataset}: {len(kept)}}}`; if not, name one file alone"
        )
    kept.sort(key=lambda item: -1 if item[1].sample is None else item[1].sample)
    return [(question, place, row, how) for place, (question, row, how) in enumerate(kept)]


def _graded(found: list[tuple[Question, int, Answered, How]], findings: Findings) -> list[Joined]:
    """The rows with what each is graded by; those without a key to their letters are left out."""
    rows = []
    for question, sample, row, how in found:
        gold, options = question.gold or "", None
        if question.kind == CHOICE and question.options:
            shown = shown_options(row, question.options)
            key = _key(question, row, shown)
            if key is None:
                said = "neither options nor the right letter: nobody can tell what a letter means"
                findings.add("options-unknown", ERROR, f"{said}; left out", row.place)
                continue
            gold, options = key, shown
            _compare_letters(question, row, shown, findings)
        rows.append(Joined(question, sample, row, how, gold, options))
    return rows


def _key(question: Question, row: Answered, shown: tuple[str, ...] | None) -> str | None:
    """The right letter in the order that was shown; of an unknown order the harness's own."""
    if shown is None:
        return letter(row.gold)
    right = normal(_right(question))
    return chr(65 + [normal(text) for text in shown].index(right))


def _right(question: Question) -> str:
    """Text of the right option."""
    assert question.options
    return question.options[ord((question.gold or "A")[0]) - 65]


def letter(gold: str | None) -> str | None:
    """A right answer as a letter: "B", "(B)", "B)"; None for anything else."""
    bare = (gold or "").strip().strip("().$ ")
    return bare if len(bare) == 1 and bare.isalpha() and bare.isupper() else None


def _compare_letters(
    question: Question, row: Answered, shown: tuple[str, ...] | None, findings: Findings
) -> None:
    """A finding where the harness holds another option for right."""
    theirs = letter(row.gold)
    if shown is None or row.gold is None:
        return
    place = ord(theirs) - 65 if theirs else -1
    text = shown[place] if 0 <= place < len(shown) else row.gold
    if normal(text) != normal(_right(question)):
        said = "the harness holds another answer for right; graded here by the benchmark's"
        findings.add("gold-differs", WARNING, said, f"{row.place}: {text:.40}")


def _nothing(rows: Sequence[Answered], questions: Sequence[Question]) -> str:
    theirs = next((text for row in rows for text in row.questions), "")
    return (
        f"{rows[0].place if rows else 'the files'}: none of {len(rows)} rows has the text of a "
        f"question of benchmark '{questions[0].dataset}'. The first of theirs: {theirs[:120]!r}; "
        f"the first of ours: {questions[0].question[:120]!r}. Name the files under their own "
        "benchmark, or correct the benchmark's `source`"
    )

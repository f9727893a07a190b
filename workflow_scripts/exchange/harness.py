"""What every harness's files hold, in one form: questions, responses and the harness's verdicts.

Each format has a module of its own with the records that it is read from (and written to); this one
has what all of them are read into.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

from workflow_scripts.common.errors import InputError

T = TypeVar("T")
REFUSE, ACCEPT = "refuse", "accept"  # files that end in the middle, runs that were stopped


@dataclass(frozen=True)
class Answered:
    """One response of a model to one question, as a harness wrote it down.

    place      file and row, for messages
    own_id     the harness's id of the question
    questions  texts that may be the bare question: fields of the harness's own row
    prompt     what the model was shown, the last turn of the user alone; None where nobody says
    response   what the model wrote, as text
    reasoning  its thinking, where the harness keeps that apart
    sample     number of the draw, from 0; None where the file does not number them
    gold       the right answer as the harness has it; None where it has none
    options    texts A, B, ... as they were shown; None where the files do not say
    metric     name of the harness's verdict
    score      that verdict as a number; None where it has none
    extracted  the answer that the harness read
    tokens     that the model wrote, thinking included
    reasoning_tokens  of them
    prompt_tokens     that it was shown
    cut        it was stopped at a limit
    """

    place: str
    own_id: str
    questions: tuple[str, ...]
    prompt: str | None
    response: str
    reasoning: str | None = None
    sample: int | None = None
    gold: str | None = None
    options: tuple[str, ...] | None = None
    metric: str = ""
    score: float | None = None
    extracted: str | None = None
    tokens: int | None = None
    reasoning_tokens: int | None = None
    prompt_tokens: int | None = None
    cut: bool = False

    @property
    def verdict(self) -> bool | None:
        """Whether the harness said right; None where it gave no verdict, or a part of one."""
        return None if self.score not in (0, 1) else bool(self.score)


@dataclass(frozen=True)
class Note:
    """Something in a file that a reader of the numbers has to know.

    kind     short name, as of a finding: "unfinished", "several-filters", ...
    count    rows concerned
    message  what was found and what was done about it
    """

    kind: str
    count: int
    message: str


@dataclass(frozen=True)
class Log:
    """What one or several files of one task hold.

    harness   and its version, "" where the files do not say
    model     as the files name it
    date      when it was run, as the files say it
    settings  what the files say on how the model was asked and drawn
    """

    harness: str
    version: str
    model: str
    date: str
    rows: tuple[Answered, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def taken(kind: type[T], value: Any, where: str, names: Mapping[str, str] | None = None) -> T:
    """The keys of a JSON object that a record has; others are of no use here.

    names  of fields that the file spells otherwise: ours -> theirs
    InputError names `where` and the keys that a file of this format must have.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{where} is no object, but {str(value)[:60]!r}")
    spelled = {item.name: (names or {}).get(item.name, item.name) for item in fields(kind)}  # pyright: ignore[reportArgumentType]
    needed = {
        item.name
        for item in fields(kind)  # pyright: ignore[reportArgumentType]
        if item.default is MISSING and item.default_factory is MISSING
    }
    lacking = [spelled[name] for name in spelled if name in needed and spelled[name] not in value]
    if lacking:
        raise InputError(
            f"{where} has no {', '.join(lacking)} (found: {', '.join(list(value)[:12])}): a file "
            "of another version or another format"
        )
    return kind(**{name: value[theirs] for name, theirs in spelled.items() if theirs in value})


def number(value: Any) -> float | None:
    """A verdict as a number: booleans, numbers, and the letters of inspect."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return float(value)
    return None


def whole(value: Any) -> int | None:
    """A count of tokens; None for anything else."""
    right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if right else None


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, outermost first."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)

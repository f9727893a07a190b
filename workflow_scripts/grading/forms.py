"""What an answer can be: the typed forms that two answers are compared as."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scalar:
    """One number or expression: LaTeX without its unit and its percent sign.

    `odd` marks a unit that is no listed one: it needs the same words on the other side.
    """

    latex: str
    unit: str = ""
    percent: bool = False
    odd: bool = False


@dataclass(frozen=True)
class Words:
    """A text answer, case-folded, single spaces."""

    text: str


@dataclass(frozen=True)
class Group:
    """Entries in brackets: `open` is "(", "[", "{" (a set) or "" (a bare list)."""

    open: str
    items: tuple["Form", ...]
    close: str

    @property
    def interval(self) -> bool:
        """Whether the brackets and the two ends can be read as an interval."""
        return len(self.items) == 2 and self.open in ("(", "[") and self.close in (")", "]")

    @property
    def only_interval(self) -> bool:
        """An interval that cannot be a point: half-open, or with an infinite end."""
        infinite = any("\\infty" in i.latex for i in self.items if isinstance(i, Scalar))
        return self.interval and (self.open + self.close in ("(]", "[)") or infinite)


@dataclass(frozen=True)
class Union:
    """Sets joined by `\\cup`."""

    parts: tuple["Form", ...]


@dataclass(frozen=True)
class Matrix:
    """Entries row by row."""

    rows: tuple[tuple["Form", ...], ...]


@dataclass(frozen=True)
class Relation:
    """A chain `terms[0] signs[0] terms[1] ...`; signs are =, <, >, <=, >=, != and ~ (about)."""

    terms: tuple[str, ...]
    signs: tuple[str, ...]

    @property
    def equation(self) -> bool:
        """Whether every sign is `=` or "about"."""
        return set(self.signs) <= {"=", "~"}


@dataclass(frozen=True)
class Base:
    """Digits with a base subscript."""

    digits: str
    base: int


@dataclass(frozen=True)
class Ratio:
    """`a : b : c`; a time is a ratio with a meridiem or with two-digit minutes."""

    items: tuple["Form", ...]
    time: bool = False
    meridiem: str = ""


Form = Scalar | Words | Group | Union | Matrix | Relation | Base | Ratio

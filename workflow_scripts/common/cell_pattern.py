"""Cells by name in a config and on a command line: `[MODEL/]BENCHMARK METHOD[@BUDGET]`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.methods import INFINITE

FORM = "[MODEL/]BENCHMARK METHOD[@BUDGET]"
_PART = r"[\w.*?+-]+"
CELL = (
    rf"(?:(?P<model>{_PART})/)?(?P<dataset>{_PART})\s+"
    rf"(?P<method>{_PART})(?:@(?P<budget>{_PART}))?"
)


@dataclass(frozen=True)
class CellPattern:
    """Cells that a text names; in each part `*` and `?` stand for any characters.

    Without a model it is every model, without a budget the unbounded one.
    """

    model: str
    dataset: str
    method: str
    budget: str

    @classmethod
    def read(cls, text: str, where: str) -> "CellPattern":
        """The pattern of a text; UserError names `where` it stands and the form."""
        found = re.fullmatch(CELL, text.strip())
        if not found:
            raise UserError(
                f"{where}: {text!r} names no cell; write {FORM}, such as "
                "`math500 truncation@4000` or `s1k/aime24 natural`"
            )
        return cls.of(found)

    @classmethod
    def of(cls, found: re.Match[str]) -> "CellPattern":
        """The pattern of a match of CELL."""
        parts = found.groupdict()
        return cls(
            parts["model"] or "*", parts["dataset"], parts["method"], parts["budget"] or INFINITE
        )

    def fits(self, model: str, dataset: str, method: str, budget: str) -> bool:
        """Whether a cell is one of those that are named."""
        pairs = zip(
            (model, dataset, method, budget),
            (self.model, self.dataset, self.method, self.budget),
            strict=True,
        )
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)

    def among(self, cells: Iterable[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
        """Those of some cells (model, dataset, method, budget) that are named."""
        return [cell for cell in cells if self.fits(*cell)]

    def __str__(self) -> str:
        model = "" if self.model == "*" else f"{self.model}/"
        budget = "" if self.budget == INFINITE else f"@{self.budget}"
        return f"{model}{self.dataset} {self.method}{budget}"

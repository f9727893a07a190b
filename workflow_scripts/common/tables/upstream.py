"""What was spent on a pool before this study, as rule count_upstream writes it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.records import read_record

TEACHER, SOLVER, GRADER = KINDS = ("teacher", "solver", "grader")


@dataclass(frozen=True)
class UpstreamWork:
    """One kind of work on the rows of a pool, in tokens of the study's tokenizer.

    kind           one of KINDS
    name           of the label that a solver or grader made; "" for the teacher
    rows           that it was done for
    read, written  tokens; of a solver those written are assumed, of a grader none are counted
    """

    kind: str
    name: str
    rows: int
    read: int
    written: int


@dataclass(frozen=True)
class Upstream:
    """All work on a pool.

    rows       of the pool
    tokenizer  that counted
    """

    rows: int
    tokenizer: str
    work: list[UpstreamWork]

    def to_json(self) -> dict[str, Any]:
        """The object of the file."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "Upstream":
        """The file of rule count_upstream. InputError names one of another version."""
        return read_record(path, cls)

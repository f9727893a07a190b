"""What a method reads from chains."""

from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.cells import INFINITE, Cell


@dataclass(frozen=True)
class Arm:
    """One chain and where to cut it.

    suffix       text appended to the question, behind a blank line; "" for the bare question
    phrase       continuation phrase
    n            continuations
    budget       cap on thinking ids; None is "infinite"
    temperature  0 is greedy
    sample       number of the draw; always 0 when greedy
    """

    suffix: str = ""
    phrase: str = ""
    n: int = 0
    budget: int | None = None
    temperature: float = 0.0
    sample: int = 0


@dataclass(frozen=True)
class Reading:
    """One row of a cell: the first arm that ended by itself, or the last arm.

    With one arm that is simply the arm. `sample` is the row's number within its question.
    """

    arms: tuple[Arm, ...]
    sample: int = 0


def cap(cell: Cell) -> int | None:
    """A cell's budget as a number; None for "infinite"."""
    return None if cell.budget == INFINITE else int(cell.budget)


def temperature(inference: dict[str, Any]) -> float:
    """The study's sampling temperature."""
    return float(inference.get("temperature", 0.0))

"""Truncation: thinking is cut at the budget and an answer is forced (s1, section 3.1)."""

from typing import Any

from workflow_scripts.common.cells import Cell
from workflow_scripts.inference.methods.arm import Arm, Reading, cap, temperature


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """The first B ids of the natural trace."""
    return [Reading((Arm(budget=cap(cell), temperature=temperature(inference)),))]

"""Rejection sampling to a length: draw until a trace ends within the budget (s1, section 3.2).

Bounded: at most `samples` draws. A row whose draws all overran holds the last one, cut and forced;
its end is then not "natural", which is how the unfilled share is counted. Draws are shared by all
budgets, since draw s at a small cap is a prefix of draw s at a large one.
"""

from typing import Any

from workflow_scripts.common.cells import Cell
from workflow_scripts.inference.methods.arm import Arm, Reading, cap


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """The first of `samples` draws that ends by itself within the budget."""
    method = cell.method
    arms = (
        Arm(budget=cap(cell), temperature=method.temperature, sample=s)
        for s in range(method.samples)
    )
    return [Reading(tuple(arms))]

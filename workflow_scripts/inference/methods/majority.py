"""Majority voting: k independent traces per question, counted by the analysis (s1, section 5).

Every row is one draw; maj@k for smaller k is computed from the same pool.
"""

from typing import Any

from workflow_scripts.common.cells import Cell
from workflow_scripts.inference.methods.arm import Arm, Reading, cap


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """`samples` draws of natural thinking, one row each."""
    method = cell.method
    return [
        Reading((Arm(budget=cap(cell), temperature=method.temperature, sample=s),), s)
        for s in range(method.samples)
    ]

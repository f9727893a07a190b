"""Budget forcing: the end of thinking is replaced by a phrase such as "Wait", n times (s1, 3.1).

All rounds share one budget, the delimiter is stripped, and the first token after the phrase may not
be an end token.
"""

from typing import Any

from workflow_scripts.common.cells import Cell
from workflow_scripts.inference.methods.arm import Arm, Reading, cap, temperature


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """The first B ids of the chain with at most n continuations."""
    method = cell.method
    arm = Arm("", method.phrase, method.n, cap(cell), temperature(inference))
    return [Reading((arm,))]

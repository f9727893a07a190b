"""Natural thinking: up to the model's own end token, or the context."""

from typing import Any

from workflow_scripts.common.cells import Cell
from workflow_scripts.inference.methods.arm import Arm, Reading, temperature


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """The whole natural trace."""
    return [Reading((Arm(temperature=temperature(inference)),))]

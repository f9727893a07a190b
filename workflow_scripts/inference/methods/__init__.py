"""Methods of test-time scaling: each one file, each a function from a cell to what is read.

To add one: a file here with `readings`, a line in READERS, and its name in common/cells.py.
"""

from collections.abc import Callable
from typing import Any

from workflow_scripts.common.cells import Cell
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.inference.methods import (
    class_conditional,
    force,
    majority,
    natural,
    rejection,
    step_conditional,
    token_conditional,
    truncation,
)
from workflow_scripts.inference.methods.arm import Reading

READERS: dict[str, Callable[[Cell, dict[str, Any]], list[Reading]]] = {
    "natural": natural.readings,
    "truncation": truncation.readings,
    "force": force.readings,
    "class-short": class_conditional.readings,
    "class-long": class_conditional.readings,
    "token-conditional": token_conditional.readings,
    "step-conditional": step_conditional.readings,
    "rejection": rejection.readings,
    "majority": majority.readings,
}


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """What a cell reads per question: one entry per row. ConfigError for an unknown method."""
    try:
        reader = READERS[cell.method.kind]
    except KeyError:
        known = ", ".join(READERS)
        raise ConfigError(
            f"inference.methods: unknown method {cell.method.kind!r} (known: {known})"
        ) from None
    return reader(cell, inference)

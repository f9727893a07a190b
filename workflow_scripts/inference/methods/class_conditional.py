"""Class-conditional control: the prompt asks for short or long thinking (s1, section 3.2)."""

from typing import Any

from workflow_scripts.common.cells import Cell
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.inference.methods.arm import Arm, Reading, cap, temperature


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """Natural thinking after the question with the class prompt."""
    name = cell.method.kind.removeprefix("class-")
    try:
        suffix = inference["class_prompts"][name]
    except KeyError:
        raise ConfigError(
            f"inference.class_prompts.{name} is missing; {cell.method.kind} needs its text"
        ) from None
    return [Reading((Arm(suffix, budget=cap(cell), temperature=temperature(inference)),))]

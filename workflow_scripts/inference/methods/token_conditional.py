"""Token-conditional control: the prompt states the budget in tokens (s1, section 3.2).

The cell's budget is the number in the prompt. With `forced`, thinking is cut there too (the
published "token-conditional + budget forcing"); without, only the context ends it.
"""

from typing import Any

from workflow_scripts.common.cells import INFINITE, Cell
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.inference.methods.arm import Arm, Reading, cap, temperature

PROMPT = "Think for up to {n} tokens."


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """Thinking after a prompt that states the cell's budget."""
    if cell.budget == INFINITE:
        raise ConfigError(
            "inference.methods: token-conditional needs `budgets` that are numbers, since the "
            "prompt states them"
        )
    suffix = inference.get("token_prompt", PROMPT).format(n=cell.budget)
    budget = cap(cell) if cell.method.forced else None
    return [Reading((Arm(suffix, budget=budget, temperature=temperature(inference)),))]

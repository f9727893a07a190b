"""Step-conditional control: the prompt states the budget in steps (s1, section 3.2).

The paper counts a step as 100 tokens; the cell's budget is in tokens, the prompt says budget / 100.
With `forced`, thinking is cut at the budget too.
"""

from typing import Any

from workflow_scripts.common.cells import INFINITE, Cell
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.inference.methods.arm import Arm, Reading, cap, temperature

PROMPT = "Think for up to {n} steps."
TOKENS_PER_STEP = 100


def readings(cell: Cell, inference: dict[str, Any]) -> list[Reading]:
    """Thinking after a prompt that states the cell's budget in steps."""
    if cell.budget == INFINITE or int(cell.budget) % TOKENS_PER_STEP:
        raise ConfigError(
            f"inference.methods: step-conditional budget {cell.budget} is no multiple of "
            f"{TOKENS_PER_STEP} tokens, which is what a step counts as"
        )
    steps = int(cell.budget) // TOKENS_PER_STEP
    suffix = inference.get("step_prompt", PROMPT).format(n=steps)
    budget = cap(cell) if cell.method.forced else None
    return [Reading((Arm(suffix, budget=budget, temperature=temperature(inference)),))]

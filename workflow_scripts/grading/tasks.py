"""The two things a worker does: find an answer in a text, and compare an answer with a gold."""

from typing import Any

from workflow_scripts.grading.compare import same_answer
from workflow_scripts.grading.extract import Extraction
from workflow_scripts.grading.grader import Question, compare, find
from workflow_scripts.grading.outcome import Outcome

# One expression per path of the grammar: the first use of a path costs up to 150 ms.
_WARM_UP = (
    (r"2\sin x\cos x+\ln(y)", r"\sin(2x)+\log_{2} y"),
    (r"n!+|x|", r"|x|+n!"),
)


def question(task: dict[str, Any]) -> Question:
    """The question of a task."""
    options = task.get("options")
    return Question(task["gold"], task["kind"], tuple(options) if options else None)


def run(task: dict[str, Any]) -> Extraction | Outcome:
    """Carry out one task: {"op": "find" | "compare", "gold", "kind", "options", ...}."""
    if task["op"] == "find":
        return find(task["text"], question(task), task["last_number"])
    return compare(question(task), Extraction(task["text"], task["rule"], last=task["last"]))


def warm_up() -> None:
    """Load the parser's caches, so that the first comparisons are as fast as the rest."""
    for gold, candidate in _WARM_UP:
        same_answer(gold, candidate)

"""Which column of a source holds what: an alias table, overrides, and errors that list both."""

from collections.abc import Iterable, Sequence
from typing import Any

from workflow_scripts.common.errors import ConfigError, InputError

# First match wins. The spellings are those of the s1 releases (full59K, featurized in both
# spellings, s1K, s1K-1.1), of the (prompt, reasoning, attempt, ground truth) form, and our own.
POOL_ALIASES: dict[str, tuple[str, ...]] = {
    "question": ("question", "prompt", "problem", "Problem", "Question"),
    "trace": (
        "thinking_trajectories",
        "thinking_trajectory",
        "gemini_thinking_trajectory",
        "trace",
        "reasoning",
        "reasoning_trace",
        "thinking",
    ),
    "attempt": ("attempt", "gemini_attempt", "answer_attempt", "answer", "response"),
    "solution": ("solution", "ground_truth_solution", "ground_truth", "gold"),
    "source": ("source_type", "source", "dataset"),
    "domain": ("domain", "msc_domain", "category"),
    "qwen7b_correct": ("isqwen7bcorrect", "qwen7b_correct", "is_qwen7b_correct"),
    "qwen32b_correct": ("isqwen32bcorrect", "qwen32b_correct", "is_qwen32b_correct"),
    "teacher_correct": (
        "isgeminicorrect",
        "isgenminicorrect",
        "gemini_grade",
        "teacher_correct",
        "is_gemini_correct",
    ),
    "trace_tokens": ("gemini_length", "genmini_length", "trace_tokens"),
    "metadata": ("metadata",),
}
POOL_REQUIRED = ("question", "trace", "attempt")

BENCHMARK_ALIASES: dict[str, tuple[str, ...]] = {
    "question": ("problem", "question", "Problem", "Question", "prompt"),
    "gold": ("answer", "gold", "Answer", "final_answer", "ground_truth"),
    "question_id": ("unique_id", "question_id", "id", "ID", "Record ID", "record_id"),
    "category": ("subject", "category", "High-level domain", "domain", "level"),
}
CHOICE_ALIASES: dict[str, tuple[str, ...]] = {
    "question": ("Question", "question", "problem", "Problem", "prompt"),
    "correct": ("Correct Answer", "correct_answer", "correct"),
    "incorrect_1": ("Incorrect Answer 1", "incorrect_answer_1", "incorrect_1"),
    "incorrect_2": ("Incorrect Answer 2", "incorrect_answer_2", "incorrect_2"),
    "incorrect_3": ("Incorrect Answer 3", "incorrect_answer_3", "incorrect_3"),
    "question_id": ("Record ID", "record_id", "question_id", "unique_id", "id", "ID"),
    "category": ("High-level domain", "Subdomain", "category", "subject", "domain"),
}


def resolve_columns(
    found: Sequence[str],
    aliases: dict[str, tuple[str, ...]],
    required: Iterable[str],
    overrides: dict[str, str],
    where: str,
) -> dict[str, str]:
    """Our column name -> the source's, for every one that the source has.

    `overrides` is the config's `columns:`. Raises ConfigError for an override that does not fit,
    InputError listing what was found and how to map it when a required column is missing.
    """
    unknown = sorted(set(overrides) - set(aliases))
    if unknown:
        raise ConfigError(
            f"{where}: `columns` maps {', '.join(unknown)}; known names: {', '.join(aliases)}"
        )
    absent = sorted(name for name in overrides.values() if name not in found)
    if absent:
        raise ConfigError(
            f"{where}: `columns` names {', '.join(absent)}, but the source has {', '.join(found)}"
        )
    mapping = {
        name: overrides.get(name) or next((alias for alias in names if alias in found), "")
        for name, names in aliases.items()
    }
    missing = [name for name in required if not mapping[name]]
    if missing:
        raise InputError(
            f"{where}: no column for {', '.join(missing)}. The source has: {', '.join(found)}. "
            f"Map it in the config, e.g. `columns: {{{missing[0]}: {next(iter(found), '?')}}}`"
            f" (tried: {', '.join(aliases[missing[0]])})"
        )
    return {name: column for name, column in mapping.items() if column}


def is_null(value: Any) -> bool:
    """None, NaN, or a blank text."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and value != value)

"""What a pool lacks altogether, and the settings that go without it, in one message."""

from collections.abc import Mapping

FIXES = {
    "teacher_correct": "curation.quality.require_teacher_correct: false",
    "solution": "curation.quality.require_solution: false",
    "qwen7b_correct": "curation.difficulty.drop_if_correct without it, or "
    "curation.relabel.difficulty: true",
    "qwen32b_correct": "curation.difficulty.drop_if_correct without it, or "
    "curation.relabel.difficulty: true",
    "domain": "curation.relabel.domains: unlabelled, or sets that need none: random, longest, limo",
}


def missing_labels(nulls: Mapping[str, int], rows: int) -> str:
    """All labels that no row has, each with what to set; "" if every label is there.

    `nulls` counts the null values by column.
    """
    lacking = [name for name in FIXES if rows and nulls.get(name, 0) == rows]
    if not lacking:
        return ""
    listed = "; ".join(f"{name} (set {FIXES[name]})" for name in lacking)
    return (
        f"no row of the pool has: {listed}. Or map the columns that hold them with "
        f"`pool.columns: {{{lacking[0]}: ...}}`"
    )

"""The quality filter: every row of the pool gets one decision, with all reasons that hold."""

from collections.abc import Iterable
from typing import Any

from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.common.provenance import canonical_json
from workflow_scripts.common.tables.pool import Decision, PoolRow
from workflow_scripts.curation.quality_rules import STRICT, Evidence, Rule
from workflow_scripts.curation.quality_s1 import S1

RULE_SETS: dict[str, tuple[Rule, ...]] = {"strict": STRICT, "s1": S1}


def teacher_wrong(row: PoolRow) -> Evidence | None:
    """The teacher's answer is labelled wrong."""
    return {"label": False} if row.teacher_correct is False else None


def teacher_unlabelled(row: PoolRow) -> Evidence | None:
    """Nobody said whether the teacher's answer is right; null is not False, and not True."""
    return {"label": None} if row.teacher_correct is None else None


TEACHER = (Rule("teacher-wrong", teacher_wrong), Rule("teacher-unlabelled", teacher_unlabelled))


def quality_rules(settings: dict[str, Any]) -> tuple[Rule, ...]:
    """The rules that the config asks for, in the order in which they claim a row."""
    name = settings.get("rules", "strict")
    if name not in RULE_SETS:
        raise ConfigError(f"curation.quality.rules: {name!r}; use {' or '.join(RULE_SETS)}")
    return RULE_SETS[name] + (TEACHER if settings.get("require_teacher_correct", True) else ())


def decide(row: PoolRow, rules: Iterable[Rule]) -> Decision:
    """First rule that the row breaks, with its evidence and the names of the others."""
    broken = [(rule.name, evidence) for rule in rules if (evidence := rule.check(row)) is not None]
    if not broken:
        return Decision(row.row_id, True, "kept")
    name, evidence = broken[0]
    also = [other for other, _ in broken[1:]]
    return Decision(row.row_id, False, name, canonical_json({**evidence, "also": also}))


def require_labels(labelled: int, rows: int) -> None:
    """InputError when the teacher's correctness is required and no row says anything about it."""
    if rows and not labelled:
        raise InputError(
            "no row of the pool says whether its teacher is correct, and "
            "curation.quality.require_teacher_correct is true: map the label's column with "
            "`pool.columns: {teacher_correct: ...}`, or set require_teacher_correct: false"
        )

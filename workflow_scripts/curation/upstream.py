"""What was spent on a pool before it was downloaded: tokens of teacher, solvers and graders.

The teacher's tokens are counted in its texts. A pool holds no texts of solvers and graders, only
what they said: a solver is counted as if it had answered at the length of the teacher's answer
without its trace; a grader read question, solution and answer, and its few words are left out.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.common.job import log
from workflow_scripts.common.settings.curation import Checkpoint
from workflow_scripts.common.tables.upstream import GRADER, SOLVER, TEACHER, Upstream, UpstreamWork
from workflow_scripts.curation.lengths import Count, Differs, checked_counter, reference_counter
from workflow_scripts.curation.pool import stream_columns

TEXTS = ("question", "trace", "attempt", "solution")
VERDICT = "teacher_correct"
Row = dict[str, Any]
Job = tuple[str, str]  # kind and name of a piece of work


def upstream_work(pool: Path, tokenizer: Checkpoint) -> Upstream:
    """Tokens of all rows of a pool, by what they were spent on."""
    try:
        return _counted(pool, tokenizer, checked_counter(tokenizer))
    except Differs:
        log.info("token counts: fastokens differs from the reference; counting again without it")
        return _counted(pool, tokenizer, reference_counter(tokenizer))


def _counted(pool: Path, tokenizer: Checkpoint, count: Count) -> Upstream:
    sums: dict[Job, list[int]] = defaultdict(lambda: [0, 0, 0])
    rows = 0
    for batch in stream_columns(pool, [*TEXTS, "labels", VERDICT]):
        rows += len(batch)
        for row, tokens in zip(batch, _tokens(batch, count), strict=True):
            for job, read, written in _spent(row, tokens):
                own = sums[job]
                sums[job] = [own[0] + 1, own[1] + read, own[2] + written]
    work = [UpstreamWork(*job, *own) for job, own in sums.items()]
    order = {kind: place for place, kind in enumerate((TEACHER, SOLVER, GRADER))}
    work.sort(key=lambda one: (order[one.kind], one.name))
    return Upstream(rows, tokenizer.path, work)


def _tokens(batch: Sequence[Row], count: Count) -> Iterator[dict[str, int]]:
    """Tokens of each row's texts."""
    columns = [count([row[name] or "" for row in batch]) for name in TEXTS]
    for numbers in zip(*columns, strict=True):
        yield dict(zip(TEXTS, numbers, strict=True))


def _spent(row: Row, tokens: dict[str, int]) -> Iterator[tuple[Job, int, int]]:
    """What was done for a row: the job, tokens read and tokens written."""
    asked, answer = tokens["question"], tokens["attempt"]
    compared = asked + tokens["solution"] + answer
    if row["trace"]:
        yield (TEACHER, ""), asked, tokens["trace"] + answer
    if row[VERDICT] is not None:
        yield (GRADER, VERDICT), compared, 0
    for name, label in json.loads(row["labels"]).items():
        if label is not None:
            yield (SOLVER, name), asked, answer
            yield (GRADER, name), compared, 0

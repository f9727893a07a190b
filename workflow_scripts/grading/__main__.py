"""Grade answers from the command line, without the workflow.

Input rows (JSONL or parquet, by suffix) have `gold` and `prediction`, optionally `id`, `kind`
(math, integer, choice, number or text; by default chosen by the gold's form), `options` (the option
texts of a multiple-choice question) and `tolerance` (of numbers). A prediction is a bare answer or
a whole response; of a response with thinking only the part after the thinking counts. Output rows
are the input rows, in order, plus `verdict`, `extracted`, `rule`, `flags` and `seconds`. Model text
is never executed.
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.grading.batch import Limits, Verdict, grade_all
from workflow_scripts.grading.rows import ADDED, Item, item, read_rows, repeated_ids, write_rows

HELP = __doc__


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the grader."""
    parser.add_argument("input", type=Path, help="rows to grade (.jsonl or .parquet)")
    parser.add_argument("output", type=Path, help="graded rows (.jsonl or .parquet)")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds per answer, hard (5)")
    parser.add_argument("--memory-mb", type=int, default=2048, help="per worker, hard (2048)")
    parser.add_argument("--threads", type=int, default=min(4, os.cpu_count() or 1), help="workers")
    parser.add_argument(
        "--last-number",
        action="store_true",
        help="take the last number of the text where nothing else is found (flagged)",
    )


def grade_file(source: Path, target: Path, limits: Limits) -> Counter[str]:
    """Grade a file of rows into another; returns counts for the summary line."""
    if target.suffix not in (".jsonl", ".json", ".ndjson", ".parquet"):
        raise InputError(f"{target}: name an output that ends in .jsonl or .parquet")
    rows = read_rows(source)
    repeated = repeated_ids(rows)
    items = [item(row, ("duplicate-id",) if i in repeated else ()) for i, row in enumerate(rows)]
    verdicts = grade_all([i.question for i in items], [i.text for i in items], limits, "grade")
    graded = [_row(*each) for each in zip(rows, items, verdicts, strict=True)]
    written = write_rows(target, graded)
    return _counts(items, verdicts) + written


def _row(row: dict[str, Any], entry: Item, verdict: Verdict) -> dict[str, Any]:
    found = {name: getattr(verdict, name) for name in ADDED}
    found["flags"] = sorted({*verdict.flags, *entry.flags})
    if entry.reason:
        found |= {"verdict": False, "extracted": None, "rule": entry.reason}
    return {**row, **found}


def _counts(items: list[Item], verdicts: list[Verdict]) -> Counter[str]:
    counts = Counter(rows=len(items), correct=sum(v.verdict for v in verdicts))
    counts["no_answer"] = sum(v.no_answer for v in verdicts)
    for entry in items:
        counts.update([entry.reason] if entry.reason else [], **dict.fromkeys(entry.flags, 1))
    counts.update(v.rule for v in verdicts if v.rule in ("timeout", "memory", "killed"))
    return counts


def run(options: argparse.Namespace) -> int:
    """Grade INPUT into OUTPUT; counts go to stderr; bad input is one message and status 1.

    Ctrl-C ends in one line, too, with status 130; the output is written whole or not at all.
    """
    limits = Limits(options.timeout, options.memory_mb, options.last_number, options.threads)
    try:
        counts = grade_file(options.input, options.output, limits)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"error: interrupted; {options.output} was not written", file=sys.stderr)
        return 130
    print(", ".join(f"{name} {count}" for name, count in counts.items()), file=sys.stderr)
    return 0


def main() -> None:
    """Command line of the grader alone; `s1flow grade` is the same."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.grading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments(parser)
    sys.exit(run(parser.parse_args()))


if __name__ == "__main__":
    main()

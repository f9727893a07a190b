"""Random edits of LaTeX answers, graded through the pool: no crash, no hang, a verdict for each.

    python -m benchmarks.grading_fuzz [--minutes 60] [--seed 42] [--threads 2] [--fixtures FILE]

Starts from the labelled pairs of the tests (or any file of {"gold", "prediction"} lines), and
deletes, repeats, swaps and inserts pieces: commands, brackets, digits, Unicode, control characters,
phrases. Checked for every batch: each answer has exactly one verdict with a rule; a verdict "equal"
survives being asked twice; no task took longer than its deadline. Exits 1 at the first violation,
with the answer that caused it.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

from workflow_scripts.grading.batch import Limits, Verdict, grade_all
from workflow_scripts.grading.grader import Question, default_kind

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "grading" / "pairs.jsonl"
PIECES = (
    "\\frac", "\\frac{", "}{", "{", "}", "\\sqrt", "\\boxed{", "\\left(", "\\right)", "(", ")", "[",
    "]", "^", "_", "^{", "!", "!!", "%", "$", "$$", "\\(", "\\)", "\\text{", "\\pm", "\\cup",
    "\\infty", "=", "<", "\\le", ",", ";", ":", ".", "..", "\\\\", "&", "\\begin{pmatrix}",
    "\\end{pmatrix}", "\\begin{cases}", "\\sin", "\\log_", "\\sum_{n=1}^{9}", "\\int_0^1", "dx",
    "\\binom", "9^9^9", "10^{10^{10}}", "1e999", "e", "i", "d", "E", "I", "x", "\u202e", "\u200b",
    "\x00", "−", "½", "²", "√", "π", "°", "Answer:", "The answer is", "<think>", "</think>", "or",
    "and", " ", "\n", "-", "+", "/", "*", "**", "\\cdot", "|", "'", "\\overline{", "0.", "000",
    ",000", "\\,", "\\!", "\\%", "\\$", "_{10}", "_8", "cm", "\\circ", "__", "\\input", "A", "(B)",
)  # fmt: skip


def mutated(rng: random.Random, text: str) -> str:
    """One to six random edits."""
    for _ in range(rng.randint(1, 6)):
        at, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        kind = rng.randrange(6)
        if kind == 0:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        elif kind == 1:
            text = text[:at] + text[min(end, at + 4) :]
        elif kind == 2:
            text = text[:at] + text[at:end] * rng.randint(2, 4) + text[end:]
        elif kind == 3:
            text = text[at:end] + text[:at] + text[end:]
        elif kind == 4:
            text = text[:at] + rng.choice(PIECES) * rng.randint(1, 30) + text[end:]
        else:
            text = text[:at] + "".join(rng.choices(PIECES, k=rng.randint(1, 5))) + text[at:]
    return text[:20_000]


def batch(rng: random.Random, pairs: list[dict], size: int) -> list[tuple[str, str]]:
    """(gold, candidate) pairs; now and then the gold is broken, too."""
    found = []
    for pair in rng.choices(pairs, k=size):
        gold = mutated(rng, pair["gold"]) if rng.random() < 0.1 else pair["gold"]
        found.append((gold, mutated(rng, pair["prediction"])))
    return found


def check(pairs: list[tuple[str, str]], verdicts: list[Verdict], limits: Limits) -> str | None:
    """What is wrong with a batch of verdicts, or None."""
    if len(verdicts) != len(pairs):
        return f"{len(pairs)} answers, {len(verdicts)} verdicts"
    for pair, verdict in zip(pairs, verdicts, strict=True):
        if not verdict.rule or (verdict.flags and not verdict.verdict):
            return f"{pair!r}: {verdict}"
        if verdict.seconds > 2 * (limits.timeout + 2):
            return f"{pair!r}: {verdict.seconds:.1f} s"
    return None


def main() -> None:
    """Fuzz for the given time; print counts by rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fixtures", type=Path, default=FIXTURES)
    args = parser.parse_args()
    fixtures = [json.loads(line) for line in args.fixtures.open()]
    rng, limits = random.Random(args.seed), Limits(timeout=3.0, threads=args.threads)
    end = time.monotonic() + 60 * args.minutes
    rules: Counter[str] = Counter()
    while time.monotonic() < end:
        pairs = batch(rng, fixtures, 2000)
        questions = [Question(gold, default_kind(gold)) for gold, _ in pairs]
        verdicts = grade_all(questions, [text for _, text in pairs], limits)
        fault = check(pairs, verdicts, limits)
        if fault:
            print(f"seed {args.seed}: {fault}")
            sys.exit(1)
        rules.update(verdict.rule for verdict in verdicts)
        print(f"{sum(rules.values())} answers, {dict(rules.most_common(30))}", flush=True)


if __name__ == "__main__":
    main()

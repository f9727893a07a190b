"""A pool of about 10,000 real questions, from the shared data folder where that exists.

The files lack some of what a pool needs. Missing traces and all labels are synthetic, drawn by
seed, and marked as such in `metadata`.
"""

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no shared data folder")
DOMAINS = ("Geometry", "Number theory", "Combinatorics", "Real functions", "Probability", "Algebra")


def read_jsonl(name: str) -> list[dict[str, Any]]:
    """Rows of a JSONL file of the data folder."""
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def read_aime() -> list[dict[str, str]]:
    """All AIME problems 1983-2024 in the file."""
    with (DATA / "aime_1983_2024.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def real_pool(seed: int = 42) -> list[dict[str, Any]]:
    """MATH train, AIME, s1K questions, in the featurized spelling, with R1 traces where known."""
    traces = {
        row["prompt"].split("User: ", 1)[1].rsplit("\nAssistant:", 1)[0]: row["response"]
        for row in read_jsonl("math_r1_traces_1767.jsonl")
    }
    rng = random.Random(seed)
    rows = []
    for item in read_jsonl("math_train_7500.jsonl"):
        source = f"qfq/openaimath/{item['subject']}"
        rows.append(_row(rng, item["problem"], item["answer"], source, traces.get(item["problem"])))
    for item in read_aime():
        rows.append(_row(rng, item["problem"], item["answer"], "qq8933/AIME_1983_2024", None))
        rows[-1]["metadata"] = str({"id": item["id"], "synthetic": rows[-1]["metadata"]})
    for item in json.loads((DATA / "s1k_questions_1000.json").read_text()):
        rows.append(_row(rng, item["problem"], item["solution"], "simplescaling/s1K", None))
    return rows


def _row(
    rng: random.Random, question: str, solution: str, source: str, response: str | None
) -> dict[str, Any]:
    synthetic = ["labels", "domain"]
    if response is None:
        synthetic.append("trace")
        words = question.split()
        trace = "Let me think. " + " ".join(rng.choices(words, k=rng.randrange(50, 400)))
        attempt = f"Final Answer: {solution}"
    else:
        trace, _, attempt = response.partition("</think>")
    return {
        "question": question,
        "thinking_trajectories": [trace],
        "attempt": attempt or "Final Answer: (none)",
        "solution": solution or "(none)",
        "source_type": source,
        "metadata": str({"synthetic": synthetic}),
        "domain": rng.choice(DOMAINS),
        "isqwen7bcorrect": rng.random() < 0.4,
        "isqwen32bcorrect": rng.random() < 0.5,
        "isgeminicorrect": rng.random() < 0.9,
        "gemini_length": len(trace.split()),
        "cot_type": "math",
    }


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path

"""CPU seconds and peak memory of every rule of the curation, each in a process of its own.

`python -m benchmarks.curation_rules --tokenizer FOLDER [--rows 59000] [--characters 11000]
[--root CHECKOUT]`

The pool is synthetic: questions as in `curation_decontaminate`, traces cut from words with LIMO's
among them, 61 domains, labels by seed. --root measures another checkout with the same files.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.curation_decontaminate import Writer

SELECTION = {"size": 1000, "length_bias": 0.5, "benchmark_phase": 0, "pins": {"sources": ["AIME"]}}
PLAIN = "Let me check this again, since perhaps the sum of the terms is even. Therefore we have "


def write_files(folder: Path, rows: int, characters: int) -> None:
    """pool.jsonl and three benchmarks of 560 questions."""
    rng, writer = random.Random(7), Writer(7)
    long = " ".join(
        rng.choice((PLAIN, " ".join(writer.text(12)))) + str(rng.randrange(999))
        for _ in range(4 * characters // 60)
    )
    for name, count in (("a", 500), ("b", 30), ("c", 30)):
        lines = [
            {"problem": writer.question(), "answer": str(i), "id": str(i)} for i in range(count)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    sources = ("AI-MO/NuminaMath-CoT/aops", "qfq/openaimath/Algebra", "qq8933/AIME_1983_2024")
    with (folder / "pool.jsonl").open("w") as file:
        for i in range(rows):
            start = rng.randrange(len(long) - characters)
            row = {
                "question": writer.question(),
                "thinking_trajectories": [long[start : start + rng.randrange(characters)]],
                "attempt": f"Final Answer: {i}",
                "solution": str(i),
                "source_type": sources[2] if i % 1500 == 0 else sources[i % 2],
                "domain": f"Domain {rng.randrange(61)}",
                "isqwen7bcorrect": rng.random() < 0.3,
                "isqwen32bcorrect": rng.random() < 0.4,
                "isgeminicorrect": rng.random() < 0.9,
            }
            file.write(json.dumps(row) + "\n")


def measure(root: Path, module: str, settings: dict[str, object], words: list[str]) -> str:
    """CPU seconds and peak MB of one entry script."""
    command = [sys.executable, "-m", f"workflow_scripts.curation.{module}", *words]
    command += ["--settings", json.dumps({"seed": 42, **settings})]
    process = subprocess.Popen(
        command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    told = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{module}: {told[-2000:]}")
    return f"{usage.ru_utime + usage.ru_stime:.1f} / {usage.ru_maxrss // 1024:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=59_000)
    parser.add_argument("--characters", type=int, default=22_000, help="the longest trace")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    args = parser.parse_args()
    with TemporaryDirectory() as name:
        d = Path(name)
        write_files(d, args.rows, args.characters)
        new = (args.root / "workflow_scripts/curation/count_tokens.py").exists()
        exams = [str(d / f"{name}.parquet") for name in "abc"]
        pool = ["--pool", str(d / "pool.parquet")]
        kept = ["--quality", str(d / "q.parquet"), "--decontamination", str(d / "d.parquet")]
        files = [*pool, *kept, "--difficulty", str(d / "f.parquet")]
        facts = ["--contamination", str(d / "c.json")]
        tokenizer = {"path": str(args.tokenizer.resolve())}
        lengths = ["--lengths", str(d / "l.parquet")]
        sets = [str(d / f"{s}.parquet") for s in ("s1k", "limo", "random")]
        tables = ("funnel", "domains", "sources", "dropped", "report", "touched")
        outs = [word for t in tables[: 6 if new else 5] for word in (f"--{t}", str(d / t))]
        labels = {"drop_if_correct": ["qwen7b_correct"], "null_label": "drop"}
        strict = {"rules": "strict", "require_teacher_correct": True}

        def show(
            module: str, settings: dict[str, object], words: list[str], note: str = ""
        ) -> None:
            start = time.perf_counter()
            told = measure(args.root, module, settings, words)
            print(f"| {module} {note} | {told} | {time.perf_counter() - start:.0f} s |", flush=True)

        for exam in "abc":
            entry = {"name": exam, "format": "math", "source": {"files": ["x"]}}
            words = ["--files", str(d / f"{exam}.jsonl"), "--benchmark", str(d / f"{exam}.parquet")]
            measure(args.root, "load_benchmark", entry, words)
        source = {"source": {"files": ["x"]}, "columns": {}}
        words = ["--files", str(d / "pool.jsonl"), *pool, "--audit", str(d / "audit.json")]
        show("load_pool", source, words)
        show("filter_quality", strict, [*pool, *kept[:2]])
        words = [*pool, *kept, *facts, "--benchmarks", *exams]
        show("decontaminate", {"ngram": 8, "boilerplate": "separate"}, words)
        show("filter_difficulty", labels, [*pool, *kept[2:], "--difficulty", str(d / "f.parquet")])
        if new:
            words = [*pool, *kept[2:], *lengths, "--counts", str(d / "l.json")]
            show("count_tokens", {"tokenizer": tokenizer}, words)
        for path in sets:
            selector = Path(path).stem
            settings = {"selection": SELECTION, "tokenizer": tokenizer, "selector": selector}
            words = [*files, *(lengths if new else []), "--set", path, "--counts", f"{path}.json"]
            show("select", settings, words, selector)
        words = [*files, *facts, "--sets", *sets, *outs]
        words += ["--benchmarks", *exams] if new else []
        show("summarise_curation", {"selectors": ["s1k", "limo", "random"]}, words)
        words = [*pool, *kept[2:], "--pairs", str(d / "p.csv")]
        words += ["--benchmarks", *exams, "--questions", str(d / "n.csv")] if new else []
        show("list_near_duplicates", {}, words)


if __name__ == "__main__":
    main()

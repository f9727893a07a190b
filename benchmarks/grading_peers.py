"""False accepts and rejects per kind on the project's own pairs, beside other graders.

    python -m benchmarks.grading_peers [--pairs FILE] [--peers math-verify,inspect-ai] [--keep DIR]

Makes an environment of its own in a temporary folder (pip), in which each peer grades
every pair of kinds math and integer from the whole prediction, with its own extraction and its own
time limits (a bare answer in dollars, as the peers want it); our grader runs here. A pair that a
peer fails on is refused. Pairs with a letter as the gold are left out: they need the options, and
neither peer takes them.

The labels follow our conventions (docs/grading.md), which is an advantage: the row "all, plain"
counts only pairs that no convention touches (acceptances without a flag, and refusals). The grader
of NeMo-Skills is in no package index that we could reach, so inspect_ai's is the second peer.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path

from workflow_scripts.grading.batch import Limits, grade_all
from workflow_scripts.grading.extract import extract
from workflow_scripts.grading.grader import Question, by_letter, default_kind

PAIRS = Path(__file__).resolve().parents[1] / "tests" / "grading" / "pairs.jsonl"
PACKAGES = {
    "math-verify": ("math-verify==0.9.0", "antlr4-python3-runtime==4.13.2"),
    "inspect-ai": (
        "inspect_ai==0.3.285",
        "latex2sympy2_extended",
        "antlr4-python3-runtime==4.13.2",
    ),
}
# Each runs in the peer's environment: pairs as JSON lines in, true or false lines out.
RUNNERS = {
    "math-verify": """
import json, sys
from math_verify import parse, verify
for line in sys.stdin:
    pair = json.loads(line)
    try:
        gold = parse("$" + pair["gold"] + "$", raise_on_error=False)
        equal = bool(verify(gold, parse(pair["prediction"], raise_on_error=False)))
    except Exception:
        equal = False
    print(json.dumps(equal), flush=True)
""",
    "inspect-ai": """
import asyncio, json, sys
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Target, math
from inspect_ai.solver import TaskState

async def graded(scorer, pair):
    output = ModelOutput.from_content("m", pair["prediction"])
    state = TaskState("m", 0, 0, "", [], output=output)
    try:
        return (await asyncio.wait_for(scorer(state, Target(pair["gold"])), 10)).value == "C"
    except Exception:
        return False

async def main():
    scorer = math()
    for line in sys.stdin:
        print(json.dumps(await graded(scorer, json.loads(line))), flush=True)

asyncio.run(main())
""",
}


def verdicts_of(peer: str, pairs: list[dict], folder: Path) -> list[bool]:
    """Verdicts of a peer in an environment of its own under `folder`."""
    home = folder / peer
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES[peer]]
        subprocess.run(command, check=True)
    lines = "".join(json.dumps(asked(pair)) + "\n" for pair in pairs)
    command = [str(python), "-c", RUNNERS[peer]]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines() if line in ("true", "false")]
    if len(found) != len(pairs):
        raise RuntimeError(f"{peer}: {len(found)} verdicts for {len(pairs)} pairs")
    return found


def asked(pair: dict) -> dict[str, str]:
    """Gold and prediction for a peer; a prediction that is nothing but an answer in dollars."""
    text = pair["prediction"]
    bare = extract(text).rule == "bare" and "$" not in text
    return {"gold": pair["gold"], "prediction": f"${text}$" if bare else text}


def own(pairs: list[dict]) -> list[bool]:
    """Verdicts of this project's grader."""
    questions = [Question(p["gold"], p.get("kind") or default_kind(p["gold"])) for p in pairs]
    found = grade_all(questions, [p["prediction"] for p in pairs], Limits())
    return [verdict.verdict for verdict in found]


def cell(pairs: list[dict], verdicts: list[bool], kind: str | None, plain: bool) -> str:
    """`accepted wrongly / refused wrongly` among the pairs of a kind."""
    counts: Counter[tuple[bool, bool]] = Counter()
    for pair, verdict in zip(pairs, verdicts, strict=True):
        if kind in (None, pair["category"]) and not (plain and pair.get("flags")):
            counts[pair["label"], verdict] += 1
    wrong, right = (
        counts[False, True] + counts[False, False],
        counts[True, True] + counts[True, False],
    )
    return f"{counts[False, True]} of {wrong} / {counts[True, False]} of {right}"


def main() -> None:
    """Print a Markdown table: a row per kind, false accepts and false rejects per grader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, default=PAIRS)
    parser.add_argument("--peers", default=",".join(PACKAGES))
    parser.add_argument(
        "--keep", type=Path, help="folder for the environments, kept for the next run"
    )
    parser.add_argument("--dump", type=Path, help="file for every pair with all verdicts")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.pairs.open()]
    pairs = [
        pair
        for pair in rows
        if not by_letter(Question(pair["gold"], pair.get("kind") or default_kind(pair["gold"])))
    ]
    found = {"ours": own(pairs)}
    with tempfile.TemporaryDirectory() as temporary:
        for peer in filter(None, args.peers.split(",")):
            try:
                found[peer] = verdicts_of(peer, pairs, args.keep or Path(temporary))
            except (subprocess.CalledProcessError, RuntimeError) as error:
                print(f"{peer} left out: {str(error)[-300:]}", file=sys.stderr)
    if args.dump:
        args.dump.write_text(json.dumps({"pairs": pairs, "verdicts": found}))
    print(f"{len(pairs)} pairs; false accepts of wrong ones / false rejects of right ones\n")
    print("| kind | " + " | ".join(found) + " |\n|---|" + "---|" * len(found))
    for kind in sorted({pair["category"] for pair in pairs}):
        cells = [cell(pairs, verdicts, kind, False) for verdicts in found.values()]
        print(f"| {kind} | " + " | ".join(cells) + " |")
    for name, plain in (("all", False), ("all, plain", True)):
        cells = [cell(pairs, verdicts, None, plain) for verdicts in found.values()]
        print(f"| **{name}** | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

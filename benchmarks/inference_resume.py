"""kill -9 at a third and two thirds of a sweep: what is decoded again, are the files the same?

    python -m benchmarks.inference_resume --model models/base/model.json --settings settings.json \\
        --benchmarks a.parquet b.parquet

`--settings` is the JSON of the generate rule. Runs it three times over (whole; killed twice, then
finished) with the configured engine, cuts every dataset and compares the tables.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.inference.store import COUNTER_AT

KEY = ["question_id", "thinking_ids", "answer_ids"]


class Case:
    """One store with its manifest and cells, in a folder."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        settings = json.loads(args.settings.read_text())
        self.settings = {**settings, "store": str(folder / "s.sqlite"), "out": str(folder / "out")}
        self.manifest = folder / "manifest.json"

    def start(self) -> subprocess.Popen[bytes]:
        """The generate job."""
        return self._run("generate", "--benchmarks", *map(str, self.args.benchmarks))

    def finish(self) -> dict[str, Any]:
        """Run to the end, cut, return the manifest."""
        if self.start().wait():
            raise SystemExit(f"generate failed; see {self.folder}/generate.log")
        for path in self.args.benchmarks:
            dataset = pl.read_parquet(path)["dataset"][0]
            self.settings["out"] = str(self.folder / "out" / dataset)
            if self._run("cut", "--benchmark", str(path)).wait():
                raise SystemExit(f"cut failed; see {self.folder}/cut.log")
        return json.loads(self.manifest.read_text())

    def kill_at(self, ids: int) -> None:
        """Start, and kill -9 once the run has received so many ids."""
        process = self.start()
        while self._seen() >= ids:  # of an earlier run
            time.sleep(0.01)
        while self._seen() < ids:
            time.sleep(0.01)
            if process.poll() is not None:
                raise SystemExit("the run ended before it could be killed")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def cells(self) -> dict[str, pl.DataFrame]:
        """All tables by name."""
        out = self.folder / "out"
        return {str(p.relative_to(out)): pl.read_parquet(p) for p in out.rglob("*.parquet")}

    def _seen(self) -> int:
        lock = self.folder / "s.sqlite.lock"
        if not lock.exists():
            return 0
        with lock.open("rb") as file:
            file.seek(COUNTER_AT)
            return int.from_bytes(file.read(8), "little")

    def _run(self, rule: str, *more: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", f"workflow_scripts.inference.{rule}", *more]
        words += ["--model", str(self.args.model), "--manifest", str(self.manifest)]
        words += ["--threads", str(self.args.threads), "--settings", json.dumps(self.settings)]
        return subprocess.Popen([*words, "--log", str(self.folder / f"{rule}.log")])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--benchmarks", type=Path, nargs="+", required=True)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("resume.json"))
    args = parser.parse_args()
    folder = Path(mkdtemp())
    whole, killed = Case(args, folder / "whole"), Case(args, folder / "killed")
    for case in (whole, killed):
        case.folder.mkdir()
    expected = whole.finish()["tokens"]
    third = expected["decoded"] // 3
    killed.kill_at(third)
    killed.kill_at(third)
    found = killed.finish()["tokens"]
    left, right = whole.cells(), killed.cells()
    facts = {
        "decoded_undisturbed": expected["decoded"],
        "decoded_with_two_kills": found["decoded"] + found["lost"],
        "decoded_twice_share": found["decoded_twice_share"],
        "runs": found["runs"],
        "files": len(left),
        "files_equal": sum(right[name].equals(table) for name, table in left.items()),
        "rows_different": sum(
            left[name].select(_ids()).join(right[name].select(_ids()), on=KEY, how="anti").height
            for name in left
        ),
    }
    write_json(args.out, facts)
    print(json.dumps(facts, indent=1))


def _ids() -> list[pl.Expr]:
    """What identifies a row's generation, as text."""
    texts = [pl.col(name).cast(pl.List(pl.String)).list.join(" ") for name in KEY[1:]]
    return [pl.col("question_id"), *texts]


if __name__ == "__main__":
    main()

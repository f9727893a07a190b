"""Peak memory and rate of `load_pool` and `filter_quality` on a pool whose metadata is huge.

`python -m benchmarks.curation_pool [--rows 4000] [--heavy 300] [--megabytes 12]`

Like the released pool, a few rows (the coding sets) hold most of the bytes: `--heavy` rows have
metadata of `--megabytes` each. The pool is read from parquet, each script in its own process.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow
import pyarrow.parquet

LABELS = ("isqwen7bcorrect", "isqwen32bcorrect", "isgeminicorrect")


def write_source(path: Path, rows: int, heavy: int, megabytes: int) -> int:
    """A source in row groups of 1,000 rows; its size in bytes before compression."""
    rng = random.Random(42)
    words = ["".join(rng.choices("etaoinshrdlu", k=6)) for _ in range(5000)]
    names = ["question", "thinking_trajectories", "attempt", "solution", "source_type", "metadata"]
    fields = [(name, pyarrow.string()) for name in names]
    fields += [("domain", pyarrow.string()), *((name, pyarrow.bool_()) for name in LABELS)]
    schema = pyarrow.schema(fields)
    tests = "{'tests': '" + "1 2 3\\n" * (megabytes * 150_000) + "'}"
    total = 0
    with pyarrow.parquet.ParquetWriter(path, schema) as file:
        for start in range(0, rows, 100):
            batch = []
            for i in range(start, min(start + 100, rows)):
                texts = [" ".join(rng.choices(words, k=k)) for k in (100, 1500, 100)]
                metadata = tests if i < heavy else "{'level': 3}"
                values = [*texts, str(i), "USACO", metadata, "Algebra", False, False, True]
                batch.append(dict(zip(schema.names, values, strict=True)))
                total += sum(len(value) for value in values if isinstance(value, str))
            file.write_table(pyarrow.Table.from_pylist(batch, schema), row_group_size=1000)
    return total


def run_script(name: str, *words: str) -> None:
    """Run an entry script and print its CPU seconds and the peak of its memory."""
    start = time.monotonic()
    command = [sys.executable, "-m", f"workflow_scripts.curation.{name}", *words]
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{name} failed")
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    wall = time.monotonic() - start
    print(f"{name}: {cpu:.1f} CPU s, {wall:.1f} s, peak {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--heavy", type=int, default=300)
    parser.add_argument("--megabytes", type=int, default=12)
    args = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source, pool = folder / "source.parquet", folder / "pool.parquet"
        # In a process of its own: a child's peak counts its parent's at the time of the start.
        with ProcessPoolExecutor(1, get_context("spawn")) as writer:
            size = writer.submit(
                write_source, source, args.rows, args.heavy, args.megabytes
            ).result()
        print(f"{args.rows:,} rows, {size / 1e9:.1f} GB of text")
        settings = json.dumps({"source": {"files": [str(source)]}})
        audit = str(folder / "audit.json")
        files = ["--files", str(source), "--pool", str(pool), "--audit", audit]
        run_script("load_pool", *files, "--settings", settings)
        out = ["--pool", str(pool), "--quality", str(folder / "quality.parquet")]
        run_script("filter_quality", *out, "--settings", '{"rules": "strict"}')


if __name__ == "__main__":
    main()

"""Read one benchmark from the hub or from files into the BENCHMARK table, all questions.

--settings is one entry of the config's `benchmarks` without `first`, and the seed:
{"name", "format": math | integer | choice, "source": {...}, "columns": {...}, "seed"}.
"""

import argparse

from workflow_scripts.common.job import MANY, log, run
from workflow_scripts.common.provenance import provenance
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.curation.benchmark_rows import benchmark_rows
from workflow_scripts.curation.source_reader import open_source


def work(args: argparse.Namespace) -> None:
    settings = args.settings
    origin, batches = open_source(settings["source"], args.files)
    raw = [row for batch in batches for row in batch]
    frame = BENCHMARK.frame(benchmark_rows(raw, settings))
    facts = provenance(settings, "datasets", "pyarrow", origin=origin.name, commit=origin.commit)
    BENCHMARK.write(args.benchmark, frame, facts)
    log.info("benchmark %s: %d questions from %s", settings["name"], frame.height, origin.name)


def main() -> None:
    run(work, __doc__, inputs={"files": MANY}, outputs=("benchmark",))


if __name__ == "__main__":
    main()

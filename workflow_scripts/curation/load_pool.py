"""Read the pool from the hub or from files into one table, and say what was found.

--settings is the config's `pool`: {"source": {...}, "columns": {...}}.
"""

import argparse
from collections.abc import Iterator
from itertools import chain
from typing import Any

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.errors import InputError
from workflow_scripts.common.job import MANY, log, run
from workflow_scripts.common.provenance import provenance
from workflow_scripts.curation.columns import POOL_ALIASES, POOL_REQUIRED, resolve_columns
from workflow_scripts.curation.pool_audit import Audit
from workflow_scripts.curation.pool_rows import PoolRows
from workflow_scripts.curation.pool_sources import UNKNOWN
from workflow_scripts.curation.pool_writer import write_pool
from workflow_scripts.curation.source_reader import Row, open_source


def work(args: argparse.Namespace) -> None:
    settings = args.settings
    origin, batches = open_source(settings["source"], args.files)
    first = next(batches, None)
    if not first:
        raise InputError(f"pool {origin.name} has no rows")
    found = list(dict.fromkeys(name for row in first for name in row))
    mapping = resolve_columns(
        found, POOL_ALIASES, POOL_REQUIRED, settings.get("columns") or {}, f"pool {origin.name}"
    )
    log.info("pool %s: %s", origin.name, mapping)
    rows = PoolRows(mapping, f"pool {origin.name}")
    audit = Audit(origin, found, rows)
    facts = provenance(settings, "datasets", "pyarrow", origin=origin.name, commit=origin.commit)
    count = write_pool(args.pool, _converted(chain([first], batches), rows, audit), facts)
    write_json(args.audit, audit.facts())
    unknown = sum(n for (_, name), n in audit.sources.items() if name == UNKNOWN)
    log.info("%d rows, %d of them from none of the 16 named sources", count, unknown)


def _converted(
    batches: Iterator[list[Row]], rows: PoolRows, audit: Audit
) -> Iterator[list[dict[str, Any]]]:
    for batch in batches:
        converted = [rows.convert(raw) for raw in batch]
        for raw, row in zip(batch, converted, strict=True):
            audit.see(raw, row)
        yield converted


def main() -> None:
    run(work, __doc__, inputs={"files": MANY}, outputs=("pool", "audit"))


if __name__ == "__main__":
    main()

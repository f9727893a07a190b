"""Streams POOL rows into parquet row groups: the pool never has to fit into memory."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.common.artifacts import atomic
from workflow_scripts.common.tables.pool import POOL

GROUP_ROWS = 2048
GROUP_CHARACTERS = 32 << 20


def write_pool(path: Path, batches: Iterable[list[dict[str, Any]]], facts: dict[str, str]) -> int:
    """Write batches of POOL rows as row groups, with `facts` as file metadata; number of rows.

    Each row group passes the same schema check as `Table.write`. Keys must be unique over batches
    (`PoolRows` sees to that).
    """
    import pyarrow
    import pyarrow.parquet

    metadata = {**facts, "table": POOL.name}
    schema = pl.DataFrame(schema=POOL.schema).to_arrow().schema.with_metadata(metadata)
    rows = 0
    with (
        atomic(path) as part,
        pyarrow.parquet.ParquetWriter(part, schema, compression="zstd") as file,
    ):
        for group in _row_groups(batches):
            frame = POOL.check(POOL.frame(group), f"writing {path}")
            table: pyarrow.Table = frame.to_arrow().cast(schema)
            file.write_table(table, row_group_size=frame.height)
            rows += frame.height
    return rows


def _row_groups(batches: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Rows regrouped by number and by size, whatever the batches were."""
    group: list[dict[str, Any]] = []
    size = 0
    for batch in batches:
        for row in batch:
            group.append(row)
            size += sum(len(value) for value in row.values() if isinstance(value, str))
            if len(group) >= GROUP_ROWS or size >= GROUP_CHARACTERS:
                yield group
                group, size = [], 0
    if group:
        yield group

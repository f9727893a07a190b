"""Streams POOL rows into parquet row groups: the pool never has to fit into memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.common.artifacts import atomic
from workflow_scripts.common.tables.pool import POOL


def write_pool(path: Path, batches: Iterable[list[dict[str, Any]]], facts: dict[str, str]) -> int:
    """Write batches of POOL rows as row groups, with `facts` as file metadata; number of rows.

    Each batch passes the same schema check as `Table.write`. Keys must be unique over batches
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
        for batch in batches:
            frame = POOL.check(POOL.frame(batch), f"writing {path}")
            table: pyarrow.Table = frame.to_arrow().cast(schema)
            file.write_table(table, row_group_size=max(1, frame.height))
            rows += frame.height
    return rows

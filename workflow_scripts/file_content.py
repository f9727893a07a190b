"""Content of local source files as a rule's parameter, so that copies and clones rerun nothing."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

WHOLE = 256 << 20  # larger files are sampled: planning must not read gigabytes of weights
BLOCKS, BLOCK = 256, 64 << 10


def content_of(files: Iterable[str]) -> str:
    """First 16 hex digits of the SHA-256 over names (without folders) and contents; "" for none.

    Of a file above 256 MiB: its size and 256 evenly spaced blocks of 64 KiB, so a single flipped
    bit may go unnoticed here, but no file that was trained, converted or downloaded anew. The full
    digest is in `model.json`, and weights are held against it when they are loaded.
    """
    total = hashlib.sha256()
    paths = sorted(map(Path, files), key=lambda path: path.name)
    for path in paths:
        stat = path.stat()
        total.update(path.name.encode() + b"\0")
        total.update(_digest(path, stat.st_size, stat.st_mtime_ns))
    return total.hexdigest()[:16] if paths else ""


def by_content(files: list[str], known: bool) -> Any:
    """Source files as inputs that count by content (in params), not by times, while it is known.

    Only the Snakefile calls this.
    """
    from snakemake.io import ancient

    return ancient(files) if known else files


def is_recorded(content: str, record: Path, *keys: str) -> bool:
    """Whether a JSON file that a rule wrote holds `content` under `keys`, or says nothing of it.

    Where it holds another content, the rule's inputs count by their times too: so a change is seen
    even without Snakemake's own records, as beside a fresh clone.
    """
    try:
        found = json.loads(record.read_text())
        for key in keys:
            found = found[key]
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return found in (None, content)


@cache
def _digest(path: Path, size: int, _: int) -> bytes:
    with path.open("rb") as file:
        if size <= WHOLE:
            return hashlib.file_digest(file, "sha256").digest()
        total = hashlib.sha256(str(size).encode())
        for block in range(BLOCKS):
            file.seek((size - BLOCK) * block // (BLOCKS - 1))
            total.update(file.read(BLOCK))
    return total.digest()

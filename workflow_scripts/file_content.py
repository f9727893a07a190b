"""Content of local source files as a rule's parameter, so that copies and clones rerun nothing."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

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

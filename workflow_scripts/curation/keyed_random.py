"""Random numbers that depend on a seed and on names only, never on row order or hash seeds."""

import hashlib


def uniform(seed: int, *names: object) -> float:
    """A number in [0, 1) for a seed and a tuple of names."""
    text = "\0".join(map(str, (seed, *names)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)

"""Storing each chain's text once: cells of one chain are prefixes of one another."""


def front_code(texts: list[str]) -> tuple[list[tuple[int, str]], list[tuple[int, int]]]:
    """Store texts that share beginnings, each shared beginning once.

    Returns `(chains, places)`. `chains` holds the texts that are no prefix of another one, sorted;
    each is `(shared, rest)`: its first `shared` characters are those of the chain before it.
    `places[i]` is `(chain, length)`: `texts[i]` is the first `length` characters of that chain.
    Works on any texts; those that share nothing are stored whole.
    """
    kept: list[str] = []
    chain_of: dict[str, int] = {}
    for text in sorted(set(texts), reverse=True):
        if not kept or not kept[-1].startswith(text):
            kept.append(text)
        chain_of[text] = len(kept) - 1
    last = len(kept) - 1
    places = [(last - chain_of[text], len(text)) for text in texts]
    chains, before = [], ""
    for text in reversed(kept):
        shared = shared_prefix(before, text)
        chains.append((shared, text[shared:]))
        before = text
    return chains, places


def shared_prefix(a: str, b: str) -> int:
    """Number of leading characters that `a` and `b` have in common."""
    low, high = 0, min(len(a), len(b))
    while low < high:  # halves compare as blocks of memory: far faster than a loop over characters
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def utf16_lengths(text: str, lengths: list[int]) -> list[int]:
    """Prefix lengths in code points as lengths in UTF-16 units, which browsers count in."""
    if len(text.encode("utf-16-le")) == 2 * len(text):
        return lengths
    return [len(text[:length].encode("utf-16-le")) // 2 for length in lengths]

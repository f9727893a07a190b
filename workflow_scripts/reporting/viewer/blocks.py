"""Texts of all generations as compressed blocks that a browser inflates one at a time."""

import base64
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.common.cells import Method
from workflow_scripts.reporting.viewer.records import GROUP, WITH_TEXTS, Records, read_cells
from workflow_scripts.reporting.viewer.splices import anchors, locate
from workflow_scripts.reporting.viewer.texts import front_code, utf16_lengths

BLOCK_CHARACTERS = 1_000_000  # per block, before compression: about 10 ms to inflate and parse
LEVEL = 6
THREADS = 2


def pack(value: Any) -> str:
    """JSON, deflated, in base64: what the page's `inflate` reads. Safe inside any HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), LEVEL)).decode("ascii")


def text_blocks(records: Records, paths: list[Path]) -> tuple[list[str], list[int]]:
    """Packed blocks of consecutive groups, and the number of the first group of each block.

    The texts of one model and dataset are in memory at a time; compression runs in threads.
    """
    phrases = {method.name: method for method in records.methods}
    packed: list[Future[str]] = []
    firsts: list[int] = []
    with ThreadPoolExecutor(THREADS) as pool:
        block: list[dict[str, Any]] = []
        size = number = 0
        for group in _groups(records, paths, phrases):
            if not block:
                firsts.append(number)
            block.append(group)
            size += sum(len(rest) for _, rest in group["chains"]) + sum(map(len, group["answers"]))
            number += 1
            if size >= BLOCK_CHARACTERS:
                packed.append(pool.submit(pack, block))
                block, size = [], 0
        if block:
            packed.append(pool.submit(pack, block))
        return [future.result() for future in packed], firsts


def _groups(
    records: Records, paths: list[Path], phrases: dict[str, Method]
) -> Iterator[dict[str, Any]]:
    """Every group's texts in group order, reading the files of one model and dataset at a time."""
    rows = records.rows.select(*WITH_TEXTS.key, "group", "file")
    for part in rows.partition_by("model", "dataset", maintain_order=True):
        files = sorted(part["file"].unique())
        texts = read_cells([paths[i] for i in files], WITH_TEXTS).drop("file")
        joined = part.join(texts, on=WITH_TEXTS.key, how="left", maintain_order="left")
        for group in joined.sort("group", maintain_order=True).partition_by(
            "group", maintain_order=True
        ):
            yield group_texts(group, phrases)


def group_texts(cells: pl.DataFrame, phrases: dict[str, Method]) -> dict[str, Any]:
    """Texts of the cells of one question and sample; positions are UTF-16 units.

    chains    front-coded thinking texts, `[shared, rest]`
    thinking  per cell `[chain, length]`
    splices   per cell `[[start, stop, exact], ...]`
    answers   distinct answer texts; `answer` holds the index per cell
    family    per cell the number of its chain_id: equal numbers are cuts of one chain
    """
    if cells.select(GROUP).unique().height != 1:
        raise ValueError("cells of more than one group")
    texts = cells["thinking_text"].fill_null("").to_list()
    counts = cells["thinking_tokens"].to_list()
    chains, places = front_code(texts)
    answers = cells["answer_text"].fill_null("").to_list()
    distinct = list(dict.fromkeys(answers))
    families = list(dict.fromkeys(cells["chain_id"].to_list()))
    siblings = list(zip(texts, counts, strict=True))
    return {
        "chains": _utf16_chains(chains, texts, places),
        "thinking": [
            [chain, utf16_lengths(text, [length])[0]]
            for text, (chain, length) in zip(texts, places, strict=True)
        ],
        "splices": [
            _splices(row, siblings, phrases)
            for row in cells.select("thinking_text", "thinking_tokens", "spans", "method").rows()
        ],
        "answers": distinct,
        "answer": [distinct.index(answer) for answer in answers],
        "family": [families.index(chain) for chain in cells["chain_id"]],
    }


def _utf16_chains(
    chains: list[tuple[int, str]], texts: list[str], places: list[tuple[int, int]]
) -> list[list[Any]]:
    whole = {}
    for text, (chain, _) in zip(texts, places, strict=True):
        if len(text) > len(whole.get(chain, "")):
            whole[chain] = text
    return [
        [utf16_lengths(whole.get(i, ""), [shared])[0], rest]
        for i, (shared, rest) in enumerate(chains)
    ]


def _splices(
    row: tuple[Any, ...], siblings: list[tuple[str, int]], phrases: dict[str, Method]
) -> list[list[int]]:
    text, tokens, spans, method = row
    spliced = [(s["start"], s["stop"]) for s in spans or [] if s["author"] == "spliced"]
    if not spliced or not text:
        return []
    phrase = phrases[method].phrase
    found = locate(text, spliced, phrase, anchors(text, tokens, siblings))
    ends = utf16_lengths(text, [end for splice in found for end in (splice.start, splice.stop)])
    return [
        [ends[2 * i], ends[2 * i + 1], int(splice.exact)] for i, splice in enumerate(found)
    ]

"""Answers in boxes: `\\boxed{}` and `\\fbox{}`, nested, without braces, several in a sentence."""

import re
from dataclasses import dataclass

from workflow_scripts.grading.braces import closings

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_BARE = re.compile(r"\\[A-Za-z]+|[-+]?[\d.,/]*\d|[^\s$]")
_GAP = re.compile(
    r"(?:[\s$,;&]|\\[,;:! ]|\\\(|\\\)|\\q?quad|\\text\{\s*(?:,|and|or)*\s*\}|\b(?:and|or)\b)*\Z"
)
_SENTENCE = re.compile(r"[.!?]\s*\$?\s+\$?[A-Z]|\n\s*\n|[.!?]\$?\s*\n")
MAX_GAP = 200


@dataclass(frozen=True)
class Box:
    """A closed box and its place in the text."""

    start: int
    stop: int
    content: str


def boxes_of(text: str) -> tuple[list[Box], int | None]:
    """Outermost closed boxes with content, in order, and where an unclosed last one begins."""
    found: list[Box] = []
    at = 0
    unclosed = None
    ends = closings(text) if _BOX.search(text) else {}
    while match := _BOX.search(text, at):
        unclosed = None
        if text[match.end() : match.end() + 1] == "{":
            stop = ends.get(match.end(), -1)
            if stop < 0:
                unclosed, at = match.start(), match.end() + 1
                continue
            content = text[match.end() + 1 : stop - 1]
        else:
            bare = _BARE.match(text, match.end())
            if bare is None:
                break
            content, stop = bare.group(), bare.end()
        found.append(Box(match.start(), stop, content))
        at = stop
    return [box for box in found if box.content.strip(" $.")], unclosed


def unboxed(content: str) -> str:
    """The content of a box; of the last box inside it, where boxes are nested."""
    for _ in range(5):
        inner, _ = boxes_of(content)
        if not inner:
            break
        if content[: inner[0].start].strip(" $") or content[inner[-1].stop :].strip(" $"):
            return re.sub(r"\\(?:boxed|fbox)(?![A-Za-z])", "", content).strip()
        content = inner[-1].content
    return content.strip()


def last_sentence(text: str, boxes: list[Box]) -> list[Box]:
    """The boxes that stand in one sentence with the last one."""
    found = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = text[box.stop : found[0].start]
        if len(between) > MAX_GAP or _SENTENCE.search(between):
            break
        found.insert(0, box)
    return found


def one_list(text: str, boxes: list[Box]) -> bool:
    """Whether only commas, "and" or "or" stand between the boxes: then they are one list."""
    gaps = (text[a.stop : b.start] for a, b in zip(boxes, boxes[1:], strict=False))
    return all(_GAP.match(gap) for gap in gaps)

"""TeX's short forms written out: `\\frac12`, `\\sqrt3`, `x^10`, `2^(n+1)` get their braces."""

import re

from workflow_scripts.grading.braces import MAX_DEPTH, argument, closing

_COMMAND = re.compile(r"\\[A-Za-z]+|\\.", re.DOTALL)
_TWO = ("\\frac", "\\binom")
_EXPONENT = re.compile(r"\s*(-?\s*\d+)")


class Unparsed(ValueError):
    """The text is not mathematics that the grader can read; the message says why."""


def repair(text: str, depth: int = 0) -> str:
    """Text with every argument of a fraction, root, binomial, power and index in braces.

    Raises Unparsed for a missing argument or nesting deeper than 200.
    """
    if depth > MAX_DEPTH // 4:
        raise Unparsed("nested too deep")
    out: list[str] = []
    at = 0
    while at < len(text):
        piece, at = _piece(text, at, depth)
        out.append(piece)
    return "".join(out)


def _piece(text: str, at: int, depth: int) -> tuple[str, int]:
    char = text[at]
    if char == "\\":
        match = _COMMAND.match(text, at)
        if match is None:
            raise Unparsed("a backslash ends the text")
        return _command(text, match.group(), match.end(), depth)
    if char in "^_":
        return _script(text, char, at + 1, depth)
    if char == "{":
        stop = closing(text, at)
        if stop < 0:
            raise Unparsed("unbalanced braces")
        return "{" + repair(text[at + 1 : stop - 1], depth + 1) + "}", stop
    return char, at + 1


def _command(text: str, name: str, at: int, depth: int) -> tuple[str, int]:
    if name in _TWO:
        first, at = _argument(text, at, depth)
        second, at = _argument(text, at, depth)
        return f"{name}{{{first}}}{{{second}}}", at
    if name == "\\sqrt":
        return _root(text, at, depth)
    if name == "\\text":
        found = argument(text, at)
        if found is None:
            raise Unparsed("\\text without an argument")
        return f"\\text{{{found[0]}}}", found[1]
    return name, at


def _root(text: str, at: int, depth: int) -> tuple[str, int]:
    order = ""
    while at < len(text) and text[at].isspace():
        at += 1
    if text[at : at + 1] == "[":
        stop = text.find("]", at)
        if stop < 0:
            raise Unparsed("unbalanced brackets")
        order, at = repair(text[at : stop + 1], depth + 1), stop + 1
    rest = text[at:].lstrip()
    at = len(text) - len(rest)
    if rest.startswith("("):
        stop = _parenthesis(text, at)
        return f"\\sqrt{order}{{{repair(text[at + 1 : stop - 1], depth + 1)}}}", stop
    content, at = _argument(text, at, depth)
    return f"\\sqrt{order}{{{content}}}", at


def _argument(text: str, at: int, depth: int) -> tuple[str, int]:
    found = argument(text, at)
    if found is None:
        raise Unparsed("a fraction or root lacks an argument")
    content, stop = found
    if content.startswith("\\") and text[at:].lstrip()[:1] == "\\":
        return _command(text, content, stop, depth + 1)
    return repair(content, depth + 1), stop


def _script(text: str, sign: str, at: int, depth: int) -> tuple[str, int]:
    number = _EXPONENT.match(text, at)
    if number:
        return f"{sign}{{{number.group(1).replace(' ', '')}}}", number.end()
    rest = text[at:].lstrip()
    start = len(text) - len(rest)
    if sign == "^" and rest.startswith("("):
        stop = _parenthesis(text, start)
        return f"^{{{repair(text[start + 1 : stop - 1], depth + 1)}}}", stop
    if rest.startswith("-"):
        content, stop = _argument(text, start + 1, depth)
        return f"{sign}{{-{content}}}", stop
    content, stop = _argument(text, start, depth)
    return f"{sign}{{{content}}}", stop


def _parenthesis(text: str, at: int) -> int:
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i + 1
    raise Unparsed("unbalanced parentheses")

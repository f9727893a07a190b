"""Small pieces of Markdown: tables, links, fences."""

from collections.abc import Iterable
from urllib.parse import quote

from workflow_scripts.common.markdown import table as table  # every table of the report

ELLIPSIS = "\n[… {count:,} characters left out …]\n"
LINES_LEFT_OUT = "[… {count:,} lines left out …]"


def bullets(items: Iterable[str]) -> str:
    """A bullet list."""
    return "\n".join(f"- {item}" for item in items) + "\n"


def sections(parts: Iterable[tuple[str, str]]) -> str:
    """Titles and texts under headings of the third level; a text without title has none."""
    return "".join(f"### {title}\n\n{text}\n" if title else f"{text}\n" for title, text in parts)


def sample_link(
    text: str, model: str, dataset: str, method: str, budget: str, row: str = "", sample: int = 0
) -> str:
    """A link into the sample viewer, which lies beside the report; `sample` is the draw."""
    return f"[{text}]({sample_address(model, dataset, method, budget, row, sample)})"


def sample_address(
    model: str, dataset: str, method: str, budget: str, row: str = "", sample: int = 0
) -> str:
    """The address of a cell, or of one draw of one of its questions, in the sample viewer."""
    names = {"model": model, "dataset": dataset, "method": method, "budget": budget, "id": row}
    names["sample"] = str(sample or "")
    place = "&".join(f"{key}={quote(value, safe='')}" for key, value in names.items() if value)
    return f"samples.html#{place}"


def shortened(text: str, head: int, tail: int) -> str:
    """The start and end of a long text, with the number of characters left out between them."""
    if len(text) <= head + tail + 80:
        return text
    count = len(text) - head - tail
    return text[:head].rstrip() + ELLIPSIS.format(count=count) + text[-tail:].lstrip()


def fewer_lines(text: str, head: int, tail: int) -> str:
    """The first and last lines of a text of many, with the number of lines left out between."""
    lines = text.strip("\n").splitlines()
    count = len(lines) - head - tail
    if count <= 1:
        return "\n".join(lines)
    told = LINES_LEFT_OUT.format(count=count)
    return "\n".join([*lines[:head], told, *lines[len(lines) - tail :]])


def demoted(text: str, levels: int) -> str:
    """A page's text as part of another: its title left out, its headings some levels down.

    Lines within fences are left as they are.
    """
    lines, fenced = [], False
    for line in text.strip().splitlines():
        if line.startswith("# ") and not fenced and not lines:
            continue
        fenced ^= line.lstrip().startswith("```")
        lines.append("#" * levels + line if line.startswith("#") and not fenced else line)
    return "\n".join(lines).strip()

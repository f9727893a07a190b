"""A comparison in the terminal: what was changed, what can be told apart, what needs care."""

import re
from collections.abc import Iterator

from workflow_scripts.analysis.quality import NOTE
from workflow_scripts.common.markdown import visible
from workflow_scripts.comparing.page import Comparison, apart, sentence

MOST = 8  # settings and claims that are told
WIDTH = 60  # characters of a value


def lines(found: Comparison) -> Iterator[str]:
    """The comparison in some lines."""
    first = found.sides[0].name
    for side in found.sides:
        yield f"{side.name}: {side.folder} ({', '.join(side.models)})"
    for name, changes in found.changes.items():
        settings, versions = changes.settings, changes.versions
        yield ""
        if changes.silent:
            who = " and ".join((first, name)[i] for i in changes.silent)
            yield f"changed from {first} to {name}: not known, {who} records nothing"
            continue
        yield f"changed from {first} to {name}:" + ("" if settings else " no recorded setting")
        for one in settings[:MOST]:
            yield f"  {one.key}: {_short(one.values[0])} -> {_short(one.values[1])}"
        if len(settings) > MOST:
            yield f"  and {len(settings) - MOST} more"
        if versions:
            yield f"  also: {', '.join(one.key for one in versions)}"
    yield ""
    claims = sorted(apart(found), key=lambda one: -abs(one.row["difference"]))
    told = f"{len(found.claims)} of {len(found.tested)} differences resolved, tested together"
    yield told + (":" if claims else "")
    for one in claims[:MOST]:
        yield f"  {sentence(one)}"
    if len(claims) > MOST:
        yield f"  and {len(claims) - MOST} more"
    for finding in found.findings:
        if finding.severity != NOTE:
            yield f"{finding.severity}: {visible(finding.where)}: {visible(finding.message)}"


def _short(text: str) -> str:
    line = re.sub(r"\s+", " ", visible(text))
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}…"

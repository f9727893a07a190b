"""Long runs of signs made short, so that no pattern can take quadratic time over them.

A text of a model may end in 30,000 newlines or hold a ruler of stars. A pattern that begins with
`\\s*` tries such a run from every place in it. Nothing that means anything stands in a run of more
than a few dozen signs; digits and letters are never touched.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

KEPT = 24  # signs kept at each end of a run
_LONG = re.compile(rf"[\W_]{{{2 * KEPT + 2},}}")


@dataclass(frozen=True)
class Squeezed:
    """A text with short runs.

    text    the text that is searched
    places  where in it something was left out
    lost    how many characters of the full text are left out up to and with each of these places
    solid   those of the places where more than white space was left out
    """

    text: str
    places: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    solid: tuple[int, ...] = ()

    def changed(self, span: tuple[int, int]) -> bool:
        """Whether signs were left out inside a span of `text`: an answer must not lose any."""
        return any(span[0] < place < span[1] for place in self.solid)

    def span(self, span: tuple[int, int]) -> tuple[int, int]:
        """A span of `text` as a span of the full text."""
        start, stop = span
        before = bisect_right(self.places, start) - 1
        until = bisect_right(self.places, stop - 1) - 1
        return (
            start + (self.lost[before] if before >= 0 else 0),
            stop + (self.lost[until] if until >= 0 else 0),
        )


def squeezed(text: str) -> Squeezed:
    """The text with the middle of every long run of signs left out.

    >>> squeezed("5" + " " * 1000 + "x").text == "5" + " " * 48 + "x"
    True
    """
    pieces, places, lost, solid = [], [], [], []
    at = size = gone = 0
    for match in _LONG.finditer(text):
        pieces += [text[at : match.start() + KEPT]]
        size += match.start() + KEPT - at
        at = match.end() - KEPT
        gone += at - match.start() - KEPT
        places.append(size)
        lost.append(gone)
        solid += [] if text[match.start() + KEPT : at].isspace() else [size]
    return Squeezed("".join([*pieces, text[at:]]), tuple(places), tuple(lost), tuple(solid))

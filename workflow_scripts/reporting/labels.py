"""Placing text beside points so that no label covers a point or another label."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

CHARACTER_WIDTH, LINE_HEIGHT = 0.7, 1.3  # of the font size
POINTS_PER_INCH = 72
GAP = 0.03  # inches between two labels in a line, so that 128 and ×1 are not read as one
BAR = tuple(i / 8 for i in range(9))  # where a bar and a line count as obstacles
LINE = tuple(i / 16 for i in range(1, 16))


@dataclass(frozen=True)
class Panel:
    """A plot panel: its data limits (already on the axis scale) and its size in inches."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    width: float
    height: float

    def inches(self, x: float, y: float) -> tuple[float, float]:
        """Position of a data point within the panel, in inches from its lower left corner."""
        return (
            (x - self.x_low) / (self.x_high - self.x_low) * self.width,
            (y - self.y_low) / (self.y_high - self.y_low) * self.height,
        )

    def data(self, x: float, y: float) -> tuple[float, float]:
        """Inverse of `inches`."""
        return (
            self.x_low + x / self.width * (self.x_high - self.x_low),
            self.y_low + y / self.height * (self.y_high - self.y_low),
        )


@dataclass(frozen=True)
class Box:
    """A rectangle in inches."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Whether the two rectangles share any area."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )


def place(
    labels: Sequence[tuple[float, float, str]],
    obstacles: Sequence[tuple[float, float]],
    panel: Panel,
    size: float = 8.0,
    radius: float = 0.05,
) -> list[tuple[float, float] | None]:
    """Centres (data coordinates) for labels of points, or None where no free place is left.

    Greedy in the order given: below, above, right, left, then further out. A label stays inside
    the panel and covers no obstacle (each a point of `radius` inches) and no earlier label.
    """
    taken = [_around(*panel.inches(x, y), radius, radius) for x, y in obstacles]
    centres: list[tuple[float, float] | None] = []
    for x, y, text in labels:
        box = _first_free(panel.inches(x, y), text, taken, panel, size, radius)
        if box is None:
            centres.append(None)
            continue
        taken.append(Box(box.left - GAP, box.bottom, box.right + GAP, box.top))
        centres.append(panel.data((box.left + box.right) / 2, (box.bottom + box.top) / 2))
    return centres


def _first_free(
    at: tuple[float, float], text: str, taken: list[Box], panel: Panel, size: float, radius: float
) -> Box | None:
    half_width = len(text) * size * CHARACTER_WIDTH / POINTS_PER_INCH / 2
    half_height = size * LINE_HEIGHT / POINTS_PER_INCH / 2
    page = Box(0.0, 0.0, panel.width, panel.height)
    for gap in (radius * 1.2, radius * 2.2, radius * 3.5):
        dx, dy = half_width + gap, half_height + gap
        for step in (
            (0, -dy),
            (0, dy),
            (dx, 0),
            (-dx, 0),
            (dx, -dy),
            (dx, dy),
            (-dx, -dy),
            (-dx, dy),
        ):
            box = _around(at[0] + step[0], at[1] + step[1], half_width, half_height)
            inside = box.left >= page.left and box.right <= page.right
            inside &= box.bottom >= page.bottom and box.top <= page.top
            if inside and not any(box.meets(other) for other in taken):
                return box
    return None


def _around(x: float, y: float, half_width: float, half_height: float) -> Box:
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def placed(
    data: pl.DataFrame, panel: str, columns: tuple[str, str, str, str], box: Panel, size: float
) -> pl.DataFrame:
    """Where to print the `label` of each row, in columns `panel`, x, y and label.

    columns  x, y and the ends of a vertical bar, all on the axes' scale. No label covers a point,
             a bar, the line between two points of a `series`, or another label; one without room
             is left out.
    """
    x, y, low, high = columns
    rows = []
    data = data.drop_nulls([x, y])  # tokens that nobody counted
    for (name,), part in data.group_by(panel, maintain_order=True):
        spots = [
            (row[x], row[low] + share * (row[high] - row[low]))
            for row in part.iter_rows(named=True)
            for share in BAR
        ]
        spots += list(zip(part[x], part[y], strict=True))
        for _, line in part.group_by("series", maintain_order=True):
            spots += _between(line.sort(x).select(x, y).rows())
        told = part.filter(pl.col("label") != "")
        wanted = list(told.select(x, y, "label").iter_rows())
        for (_, _, text), centre in zip(wanted, place(wanted, spots, box, size), strict=True):
            if centre is not None:
                rows.append((name, *centre, text))
    schema = {panel: pl.String, "x": pl.Float64, "y": pl.Float64, "label": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _between(ends: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points along the lines between neighbours."""
    return [
        (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
        for a, b in zip(ends, ends[1:], strict=False)
        for share in LINE
    ]

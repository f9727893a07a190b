"""Placing text beside points so that no label covers a point or another label."""

from collections.abc import Sequence
from dataclasses import dataclass

CHARACTER_WIDTH, LINE_HEIGHT = 0.7, 1.3  # of the font size
POINTS_PER_INCH = 72


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
        taken.append(box)
        centres.append(panel.data((box.left + box.right) / 2, (box.bottom + box.top) / 2))
    return centres


def _first_free(
    at: tuple[float, float], text: str, taken: list[Box], panel: Panel, size: float, radius: float
) -> Box | None:
    half_width = len(text) * size * CHARACTER_WIDTH / POINTS_PER_INCH / 2
    half_height = size * LINE_HEIGHT / POINTS_PER_INCH / 2
    page = Box(0.0, 0.0, panel.width, panel.height)
    for gap in (radius * 1.2, radius * 3, radius * 5):
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

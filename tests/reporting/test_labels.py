import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.reporting.labels import Box, Panel, place

PANEL = Panel(0.0, 1.0, 0.0, 100.0, 3.0, 3.0)


def boxes(centres, texts, size=8.0):
    found = []
    for centre, text in zip(centres, texts, strict=True):
        if centre is not None:
            x, y = PANEL.inches(*centre)
            w, h = len(text) * size * 0.6 / 72 / 2, size * 1.25 / 72 / 2
            found.append(Box(x - w, y - h, x + w, y + h))
    return found


def test_a_lone_label_is_placed_below_its_point():
    (centre,) = place([(0.5, 50.0, "500")], [(0.5, 50.0)], PANEL)
    assert centre[0] == 0.5
    assert 40 < centre[1] < 50


def test_a_label_at_the_lower_edge_goes_above():
    (centre,) = place([(0.5, 0.5, "500")], [(0.5, 0.5)], PANEL)
    assert centre[1] > 0.5


def test_a_label_without_any_free_place_is_left_out():
    crowd = [(x / 60, y / 0.6) for x in range(61) for y in range(61)]
    assert place([(0.5, 50.0, "500")], crowd, PANEL) == [None]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 100)), min_size=1, max_size=25))
def test_labels_cover_neither_points_nor_each_other_and_stay_inside(points):
    texts = ["8,000"] * len(points)
    centres = place([(x, y, "8,000") for x, y in points], points, PANEL)
    found = boxes(centres, texts)
    for i, box in enumerate(found):
        assert box.left >= -1e-9 and box.right <= 3 + 1e-9
        assert box.bottom >= -1e-9 and box.top <= 3 + 1e-9
        assert not any(box.meets(other) for other in found[i + 1 :])
        for x, y in points:
            at = PANEL.inches(x, y)
            assert not box.meets(Box(at[0] - 0.049, at[1] - 0.049, at[0] + 0.049, at[1] + 0.049))


def test_inches_and_data_are_inverse():
    assert PANEL.data(*PANEL.inches(0.25, 40.0)) == pytest.approx((0.25, 40.0))

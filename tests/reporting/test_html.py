import re

import pytest

from workflow_scripts.reporting.html import page

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8"
    "ffff3f0005fe02fea7354d5c0000000049454e44ae426082"
)


@pytest.fixture
def made(tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/a.png").write_bytes(PIXEL)
    folder = tmp_path / "report"
    folder.mkdir()
    text = (
        "# Title\n\n## One thing\n\n![plot](../plots/a.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "## One thing\n\n<script>alert(1)</script>\n"
    )
    return page(text, folder)


def test_images_are_inside_the_page(made):
    assert 'src="data:image/png;base64,' in made
    assert "../plots" not in made


def test_nothing_is_loaded_from_elsewhere(made):
    assert not re.search(r'(src|href)="(https?:)?//', made)
    assert "<link" not in made


def test_raw_html_in_the_text_cannot_run(made):
    assert "<script>" not in made
    assert "&lt;script&gt;" in made


def test_headings_have_distinct_anchors_and_are_listed(made):
    assert 'id="one-thing"' in made
    assert 'id="one-thing-2"' in made
    assert made.count('<a href="#one-thing') == 2


def test_tables_scroll_on_narrow_screens(made):
    assert made.count('<div class="scroll"') == made.count("<table>") == 1


def test_both_colour_schemes_and_phones_are_served(made):
    assert "prefers-color-scheme: dark" in made
    assert 'name="viewport"' in made


def test_a_missing_image_leaves_its_address(tmp_path):
    assert 'src="../none.png"' in page("# T\n\n![x](../none.png)\n", tmp_path)

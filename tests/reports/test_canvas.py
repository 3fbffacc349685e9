from __future__ import annotations

from reports import canvas


def test_a_title_is_within_its_figure_however_narrow():
    with canvas.style():
        figure, _ = canvas.grid(1, title="Jiang & Agrawal 2018, figure 1d, composed again", note="a note")
        title, note = figure.texts
        figure.draw_without_rendering()
        whole, shown, below = figure.bbox, title.get_window_extent(), note.get_window_extent()
    assert "\n" in title.get_text()
    assert whole.x0 <= shown.x0 and shown.x1 <= whole.x1
    assert below.y1 <= shown.y0


def test_a_title_that_has_room_is_one_line():
    figure, _ = canvas.grid(2, title="Jiang & Agrawal 2018, figure 1d, composed again")
    assert "\n" not in figure.texts[0].get_text()

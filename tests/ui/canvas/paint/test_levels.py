"""What is written on the canvas can be read, or is not there."""

import pytest
from PySide6.QtGui import QImage, QPainter

from nodegraph import graph as edits
from nodegraph.builtin import FRAME
from nodegraph.graph import Node
from nodegraph.running.messages import Failed, Finished
from tests.examples import some_slow
from ui.base import theme
from ui.canvas.paint.layers import paint_still
from ui.canvas.paint.levels import LEAST, rows_shown
from ui.canvas.scene.view import MIN_SCALE, View

SCALES = [MIN_SCALE, 0.1, 0.2, 0.25, 0.36, 0.42, 0.5, 0.51, 0.56, 0.6, 0.7, 0.85, 1.0, 1.5, 3.0]
DAILY = (MIN_SCALE, 0.25, 0.42, 0.5, 0.51, 0.7, 1.0)


@pytest.fixture
def written(canvas, monkeypatch):
    """What is written at a scale: the sizes of its letters on the screen, by text."""
    found: dict[str, float] = {}

    class Spy(QPainter):
        def drawText(self, *args):
            text = args[-1]
            enabled = self.worldMatrixEnabled()
            found[text] = self.font().pixelSize() * (self.worldTransform().m11() if enabled else 1.0)
            super().drawText(*args)

    def look(scale: float) -> dict[str, float]:
        found.clear()
        picture = QImage(64, 64, QImage.Format.Format_RGB32)
        painter = Spy(picture)
        painter.scale(scale, scale)
        paint_still(painter, canvas.scene, canvas.scene.extent(), (), (), scale)
        painter.end()
        return dict(found)

    return look


@pytest.fixture
def lived_in(canvas):
    canvas.runs.take(Finished("left", "key", (), 1.2, cached=False, bytes=34_000_000))
    canvas.runs.take(Failed("sum", "It cannot be done, for a reason that takes more than one line to be told"))
    canvas.document.edit("Fold", lambda graph: edits.change_node(graph, "right", collapsed=True))
    frame = Node(FRAME, title="All of it", pos=(-40.0, -60.0), size=(1500.0, 900.0))
    canvas.document.edit("Frame", edits.add_node, "frame", frame)
    return canvas


@pytest.mark.parametrize("text", [1.0, 1.7])
@pytest.mark.parametrize("scale", some_slow(SCALES, DAILY))
def test_no_letters_on_the_canvas_are_too_small_to_read(lived_in, written, scale, text, monkeypatch):
    monkeypatch.setattr(theme, "_scale", text)
    # A title that would be cut in large letters has the smallest. Half a pixel: sizes are whole numbers of world units.
    smallest = LEAST * text if rows_shown(scale) else LEAST
    assert {t: size for t, size in written(scale).items() if size < smallest - 0.5} == {}


def test_rows_that_are_too_low_for_letters_give_way_to_a_summary(lived_in, written):
    assert not rows_shown(0.5)
    assert rows_shown(0.52)
    near, far = written(0.52), written(0.5)
    assert "Ratio" in near
    assert "Ratio" not in far
    assert lived_in.scene.nodes["settings"].title in far
    assert "failed" in far


@pytest.mark.parametrize("scale", some_slow(SCALES, DAILY))
def test_a_frame_has_its_title_at_any_zoom(lived_in, written, scale):
    assert any(text.startswith("All") for text in written(scale))


def test_a_row_in_large_letters_keeps_its_value(canvas, written):
    canvas.document.set_param("settings", "ratio", 1.25)
    assert "1.25" in written(0.51)


def test_the_canvas_grows_with_the_text(canvas, qapp):
    canvas.state.show_view(View(0.8, 40, 30))
    middle = canvas.state.view.to_world(canvas.state.middle)
    before = dict(canvas.document.graph.nodes)
    theme.apply(qapp, theme.DARK, 1.5)
    try:
        assert canvas.state.view.scale == pytest.approx(1.2)
        away = canvas.state.view.to_world(canvas.state.middle) - middle
        assert away.manhattanLength() < 2  # the offset of a view is whole pixels
        assert canvas.document.graph.nodes == before
        canvas.document.edit("Keep one", edits.remove_nodes, set(before) - {"left"})
        canvas.fit()
        assert canvas.state.view.scale == 1.5
    finally:
        theme.apply(qapp, theme.DARK)
    assert canvas.state.view.scale == pytest.approx(1.0)


def test_a_large_title_far_out_shrinks_no_more_than_it_has_to(canvas, written, monkeypatch):
    monkeypatch.setattr(theme, "_scale", 1.7)
    for id, title in (("left", "Add"), ("right", "Checkpoint"), ("sum", "Checkpointing")):
        canvas.document.edit("Rename", lambda graph, id=id, title=title: edits.change_node(graph, id, title=title))
    found = written(0.45)
    assert [round(found[title]) for title in ("Add", "Checkpoint", "Checkpointing")] == [19, 15, 11]

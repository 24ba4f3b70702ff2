"""What a node shows at a glance."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

from nodegraph import graph as edits
from nodegraph.editing.tint import tint
from nodegraph.graph import Node, Port
from nodegraph.running.engine import Settings
from nodegraph.running.messages import Failed, Finished, Planned, Progress, Started
from nodegraph.types import ListOf, Picture, socket_type
from ui.base import theme
from ui.base.text import byte_size
from ui.canvas.paint import nodes
from ui.canvas.paint.levels import LEAST, TIGHT
from ui.canvas.paint.nodes import BAR, has_room
from ui.canvas.paint.sockets import form_of
from ui.canvas.scene.shape import HEADER, ROW, WIDTH, touches, wire
from ui.canvas.scene.view import View
from ui.widgets.lettering import elided
from ui.window.main_window import MainWindow

STRIPES = Picture(64, 32, bytes(255 * (x // 8 % 2) for _ in range(32) for x in range(64) for _ in range(3)))


@socket_type(color="#123456", plain=True)
@dataclass(frozen=True)
class Weights:
    """A description, as models are."""


@dataclass(frozen=True)
class Pixels:
    """Something computed."""


@pytest.fixture
def pixel(canvas, qtbot):
    """The colour at a place of a node, once all is painted."""

    def look(id: str, x: float, y: float) -> QColor:
        for _ in range(20):  # a frame may leave tiles to the next
            canvas.grab()
        at = canvas.state.view.to_screen(canvas.scene.nodes[id].pos + QPointF(x, y)).toPoint()
        return canvas.grab().toImage().pixelColor(at)

    return look


def close(a: QColor, b: str, most: int = 12) -> bool:
    other = QColor(b)
    return max(abs(a.red() - other.red()), abs(a.green() - other.green()), abs(a.blue() - other.blue())) <= most


def lettered(canvas, id: str, scale: float) -> bool:
    """Whether something as bright as text stands on a node."""
    canvas.state.show_view(View(scale, 100, 100))
    picture, rect = image_of(canvas), canvas.state.view.rect_to_screen(canvas.scene.nodes[id].rect).toRect()
    places = ((x, y) for x in range(rect.left() + 3, rect.right() - 3) for y in range(rect.top(), rect.bottom() - 1))
    return any(close(picture.pixelColor(x, y), theme.colors().text, 60) for x, y in places)


@pytest.mark.parametrize("scale", [0.16, 0.25, 0.34, 0.45, 1.0])
def test_titles_are_written_as_long_as_there_is_room(canvas, scale):
    assert lettered(canvas, "settings", scale)


def test_a_title_far_out_stays_in_its_node(canvas):
    long = "Incomprehensibilities of the uncharacteristic kind"
    canvas.document.edit("Name", lambda graph: edits.change_node(graph, "left", title=long))
    canvas.state.show_view(View(0.3, 100, 100))
    picture, rect = image_of(canvas), canvas.state.view.rect_to_screen(canvas.scene.nodes["left"].rect).toRect()
    beside = {picture.pixelColor(rect.right() + x, rect.top() + y).name() for x in (3, 9) for y in range(12, 24)}
    assert not any(close(QColor(name), theme.colors().text, 60) for name in beside)


def image_of(canvas) -> QImage:
    for _ in range(20):
        canvas.grab()
    return canvas.grab().toImage()


@pytest.mark.parametrize(
    ("kind", "form"),
    [(float, "dot"), (str, "dot"), (ListOf(float), "square"), (Weights, "diamond"), (Pixels, "disc"), (Any, "disc")],
)
def test_the_form_of_a_socket_tells_what_kind_of_thing_it_takes(kind, form):
    assert form_of(kind) == form


@pytest.mark.parametrize("name", theme.THEMES)
def test_sockets_stand_out_from_the_canvas_in_every_theme(name, qapp):
    theme.apply(qapp, theme.THEMES[name])
    try:
        for color in ("#a1a1a1", "#70b2ff", "#ffd500", "#ff9cf9", "#598c5c", "#123456"):
            assert theme.contrast(theme.inked(color), theme.colors().canvas) >= theme.VISIBLE
    finally:
        theme.apply(qapp, theme.DARK)


def test_a_number_between_limits_fills_its_row_so_far(canvas, pixel):
    canvas.document.set_param("settings", "ratio", 1.0)  # of 0..2
    row = next(r for r in canvas.scene.nodes["settings"].shape.rows if r.input and r.input.name == "ratio")
    y = row.rect.top() + 4
    filled, empty = pixel("settings", WIDTH * 0.4, y), pixel("settings", WIDTH * 0.6, y)
    assert close(empty, theme.colors().field)
    assert close(filled, theme.mixed(theme.colors().field, theme.colors().accent, 0.3).name())


@pytest.mark.parametrize(("state", "tint"), [("done", "done"), ("stale", "stale"), ("failed", "failed")])
def test_the_state_of_a_node_is_a_line_below_its_header(canvas, pixel, state, tint):
    if state == "failed":
        canvas.runs.take(Failed("left", "no"))
    else:
        canvas.runs.take(Finished("left", "key", (), 0.2, cached=False))
    if state == "stale":
        canvas.runs.compare({"left": "other"})
    assert close(pixel("left", WIDTH / 2, HEADER - 1.5), getattr(theme.colors(), tint))


def test_the_line_is_as_long_as_the_progress(canvas, pixel):
    canvas.runs.take(Started("left", "key"))
    canvas.runs.take(Progress("left", 1, 2))
    assert close(pixel("left", WIDTH * 0.25, HEADER - BAR / 2), theme.colors().running)
    assert close(pixel("left", WIDTH * 0.75, HEADER - BAR / 2), theme.colors().field)


def test_time_and_memory_are_written_above_a_finished_node(canvas):
    above = QRectF(WIDTH / 2, -16, WIDTH / 2, 14)

    def written() -> bool:
        place = canvas.state.view.rect_to_screen(above.translated(canvas.scene.nodes["left"].pos)).toAlignedRect()
        seen = image_of(canvas).copy(place)
        return any(
            close(seen.pixelColor(x, y), theme.colors().faint, 40)
            for x in range(seen.width())
            for y in range(seen.height())
        )

    assert not written()
    canvas.runs.take(Finished("left", "key", (), 1.2, cached=False, bytes=34_000_000))
    assert written()


@pytest.mark.parametrize(
    ("count", "text"), [(900, "900 B"), (34_000_000, "34 MB"), (1_540_000_000, "1.5 GB"), (2_000, "2.0 kB")]
)
def test_memory_is_written_short(count, text):
    assert byte_size(count) == text


def test_the_picture_is_as_wide_as_its_node(canvas):
    canvas.runs.take(Finished("sum", "key", (), 0.1, cached=False, picture=STRIPES))
    item = canvas.scene.nodes["sum"]
    narrow = item.shape.picture
    canvas.document.edit("Resize", lambda g: edits.change_node(g, "sum", size=(440.0, 100.0)))
    assert item.shape.picture.width() - narrow.width() == 220
    assert item.shape.picture.height() == pytest.approx(item.shape.picture.width() / 2)


def test_a_large_picture_is_made_sharp_for_a_wide_node(canvas):
    wide = Picture(1600, 2, bytes(255 * (i % 7 == 0) for i in range(1600 * 2 * 3)))
    canvas.runs.take(Finished("sum", "key", (), 0.1, cached=False, picture=wide))
    item = canvas.scene.nodes["sum"]
    assert item.pixmap.width() == 2 * WIDTH
    canvas.document.edit("Resize", lambda g: edits.change_node(g, "sum", size=(600.0, 100.0)))
    assert item.pixmap.width() == 1200


def test_a_collapsed_node_shows_no_picture(canvas):
    canvas.runs.take(Finished("sum", "key", (), 0.1, cached=False, picture=STRIPES))
    canvas.document.edit("Collapse", lambda g: edits.change_node(g, "sum", collapsed=True))
    assert canvas.scene.nodes["sum"].shape.picture is None
    assert canvas.scene.nodes["sum"].shape.height == HEADER


def test_a_theme_is_shown_at_once(canvas, pixel, qapp):
    dark = pixel("left", WIDTH / 2, 60)
    theme.apply(qapp, theme.LIGHT)
    try:
        light = pixel("left", WIDTH / 2, 60)
    finally:
        theme.apply(qapp, theme.DARK)
    assert light.lightness() > dark.lightness() + 100


def test_the_minimap_takes_another_theme_by_itself(canvas, qapp, qtbot):
    canvas.minimap.show_map(True)

    def ground() -> int:
        return canvas.minimap.grab().toImage().pixelColor(4, 4).lightness()

    dark = ground()
    theme.apply(qapp, theme.LIGHT)
    try:
        qtbot.waitUntil(lambda: ground() > dark + 100)
    finally:
        theme.apply(qapp, theme.DARK)


def test_far_out_rows_are_left_out_and_titles_stay(canvas):
    edge = LEAST * TIGHT / ROW
    near, far = edge * 1.02, edge * 0.98
    ink = {}
    for scale in (near, far):
        canvas.state.show_view(View(scale, 100, 100))
        item = canvas.scene.nodes["settings"]
        seen = image_of(canvas).copy(canvas.state.view.rect_to_screen(item.rect).toAlignedRect())
        header = round(HEADER * scale)
        field = QColor(theme.colors().field)
        ink[scale] = sum(
            seen.pixelColor(x, y) == field for x in range(seen.width()) for y in range(header, seen.height())
        )
    assert ink[near] > 100
    assert ink[far] < ink[near] / 10


def test_what_lies_around_the_view_is_painted_ahead(canvas, qtbot):
    for at in range(30):
        canvas.document.edit("Add", edits.add_node, f"n{at}", Node("toy.add", pos=(at * 300.0, 900.0)))
    qtbot.waitUntil(lambda: not canvas._tiles._plain.paint_ahead(canvas.state.view, canvas.size()))
    canvas.state.show_view(canvas.state.view.panned(-200, -200))
    before = dict(canvas._tiles._plain._tiles)
    canvas.grab()
    assert all(
        canvas._tiles._plain._tiles[at] is tile for at, tile in before.items() if at in canvas._tiles._plain._tiles
    )


def test_a_line_that_only_passes_near_a_place_does_not_touch_it():
    area = QRectF(0, 0, 10, 10)
    assert touches([QPointF(-5, -5), QPointF(15, 15)], area)
    assert touches([QPointF(-50, 5), QPointF(50, 6)], area)
    assert not touches([QPointF(-5, 8), QPointF(8, 21)], area)
    assert not touches([QPointF(-50, 50), QPointF(50, 50)], area)


def test_wires_end_on_the_sides_of_a_collapsed_node(canvas):
    canvas.document.edit("Collapse", lambda g: edits.change_node(g, "sum", collapsed=True))
    item = canvas.scene.nodes["sum"]
    assert canvas.scene.links[Port("sum", "a")].b.x() == item.pos.x()
    assert canvas.scene.links[Port("show", "box")].a == item.pos + QPointF(item.shape.width, HEADER / 2)


class Paints(QObject):
    """Counts how often a widget is painted."""

    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


def test_events_of_a_run_that_come_together_are_painted_together(qtbot, registry, graph):
    window = MainWindow(registry, Settings("tests.toy_nodes", cache=None))
    qtbot.addWidget(window, before_close_func=lambda w: w.document.undo_stack.setClean())
    window.tabs.show_document(window.session.new(graph))
    window.show()
    qtbot.waitExposed(window)
    window.runs.begin()
    window.runs.take(Planned(calls=20, cached=0))
    QApplication.processEvents()
    paints = Paints()
    window.canvas.installEventFilter(paints)
    for part in range(20):
        window.runs.take(Finished("left", f"key {part}", (), 0.1, cached=False))
    assert paints.count == 0
    qtbot.waitUntil(lambda: paints.count > 0)


@given(st.floats(-1e7, 1e7), st.floats(-1e7, 1e7))
@example(-3000.0, -978.8238396507762)  # 80 before it is, by rounding, more than 80 before it
def test_a_wire_of_any_length_leads_from_its_output_to_its_input(left: float, right: float):
    points = wire(QPointF(left, 0), QPointF(right, 50))
    assert (points[0].x(), points[-1].x()) == pytest.approx((left, right))


@pytest.mark.parametrize("state", ["cached", "done", "failed"])
def test_no_word_beside_a_title_cuts_it(canvas, state):
    """The badge says the same; where there is room the word stands beside it."""
    item = canvas.scene.nodes["sum"]
    item.run = replace(item.run, state=state)
    assert has_room(item, "cached", 13)
    item.node = replace(item.node, title="What the two boxes hold")
    assert not has_room(item, "cached", 13)


def test_a_long_title_of_a_kept_result_is_whole(canvas, monkeypatch):
    cut = []
    monkeypatch.setattr(
        nodes, "elided", lambda text, free, **how: cut.append((text, free)) or elided(text, free, **how)
    )
    title = "What the two boxes hold"
    canvas.document.edit("Rename", lambda graph: edits.change_node(graph, "sum", title=title))
    canvas.runs._set("sum", state="cached")
    canvas._tiles.clear()
    for _ in range(8):
        canvas.grab()
    free = [free for text, free in cut if text == title][-1]  # the first asks whether there is room for a word
    assert elided(title, free, size=13, strong=True) == title


def test_a_check_gives_way_to_the_title_that_it_would_cut(canvas, monkeypatch):
    written, drawn = [], []
    monkeypatch.setattr(nodes, "elided", lambda text, free, **how: written.append((text, free)) or text)
    monkeypatch.setattr(nodes, "paint_icon", lambda painter, name, *_: drawn.append(name))
    monkeypatch.setattr(nodes, "_is_cut", lambda title, right, size: title == "Long")
    for title, checked in (("Short", True), ("Long", False)):
        canvas.document.edit("Rename", lambda graph, title=title: edits.change_node(graph, "sum", title=title))
        canvas.runs._set("sum", state="done")
        drawn.clear()
        canvas._tiles.clear()
        for _ in range(8):
            canvas.grab()
        assert ("check" in drawn) == checked
        free = [free for text, free in written if text == title][-1]
        assert (free > WIDTH - 10 - 26 - 13 - 6) != checked


@pytest.mark.parametrize("scale", [0.15, 0.3, 1.0])
def test_a_node_with_a_colour_of_its_own_has_it_in_its_header(canvas, pixel, scale):
    canvas.state.show_view(View(scale, 100, 100))
    canvas.document.edit("Colour", tint, {"left"}, "#00ff00")
    assert close(pixel("left", WIDTH * 0.9, 10), theme.tinted("#00ff00").name())
    assert not close(pixel("right", WIDTH * 0.9, 10), theme.tinted("#00ff00").name())

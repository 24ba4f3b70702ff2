"""The preview: a picture that is zoomed and moved, and two results that are compared, with mouse and keys."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import shiboken6
from PySide6.QtCore import QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QImage, QPixmap, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from nodegraph.formats import workflow
from nodegraph.graph import set_param
from nodegraph.planning.calls import Call
from nodegraph.running.engine import Settings
from nodegraph.running.messages import Finished, Source
from nodegraph.types import Picture
from ui.panels import strip
from ui.panels.preview import Preview
from ui.panels.viewer import Viewer
from ui.runs.engine import Engine
from ui.runs.kept_pictures import Pictures
from ui.runs.live_plan import LivePlan
from ui.runs.queue import Queue
from ui.runs.results import Result, Results, each
from ui.runs.runner import Runner
from ui.widgets.picture_view import PictureView

NOW = datetime.now().replace(hour=10, minute=42, second=5)
RED, BLUE = (220, 30, 30), (30, 30, 220)


def picture(rgb: tuple[int, int, int], side: int = 32) -> Picture:
    return Picture(side, side, bytes(rgb) * side * side)


def filled(rgb: tuple[int, int, int]) -> QPixmap:
    made = picture(rgb)
    return QPixmap.fromImage(QImage(made.rgb, 32, 32, 96, QImage.Format.Format_RGB888).copy())


@pytest.fixture
def view(qtbot) -> PictureView:
    made = PictureView()
    qtbot.addWidget(made)
    made.resize(424, 412)  # a picture area of 400 × 400
    made.show()
    qtbot.waitExposed(made)
    made.show_one(filled(RED))
    return made


def rgb_at(view: PictureView, x: float, y: float) -> tuple[int, int, int]:
    found = view.grab().toImage().pixelColor(round(x * view.devicePixelRatio()), round(y * view.devicePixelRatio()))
    return found.red(), found.green(), found.blue()


def wheel(view: PictureView, at: QPointF, notches: int) -> None:
    event = QWheelEvent(
        at,
        view.mapToGlobal(at),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_the_wheel_keeps_the_place_under_the_pointer(view):
    area, at = view._areas()[0], QPointF(100, 120)
    place = view.place(view.a, area)
    share = (at.x() - place.left()) / place.width()
    wheel(view, at, 3)
    place = view.place(view.a, area)
    assert view.zoom > 1.5
    assert (at.x() - place.left()) / place.width() == pytest.approx(share)


def test_dragging_moves_and_a_double_click_fits_again(view):
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
    QTest.mouseMove(view, QPoint(240, 190))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(240, 190))
    assert view.shift == QPointF(40, -10)
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
    assert (view.zoom, view.shift) == (1.0, QPointF())


def test_what_is_said_of_two_is_left_out_where_it_would_say_nothing(view):
    view.said = {"a": "text a fox in a meadow, at 14:32:05", "b": "at 9"}
    assert [view.tag("a", room) for room in (500, 60)] == ["A: text a fox in a meadow, at 14:32:05", "A"]
    assert view.tag("a", 140).endswith("…")
    assert view.tag("b", 60) == "B: at 9"


def test_actual_size_is_one_pixel_for_one(view):
    QTest.keyClick(view, Qt.Key.Key_1)
    assert view.place(view.a, view._areas()[0]).width() == pytest.approx(32 / view.devicePixelRatioF())
    QTest.keyClick(view, Qt.Key.Key_F)
    assert view.place(view.a, view._areas()[0]).width() == pytest.approx(400)


def test_a_picture_in_full_size_looks_as_large_as_before_and_1_to_1_means_its_own_pixels(view):
    full = filled(BLUE).scaled(640, 640)
    place = view.place(view.a, view._areas()[0])
    view.sharpen("a", full)
    assert view.place(view.a, view._areas()[0]) == place
    assert rgb_at(view, 200, 200) == BLUE
    view.show_one(filled(RED))
    QTest.keyClick(view, Qt.Key.Key_1)
    view.sharpen("a", full)
    assert view.place(view.a, view._areas()[0]).width() == pytest.approx(640 / view.devicePixelRatioF())


def test_the_line_between_two_pictures_is_dragged_and_moved_with_keys(view):
    view.show_two(filled(RED), filled(BLUE), "slider")
    assert rgb_at(view, 100, 200) == RED
    assert rgb_at(view, 300, 200) == BLUE
    at = QPoint(round(view.line), 200)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseMove(view, QPoint(90, 200))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(90, 200))
    assert rgb_at(view, 100, 300) == BLUE
    before = view.split
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.split > before


def test_side_by_side_moves_both_alike(view):
    view.show_two(filled(RED), filled(BLUE), "side")
    first, second = view._areas()
    assert rgb_at(view, first.center().x(), 206) == RED
    assert rgb_at(view, second.center().x(), 206) == BLUE
    wheel(view, second.center() + QPointF(20, 0), 2)
    a, b = view.place(view.a, first), view.place(view.b, second)
    assert a.left() - first.left() == pytest.approx(b.left() - second.left())


@pytest.fixture
def preview(qtbot, document, runs) -> Preview:
    """With two results, of another value in one box."""
    engine = Engine(Settings("tests.toy_nodes"))  # never started
    plan = LivePlan(document)
    runner = Runner(document, engine, Queue(engine), plan, runs)
    pictures = Pictures(engine, plan, runner)
    results = Results(runs, runner, pictures)
    made = Preview(document, runs, results, pictures)
    qtbot.addWidget(made)
    made.resize(420, 600)
    made.show()
    qtbot.waitExposed(made)
    graph = document.graph
    results.kept = [
        Result("show", picture(RED), graph, NOW),
        Result("show", picture(BLUE), set_param(graph, "left", "value", 9.0), NOW + timedelta(seconds=75)),
    ]
    results.changed.emit()
    return made


def rows(preview: Preview) -> list[list[str]]:
    tree = preview.comparison
    items = [tree.topLevelItem(i) for i in range(tree.topLevelItemCount())]
    return [[item.text(column) for column in range(3)] for item in items]


def click(preview: Preview, index: int) -> None:
    strip = preview.strip
    at = strip.visualItemRect(strip.item(index)).center()
    QTest.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_two_results_are_pinned_and_compared_with_what_differs(preview):
    click(preview, 0)
    QTest.mouseClick(preview.buttons["a"], Qt.MouseButton.LeftButton)
    assert preview.buttons["a"].isChecked()
    assert not preview.comparing
    click(preview, 1)
    QTest.mouseClick(preview.buttons["b"], Qt.MouseButton.LeftButton)
    assert preview.comparing
    assert preview.comparison.isVisible()
    assert rows(preview) == [["Box: value", "2", "9"]]
    assert preview.view.said == {"a": "value 2, at 10:42:05", "b": "value 9, at 10:43:20"}


def test_choosing_a_way_to_compare_takes_the_two_newest(preview):
    preview.mode.setFocus()
    QTest.keyClick(preview.mode, Qt.Key.Key_Down)
    QTest.keyClick(preview.mode, Qt.Key.Key_Down)
    assert preview.view.mode == "side"
    assert [preview.pins[side] for side in ("a", "b")] == preview.results.kept
    QTest.keyClick(preview.mode, Qt.Key.Key_Home)
    assert not preview.comparing
    assert not preview.comparison.isVisible()


def test_a_click_while_comparing_makes_it_b(preview):
    preview.compare("slider")
    click(preview, 0)
    assert preview.pins["b"] is preview.results.kept[0]


def test_the_graph_of_a_result_is_restored_as_one_step(preview, document):
    click(preview, 1)
    preview.strip.actions()[-1].trigger()
    assert document.graph.nodes["left"].params["value"] == 9.0
    document.undo_stack.undo()
    assert document.graph.nodes["left"].params["value"] == 2.0


def test_a_saved_picture_carries_the_graph_that_made_it(preview, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    click(preview, 1)
    QTest.mouseClick(preview.buttons["save"], Qt.MouseButton.LeftButton)
    assert workflow.load(tmp_path / "mine.png").nodes["left"].params["value"] == 9.0
    assert QImage(str(tmp_path / "mine.png")).pixelColor(3, 3).blue() == 220


def test_a_result_that_is_pinned_and_not_shown_is_not_what_is_saved(preview, tmp_path):
    click(preview, 0)
    preview.pin("b")
    click(preview, 1)
    preview.save_to(tmp_path / "shown.png")
    assert workflow.load(tmp_path / "shown.png").nodes["left"].params["value"] == 9.0


@pytest.mark.parametrize(("stale", "value"), [(False, 5.0), (True, 9.0)])
def test_a_saved_picture_of_no_result_carries_the_settings_it_shows(preview, document, runs, tmp_path, stale, value):
    """As while a run goes on, or when earlier settings are shown again; or of the run before an edit."""
    document.set_param("left", "value", 5.0)
    runs.expect({"k": Call("k", "show", (), document.type_of("show"), {})})
    runs.take(Finished("show", "k", (), 0.1, False, picture(BLUE)))
    runs.compare({"show": "other" if stale else "k"})
    preview.save_to(tmp_path / "shown.png")
    assert workflow.load(tmp_path / "shown.png").nodes["left"].params["value"] == value


def test_the_picture_is_copied(preview):
    click(preview, 0)
    QTest.mouseClick(preview.buttons["copy"], Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().image().pixelColor(3, 3).red() == 220


def test_an_earlier_result_stays_while_the_queue_runs_until_something_is_run_by_hand(preview, runs):
    click(preview, 0)
    assert "made at 10:42:05" in preview.caption.text()
    runs._set("show", picture=picture((1, 2, 3)))
    runs.pictured.emit("show")
    assert "made at 10:42:05" in preview.caption.text()
    preview.pictures.runner.started.emit()
    runs.pictured.emit("show")
    assert "made at" not in preview.caption.text()


def test_the_strip_marks_what_is_shown_and_brings_it_into_view(preview, runs):
    graph = preview.document.graph
    results = [Result("show", picture((step, 0, 0)), set_param(graph, "left", "value", step)) for step in range(30)]
    preview.results.kept = results
    for shown in (29, 0, 12):
        runs._set("show", picture=results[shown].picture)
        runs.pictured.emit("show")
        preview.results.changed.emit()
        assert [index.row() for index in preview.strip.selectedIndexes()] == [shown]
        place = preview.strip.visualItemRect(preview.strip.item(shown))
        assert preview.strip.viewport().rect().contains(place.adjusted(1, 1, -1, -1))
    runs._set("show", picture=picture(BLUE))
    runs.pictured.emit("show")
    assert preview.strip.selectedIndexes() == []
    assert not preview.buttons["a"].isEnabled()  # it is no result yet


def test_the_menu_of_the_strip_pins_the_result_under_the_pointer(preview):
    click(preview, 1)
    at = preview.strip.visualItemRect(preview.strip.item(0)).center()
    QTest.mouseClick(preview.strip.viewport(), Qt.MouseButton.RightButton, pos=at)
    preview.strip.actions()[0].trigger()
    assert preview.pins["a"] is preview.results.kept[0]


def test_a_result_is_never_compared_with_itself(preview):
    preview.compare("slider")
    click(preview, 0)  # which was A
    assert [preview.pins["a"], preview.pins["b"]] == preview.results.kept[::-1]


def test_what_is_said_of_two_stands_on_their_pictures(preview):
    """Not below both, where one has to look for which is which."""
    preview.compare("side")
    before = preview.view.grab().toImage()
    assert set(preview.view.said) == {"a", "b"}
    assert not preview.caption.isVisible()
    preview.view.said = {}
    assert preview.view.grab().toImage() != before


def test_run_returns_from_comparing_to_what_comes_of_it(preview, runs):
    preview.compare("slider")
    assert preview.comparing
    preview.pictures.runner.run()
    assert not preview.comparing
    runs._set("show", picture=picture((1, 2, 3)))
    runs.pictured.emit("show")
    assert preview.chosen is None
    assert (preview.node, preview.image.pixelColor(3, 3).red()) == ("show", 1)


def test_a_live_run_leaves_what_is_compared(preview):
    preview.compare("slider")
    preview.pictures.runner.started.emit()
    assert preview.comparing


def test_the_strip_draws_what_is_new_and_lets_go_of_what_is_old(preview, monkeypatch):
    drawn: list[QPixmap] = []
    monkeypatch.setattr(strip, "icon", lambda image, size: drawn.append(image) or QIcon())
    graph = preview.document.graph
    more = [Result("show", picture((step, 0, 0)), graph) for step in range(4)]
    first, second = preview.results.kept
    for kept in ([first, second, *more[:2]], [second, *more], [*more[2:], first]):
        preview.results.kept = kept
        preview.results.changed.emit()
        assert preview.strip.results == tuple(kept)
        assert preview.strip.count() == len(kept)
    assert len(drawn) == 2 + 2 + 1


@pytest.fixture
def viewer(preview, qtbot) -> Viewer:
    click(preview, 1)
    made = Viewer(preview)
    made.resize(424, 412)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_viewer_shows_what_the_preview_shows_and_goes_along_the_strip(preview, viewer, qtbot):
    assert rgb_at(viewer, 200, 200) == BLUE
    QTest.keyClick(viewer, Qt.Key.Key_Left)
    assert rgb_at(viewer, 200, 200) == RED
    assert preview.result is preview.results.kept[0]
    preview.compare("side")
    assert rgb_at(viewer, 100, 200) == BLUE
    assert rgb_at(viewer, 300, 200) == RED


def test_the_viewer_stays_where_it_was_zoomed_to_for_the_next_picture(preview, viewer):
    QTest.keyClick(viewer, Qt.Key.Key_Plus)
    QTest.keyClick(viewer, Qt.Key.Key_Left)
    assert viewer.zoom > 1
    assert preview.view.zoom == 1


def test_escape_ends_the_viewer_and_the_preview_goes_on_without(preview, viewer, qtbot):
    QTest.keyClick(viewer, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not shiboken6.isValid(viewer))
    click(preview, 0)
    assert preview.result is preview.results.kept[0]


def test_a_document_that_closes_takes_its_viewer_along(preview, viewer):
    assert viewer.parent() is preview
    shiboken6.delete(viewer)  # as Qt does it then, while it is shown
    click(preview, 0)
    assert preview.result is preview.results.kept[0]


@pytest.fixture
def batch(preview, runs) -> Preview:
    """Shows three pictures of one batch, the newest result."""
    rgb = b"".join(
        bytes([*colour] * 32) for row in ((RED, BLUE), (BLUE, (0, 0, 0))) for _ in range(32) for colour in row
    )
    sheet = Result("show", Picture(64, 64, rgb, 3, (32, 32)), preview.document.graph, NOW)
    preview.results.kept = [*preview.results.kept, sheet, *each(sheet, preview.document.declared)]
    runs._set("show", picture=sheet.picture)
    preview.results.changed.emit()
    preview.show_node("show")
    return preview


def test_the_arrow_keys_go_from_the_batch_to_each_of_its_pictures(batch):
    assert batch.caption.text() == "Show  ·  3 pictures of 32 × 32"
    batch.view.setFocus()
    for item in (1, 2, 3):
        QTest.keyClick(batch.view, Qt.Key.Key_Right)
        assert f"32 × 32  ·  {item} of 3" in batch.caption.text()
        assert rgb_at(batch.view, *batch.view.rect().center().toTuple()) == (RED, BLUE, BLUE)[item - 1]
    QTest.keyClick(batch.view, Qt.Key.Key_Right)
    assert "3 of 3" in batch.caption.text()  # it is the last
    for _ in range(3):
        QTest.keyClick(batch.view, Qt.Key.Key_Left)
    assert batch.result is batch.results.newest


def test_the_arrow_keys_pick_for_the_node_what_the_preview_shows(batch, runs):
    batch.view.setFocus()
    right, left = Qt.Key.Key_Right, Qt.Key.Key_Left
    for key, item in ((right, 0), (right, 1), (left, 0), (left, None)):
        QTest.keyClick(batch.view, key)
        assert runs.picked.of("show", runs.of("show").picture) == item
    click(batch, 5)
    assert runs.picked.of("show", runs.of("show").picture) == 2
    click(batch, 0)  # of an earlier run: the node has its own
    assert runs.picked.of("show", runs.of("show").picture) == 2


def test_what_is_picked_on_the_node_is_what_the_preview_shows(batch, runs):
    for item in (2, 0):
        runs.picked.pick("show", item)
        assert f"32 × 32  ·  {item + 1} of 3" in batch.caption.text()
        assert rgb_at(batch.view, *batch.view.rect().center().toTuple()) == (RED, BLUE, BLUE)[item]
        assert batch.result is batch.results.kept[3 + item]
        assert batch.strip.currentRow() == 3 + item
    runs.picked.pick("show", None)
    assert batch.result is batch.results.newest
    assert batch.document.undo_stack.count() == 0


def test_a_picked_picture_stays_picked_in_the_next_batch(batch, runs):
    runs.picked.pick("show", 0)
    sheet = runs.of("show").picture
    runs._set("show", picture=replace(sheet, rgb=sheet.rgb[::-1]))
    batch.show_node("show")
    assert "1 of 3" in batch.caption.text()
    assert rgb_at(batch.view, *batch.view.rect().center().toTuple()) == (0, 0, 0)


def test_the_arrow_keys_go_through_the_batch_of_a_node_half_way(batch, runs):
    """No result is its own: what it shows may look like that of another node."""
    runs._set("sum", picture=runs.of("show").picture)
    batch.show_node("sum")
    batch.view.setFocus()
    QTest.keyClick(batch.view, Qt.Key.Key_Right)
    assert batch.node == "sum"
    assert runs.picked.of("sum", runs.of("sum").picture) == 0
    assert runs.picked.of("show", runs.of("show").picture) is None


def test_a_picked_picture_is_saved_with_the_graph_that_makes_it_alone(batch, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "ui.panels.preview.alone", lambda graph, node, item, *_: set_param(graph, "left", "value", item)
    )
    runs.picked.pick("show", 1)
    batch.save_to(tmp_path / "one.png")
    assert workflow.load(tmp_path / "one.png").nodes["left"].params["value"] == 1


def test_what_is_copied_is_the_picture_that_is_shown(batch):
    batch.view.setFocus()
    QTest.keyClick(batch.view, Qt.Key.Key_Right)
    QTest.mouseClick(batch.buttons["copy"], Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().image()
    assert (copied.width(), copied.height(), copied.pixelColor(0, 0).red()) == (32, 32, RED[0])


def test_the_right_button_offers_what_can_be_done_with_the_picture_that_is_shown(batch, runs):
    runs.picked.pick("show", 1)
    offered = {action.text(): action for action in batch.view.actions() if action.isEnabled()}
    assert list(offered) == ["Copy", "Save…", "This is A", "This is B", "Restore the graph that made it"]
    assert batch.view.contextMenuPolicy() == Qt.ContextMenuPolicy.ActionsContextMenu
    QGuiApplication.clipboard().clear()
    offered["Copy"].trigger()
    assert QGuiApplication.clipboard().image().size() == QSize(32, 32)
    offered["This is A"].trigger()
    assert batch.pins["a"] is batch.results.kept[4]
    made_by = batch.document.graph
    batch.document.set_param("left", "value", 5.0)
    offered["Restore the graph that made it"].trigger()
    assert batch.document.graph == made_by


def test_a_batch_is_saved_as_its_pictures_and_one_of_it_alone(batch, tmp_path):
    batch.save_to(tmp_path / "cat.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat_1.png", "cat_2.png", "cat_3.png"]
    saved = QImage(str(tmp_path / "cat_2.png"))
    assert (saved.width(), saved.height(), saved.pixelColor(5, 5).blue()) == (32, 32, BLUE[2])
    batch.view.setFocus()
    QTest.keyClick(batch.view, Qt.Key.Key_Right)
    batch.save_to(tmp_path / "one.png")
    assert (tmp_path / "one.png").exists()


def test_pictures_that_are_shown_smaller_than_they_are_are_not_saved_so(batch, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(QMessageBox, "warning", lambda parent, title, text: told.append(text))
    batch.show_result(replace(batch.result, picture=replace(batch.result.picture, size=(900, 900))))
    batch.save_to(tmp_path / "cat.png")
    assert told == ["The 3 pictures together are shown smaller than they are. Show one of them to save it."]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wanted", [False, True])
def test_what_has_not_come_in_full_size_yet_is_copied_and_saved_small_only_when_that_is_wanted(
    preview, runs, tmp_path, monkeypatch, wanted
):
    """While a run goes on the engine is not asked for it."""
    asked = []
    buttons = QMessageBox.StandardButton
    monkeypatch.setattr(
        QMessageBox,
        "question",
        lambda parent, title, text: asked.append(text) or (buttons.Yes if wanted else buttons.No),
    )
    QGuiApplication.clipboard().clear()
    runs.begin()
    large = replace(preview.results.newest, picture=replace(picture(RED), size=(900, 900)), source=Source("key", 0))
    preview.show_result(large)
    preview.save_to(tmp_path / "fox.png")
    QTest.mouseClick(preview.buttons["copy"], Qt.MouseButton.LeftButton)
    here = "Only 32 × 32 of this picture are here; its full size comes when the run ends."
    assert asked == [f"{here} Save it so?", f"{here} Copy it so?"]
    assert (tmp_path / "fox.png").exists() == wanted
    assert QGuiApplication.clipboard().image().isNull() != wanted

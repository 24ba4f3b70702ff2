"""What is seen without a run: a picture that is loaded, and nothing where there is nothing to see yet."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node
from nodegraph.running.client import EngineClient
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.types import Picture
from ui.window.main_window import MainWindow

ROOT = Path(__file__).parents[3]


@pytest.fixture
def window(qtbot, tmp_path):
    made = MainWindow(discover("nodes"), EngineSettings("nodes", cache=None))
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.resize(1400, 900)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_a_picture_that_is_chosen_is_seen_on_its_node_before_any_run(window, qtbot, tmp_path):
    for name, tint in (("one", "#c02020"), ("two", "#2020c0")):
        image = QImage(40, 30, QImage.Format.Format_RGB32)
        image.fill(QColor(tint))
        image.save(str(tmp_path / f"{name}.png"))
    window.tabs.new(Graph({"load": Node("image.load", {"path": str(tmp_path / "one.png")})}))
    window.plan.set_environment("test")
    window.plan.start()
    runs = window.runs
    qtbot.waitUntil(lambda: runs.of("load").picture is not None, timeout=20_000)
    assert (runs.of("load").picture.width, runs.of("load").picture.height) == (40, 30)
    assert runs.of("load").picture.rgb[:3] == bytes([0xC0, 0x20, 0x20])
    assert runs.of("load").state == "idle"  # nothing was computed
    window.document.set_param("load", "path", str(tmp_path / "two.png"))
    qtbot.waitUntil(lambda: runs.of("load").picture.rgb[:3] == bytes([0x20, 0x20, 0xC0]), timeout=20_000)


def test_a_fresh_document_previews_nothing_half_way(window):
    """Kept results are told in any order: an empty latent is not what the document makes."""
    window.tabs.new(workflow.load(ROOT / "workflows" / "text_to_image.json"))
    runs, preview = window.runs, window.preview
    beige, done = Picture(2, 2, bytes([200, 180, 150]) * 4), Picture(2, 2, bytes([9, 9, 9]) * 4)
    runs._show("latent", beige, "k")
    assert preview.pixmap is None
    window.canvas.state.select({"latent"})  # who wants to see it, sees it
    assert preview.node == "latent"
    window.canvas.state.select(())
    runs._show("save", done, "k2")
    assert preview.node == "save"


def test_the_length_of_the_queue_is_said_while_its_panel_is_closed(window, qtbot):
    assert not window.status_bar.queued.isVisible()
    window.queue.pause()
    for number in range(3):
        window.queue.add(Graph({"a": Node("math.number", {"value": float(number)})}), ("a",), "job")
    assert window.status_bar.queued.isVisible()
    assert window.status_bar.queued.text() == "3 queued"
    QTest.mouseClick(window.status_bar.queued, Qt.MouseButton.LeftButton)
    assert window.docks["Queue"].isVisible()
    for job in window.queue.jobs:
        window.queue.cancel(job.id)
    assert not window.status_bar.queued.isVisible()


def test_opening_the_problems_keeps_the_faulty_node_in_view(window, qtbot):
    nodes = {"far": Node("math.number", pos=(0.0, 0.0)), "decode": Node("vae.decode", pos=(0.0, 900.0))}
    window.tabs.new(Graph(nodes))
    canvas = window.canvas
    window.plan.start()
    qtbot.waitUntil(lambda: bool(canvas.scene.problems), timeout=20_000)
    window.docks.hide("Problems")
    qtbot.waitUntil(lambda: not window.docks["Problems"].isVisible())
    from ui.canvas.scene.view import View

    foot = canvas.height() - canvas.scene.nodes["decode"].shape.height - 10
    canvas.state.show_view(View(1.0, 60, round(foot - 900)))  # at the lower edge

    def in_view() -> bool:
        return canvas.state.view.rect_to_world(canvas.state.area).contains(canvas.scene.nodes["decode"].rect)

    assert in_view()
    QTest.mouseClick(window.status_bar.problems, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.docks["Problems"].isVisible())
    qtbot.waitUntil(in_view)


def test_run_brings_a_faulty_node_into_view(window, qtbot, monkeypatch):
    monkeypatch.setattr(EngineClient, "run", lambda *_: None)  # nothing is computed
    window.tabs.new(Graph({"decode": Node("vae.decode", pos=(0.0, 0.0)), "n": Node("math.number", pos=(9000.0, 0.0))}))
    canvas = window.canvas
    window.plan.start()
    qtbot.waitUntil(lambda: bool(canvas.scene.problems), timeout=20_000)
    canvas.state.select({"n"})
    canvas.state.reveal("n")
    window.actions_by_id["run.all"].trigger()
    qtbot.waitUntil(
        lambda: canvas.state.view.rect_to_world(canvas.state.area).contains(canvas.scene.nodes["decode"].rect)
    )


def test_the_inspector_s_title_follows_a_rename(window, qtbot):
    window.tabs.new(Graph({"n": Node("math.number")}))
    window.canvas.state.select({"n"})
    window.docks.show("Inspector")
    inspector = window.workspace.panels["Inspector"]
    QTest.keyClick(window.canvas, Qt.Key.Key_F2)
    QTest.keyClicks(window.canvas.state.editor.box, "How many")
    QTest.keyClick(window.canvas.state.editor.box, Qt.Key.Key_Return)
    assert inspector._title.text() == "How many"

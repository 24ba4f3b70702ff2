"""Whatever is pressed, in whatever order, the window shows the document and nothing fails."""

import random

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QColorDialog, QDialog, QFileDialog, QInputDialog, QMessageBox

from nodegraph.running.engine import Settings as EngineSettings
from tests.examples import some_slow
from ui.widgets.keeping_dialog import NameDialog
from ui.window.main_window import MainWindow

STEPS = 150
NOT_PRESSED = ("file.quit", "help.tour")
KEYS = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


@pytest.fixture
def answered(monkeypatch, tmp_path) -> random.Random:
    """Every dialog is answered at once, by chance."""
    chance = random.Random()
    answers = (QMessageBox.StandardButton.Discard, QMessageBox.StandardButton.Cancel)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: chance.choice(answers))
    for name in ("information", "warning", "about"):
        monkeypatch.setattr(QMessageBox, name, lambda *_: None)
    monkeypatch.setattr(QDialog, "exec", lambda _: chance.choice((0, 1)))
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#335577"))
    monkeypatch.setattr(NameDialog, "exec", lambda dialog: named(dialog, f"name {chance.randrange(5)}"))
    monkeypatch.setattr(QInputDialog, "getItem", lambda *args, **_: (args[3][0], True))
    target = tmp_path / "saved.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(target) if target.exists() else "", ""))
    return chance


def named(dialog: NameDialog, name: str) -> None:
    dialog.name.setText(name)
    dialog.accept()


@pytest.fixture
def window(qtbot, registry, graph) -> MainWindow:
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None))  # never started
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.resize(1200, 800)
    made.show()
    qtbot.waitExposed(made)
    made.tabs.new(graph)
    return made


def press_an_action(window: MainWindow, chance: random.Random) -> None:
    ids = [id for id in window.actions_by_id if id not in NOT_PRESSED and not id.startswith("run.")]
    on_canvas = [id for id in ids if id.startswith("canvas.")]
    id = chance.choice(on_canvas if chance.random() < 0.8 else ids)
    if window.actions_by_id[id].isEnabled():
        window.actions_by_id[id].trigger()


def select(window: MainWindow, chance: random.Random) -> None:
    nodes = list(window.canvas.scene.nodes)
    window.canvas.state.select(chance.sample(nodes, chance.randint(0, min(len(nodes), 4))))


def drag(window: MainWindow, chance: random.Random) -> None:
    """From some place near a node to another; with Escape on the way now and then."""
    canvas = window.canvas
    if not canvas.scene.nodes:
        return
    rects = [item.rect for item in canvas.scene.nodes.values()]
    aside = (QPointF(chance.uniform(-140, 140), chance.uniform(-90, 90)) for _ in range(2))
    start, end = (canvas.state.view.to_screen(chance.choice(rects).center() + by).toPoint() for by in aside)
    keys = chance.choice(KEYS)
    press = chance.choice((QTest.mousePress, QTest.mousePress, QTest.mouseDClick))
    press(canvas, Qt.MouseButton.LeftButton, keys, start)
    QTest.mouseMove(canvas, (start + end) / 2)
    QTest.mouseMove(canvas, end)
    if chance.random() < 0.2:
        QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, keys, end)


def type_something(window: MainWindow, chance: random.Random) -> None:
    if window.canvas.state.editor is not None:
        box = window.canvas.state.editor.box
        QTest.keyClicks(box, "3")
        QTest.keyClick(box, chance.choice((Qt.Key.Key_Return, Qt.Key.Key_Tab, Qt.Key.Key_Escape)))


def close_popups(chance: random.Random) -> None:
    popup = QApplication.activePopupWidget()
    if popup is not None and chance.random() < 0.5:
        QTest.keyClick(getattr(popup, "box", popup), Qt.Key.Key_Return)
    while (popup := QApplication.activePopupWidget()) is not None:
        popup.close()


@pytest.mark.parametrize("seed", some_slow([0, 1, 2], (0,)))
def test_whatever_is_pressed_the_canvas_shows_the_graph(window: MainWindow, answered: random.Random, seed: int):
    answered.seed(seed)
    chance = random.Random(seed)
    for _ in range(STEPS):
        act = chance.choices((press_an_action, select, drag, type_something), (6, 2, 2, 1))[0]
        act(window, chance)
        close_popups(chance)
        QApplication.processEvents()
        scene, graph = window.canvas.scene, window.canvas.scope.graph
        assert {id: item.node for id, item in scene.nodes.items()} == dict(graph.nodes)
        assert {dst: link.src for dst, link in scene.links.items()} == dict(graph.links)

"""Panels behind another tab of the same place do nothing until somebody looks at them."""

import gc

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit, QStyle, QWidget

from nodegraph.graph import Graph, Node
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Failed, Idle, Report, Started
from ui.base import theme
from ui.base.restyle import leave_for_later, out_of_sight
from ui.base.theme import LIGHT
from ui.panels import outline
from ui.panels.trajectory import TrajectoryPanel
from ui.runs.describe import state
from ui.widgets.seen import seen
from ui.window.main_window import MainWindow


@pytest.fixture
def window(qtbot, registry, graph) -> MainWindow:
    """Every panel is open; the log is in front of those that share its place."""
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None))
    qtbot.addWidget(made)
    made.tabs.show_document(made.session.new(graph))
    made.resize(1200, 800)
    made.show()
    qtbot.waitExposed(made)
    for title in made.docks.titles:
        made.docks.show(title)
    made.docks.show("Log")
    for _ in range(5):
        QApplication.processEvents()
    return made


def test_a_panel_behind_a_tab_is_not_seen(window: MainWindow):
    behind = [title for title in window.docks.titles if not seen(window.docks[title].widget())]
    beside = window.tabifiedDockWidgets(window.docks["Log"])
    assert len(behind) > 5
    assert behind == [title for title in window.docks.titles if window.docks[title] in beside]


def test_the_trajectory_reads_no_steps_behind_another_panel(window: MainWindow, qtbot, monkeypatch):
    read: list[TrajectoryPanel] = []
    monkeypatch.setattr(TrajectoryPanel, "_show_step", lambda panel: read.append(panel))
    window.runs.planned.emit()
    window.runs.changed.emit(window.docks.panel("Trajectory").node)
    assert not read
    window.docks.show("Trajectory")
    qtbot.waitUntil(lambda: read != [])


def test_memory_is_not_asked_for_behind_another_panel(window: MainWindow, qtbot, monkeypatch):
    asked: list[object] = []
    monkeypatch.setattr(window.engine, "ask", asked.append)
    window.engine.happened.emit(Idle(1, 0, 1.0))
    assert not asked
    window.docks.show("Memory")
    qtbot.waitUntil(lambda: asked == [Report()])


def test_the_outline_says_nothing_of_a_node_until_it_comes_into_view(window: MainWindow, qtbot, monkeypatch):
    window.docks.hide("Outline")
    said: list[str] = []
    monkeypatch.setattr(outline, "state", lambda run, mode: (said.append(state(run, mode)), said[-1])[1])
    for _ in range(3):
        window.runs.take(Started("left", "key", ()))
        window.runs.take(Failed("left", "it is broken", None, ""))
    QApplication.processEvents()
    assert not said
    window.docks.show("Outline")
    qtbot.waitUntil(lambda: "failed: it is broken" in said)
    assert "ailed" in window.docks.panel("Outline").items["left"].text(0)


def test_a_panel_of_another_document_is_made_when_it_comes_to_the_front(window: MainWindow, qtbot):
    window.tabs.new(Graph({"box": Node("toy.box")}))
    assert set(window.workspace.panels) == {"Preview", "Inspector", "Outline"}
    window.docks.show("History")
    assert set(window.workspace.panels) == {"Preview", "Inspector", "Outline", "History"}
    assert seen(window.docks.panel("History"))


def test_a_panel_that_is_made_late_shows_what_was_selected_before(window: MainWindow):
    window.docks.hide("Inspector")
    window.tabs.new(Graph({"box": Node("toy.box")}))
    window.canvas.state.select({"box"})
    window.docks.show("Inspector")
    assert window.docks.panel("Inspector").node == "box"


def has_the_look(widget: QWidget) -> bool:
    """Whether Qt has applied the style sheet to it."""
    return widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished)


def test_a_panel_behind_another_has_a_changed_look_when_it_comes_to_the_front(window: MainWindow):
    parts = [window.docks["Gallery"], *window.docks["Gallery"].findChildren(QWidget)]
    window.settings.change(theme="Light")
    assert not any(map(has_the_look, parts))
    window.docks.show("Gallery")
    assert all(has_the_look(part) for part in parts if part.isVisible())
    window.settings.change(theme="Dark")


class Told(QObject):
    """Notes who is told that the style is another."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self.who: list[QObject] = []
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.StyleChange:
            self.who.append(watched)
        return False


def test_the_canvas_of_another_tab_is_not_told_of_a_changed_look_until_it_is_shown(window: MainWindow, qtbot):
    first = window.canvas
    window.tabs.new(Graph({"box": Node("toy.box")}))
    second = window.canvas
    told = Told(first, second)
    window.settings.change(theme="Light")
    qtbot.waitUntil(lambda: told.who == [second])
    window.tabs.step(1)
    assert told.who == [second, first]
    assert window.canvas.grab().toImage().pixelColor(5, 5).name() == LIGHT.canvas
    window.settings.change(theme="Dark")


def test_what_is_hidden_has_a_changed_look_when_it_is_shown(window: MainWindow):
    hidden = window.preview.comparison
    assert not hidden.isVisible()
    window.settings.change(theme="Light")
    assert not has_the_look(hidden)
    gc.collect()
    hidden.show()
    assert has_the_look(hidden)
    window.settings.change(theme="Dark")


def test_what_qt_hides_in_a_widget_has_a_changed_look_when_it_is_shown_though_python_does_not_hold_it(qtbot):
    text = QPlainTextEdit()
    qtbot.addWidget(text)
    text.resize(200, 100)
    text.show()
    text.setPlainText("a line\n" * 50)
    text.setPlainText("")  # its scroll bar has been seen, and is hidden
    list(map(leave_for_later, out_of_sight(text)))
    gc.collect()
    text.setPlainText("a line\n" * 50)
    qtbot.waitUntil(lambda: text.verticalScrollBar().isVisible())
    assert has_the_look(text.verticalScrollBar())


def test_a_changed_look_leaves_no_style_behind(qtbot, qapp):
    label = QLabel("a word")
    qtbot.addWidget(label)
    label.show()

    def styles() -> int:
        gc.collect()
        return sum(issubclass(type(known), QStyle) for known in gc.get_objects())

    theme.apply(qapp, LIGHT)
    before = styles()
    for look in (theme.DARK, LIGHT) * 3:
        theme.apply(qapp, look)
    theme.apply(qapp, theme.DARK)
    assert styles() == before

"""What the engine said, in words."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from nodegraph.graph import change_node
from nodegraph.running.messages import Failed, Finished, Planned, Progress, Saved, Warned
from tests.ui.engines import LONG, Desk, slow
from ui.base import theme
from ui.panels.log import LEVELS, PIECE, LogPanel


@pytest.fixture
def panel(desk: Desk, qtbot) -> LogPanel:
    made = LogPanel(desk.engine)
    qtbot.addWidget(made)
    made.show()
    return made


def say(panel: LogPanel, desk: Desk) -> None:
    for event in (
        Planned(3, 1),
        Finished("denoise/step", "key", (4,), 0.5, cached=False),
        Progress("denoise/step", 1, 2),
        Warned("this scheduler is deprecated"),
        Saved("save", "/tmp/fox.png"),
        Failed("decode", "KeyError: 'lid'", None, "Traceback\n  line 1"),
    ):
        desk.engine.happened.emit(event)


def lines(panel: LogPanel) -> list[str]:
    return [line.split("  ", 1)[-1] for line in panel.text.toPlainText().splitlines()]


def test_runs_warnings_files_and_failures_are_said_and_every_step_when_asked(panel: LogPanel, desk: Desk):
    say(panel, desk)
    said = [
        "A run of 3 results, 1 of them in the cache",
        "this scheduler is deprecated",
        "save: /tmp/fox.png",
        "decode: KeyError: 'lid'",
        "Traceback",
        "line 1",
    ]
    assert lines(panel) == said
    panel.level.setCurrentIndex(LEVELS.index("step"))
    assert lines(panel) == [said[0], "denoise/step 5: 500 ms", *said[1:]]
    panel.level.setCurrentIndex(LEVELS.index("failure"))
    assert lines(panel) == said[3:]


def warn(panel: LogPanel, desk: Desk, count: int) -> list[str]:
    said = [f"warning {number}" for number in range(count)]
    for sentence in said:
        desk.engine.happened.emit(Warned(sentence))
    return said


@pytest.fixture
def fills(monkeypatch) -> list[LogPanel]:
    """Panels, each as often as it is written anew."""
    found: list[LogPanel] = []
    fill = LogPanel._fill
    monkeypatch.setattr(LogPanel, "_fill", lambda panel: (found.append(panel), fill(panel)))
    return found


def test_another_theme_writes_the_log_once_in_its_colours(fills, panel: LogPanel, desk: Desk, qapp):
    said = warn(panel, desk, 3)
    theme.apply(qapp, theme.LIGHT)
    assert fills == [panel]
    assert lines(panel) == said
    assert panel.text.document().lastBlock().charFormat().foreground().color() == theme.color(theme.LIGHT.stale)
    theme.apply(qapp, theme.LIGHT, 1.2)
    assert fills == [panel]
    theme.apply(qapp, theme.DARK)


def test_a_log_that_nobody_sees_is_written_once_when_it_is_shown(fills, desk: Desk, qtbot, qapp):
    panel = LogPanel(desk.engine)
    qtbot.addWidget(panel)
    said = warn(panel, desk, 3)
    theme.apply(qapp, theme.LIGHT)
    theme.apply(qapp, theme.DARK)
    assert not fills
    assert panel.text.document().isEmpty()
    panel.show()
    qtbot.waitExposed(panel)
    assert fills == [panel]
    assert lines(panel) == said


def test_a_long_log_is_written_piece_by_piece_the_newest_first(panel: LogPanel, desk: Desk, qtbot):
    said = warn(panel, desk, 4 * PIECE + 7)
    panel._fill()
    assert lines(panel) == said[-PIECE:]
    said += warn(panel, desk, 1)
    qtbot.waitUntil(lambda: lines(panel) == said)
    bar = panel.text.verticalScrollBar()
    assert bar.value() == bar.maximum()


def test_the_filter_looks_for_words(panel: LogPanel, desk: Desk):
    say(panel, desk)
    QTest.keyClicks(panel.search, "DEPRECATED")
    assert lines(panel) == ["this scheduler is deprecated"]


def test_copy_takes_the_selection_or_everything(panel: LogPanel, desk: Desk):
    say(panel, desk)
    QTest.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == panel.text.toPlainText()
    QTest.mouseClick(panel.clear, Qt.MouseButton.LeftButton)
    assert lines(panel) == []


def test_a_bug_in_a_node_is_there_with_its_traceback_and_a_warning_of_a_library_too(panel: LogPanel, desk: Desk, qtbot):
    runner = desk.open(change_node(slow(1), "slow", type="toy.bug"))
    runner.run()
    qtbot.waitUntil(lambda: "Traceback" in panel.text.toPlainText(), timeout=LONG)
    assert "KeyError: 'lid'" in panel.text.toPlainText()
    other = desk.open(change_node(slow(1), "slow", type="toy.mutter"))
    other.run()
    qtbot.waitUntil(lambda: "the lid is loose" in panel.text.toPlainText(), timeout=LONG)

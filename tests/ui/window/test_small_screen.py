"""The window on a small screen: nothing makes it wider, and every button can be reached."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QRect
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Finished
from nodegraph.types import Picture
from tests.examples import some_slow
from ui.widgets.buttons import small_button
from ui.widgets.flow import FlowLayout
from ui.window.main_window import MainWindow
from ui.window.panels import PANELS


@pytest.fixture(scope="module")
def window(qapp: QApplication, registry: Registry) -> Iterator[MainWindow]:
    """One for all panels: showing another one puts the one before behind it."""
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None))
    made.resize(800, 600)
    made.show()
    QTest.qWaitForWindowExposed(made)
    yield made
    made.settings.change(text_scale=1.0)
    made.close()
    made.deleteLater()


@pytest.mark.parametrize("scale", some_slow([1.0, 1.3], (1.3,)))
@pytest.mark.parametrize("title", [panel.title for panel in PANELS])
def test_a_panel_fits_a_screen_of_800_by_600_with_all_its_buttons(window: MainWindow, title: str, scale: float, qtbot):
    window.settings.change(text_scale=scale)
    window.docks.show(title)
    panel = window.docks[title].widget()

    def all_there() -> None:
        """In the end: a panel that was never shown is laid out in several turns."""
        assert window.size().toTuple() == (800, 600)
        for button in panel.findChildren(QAbstractButton):
            place = QRect(button.mapTo(panel, button.rect().topLeft()), button.size())
            assert not button.isVisible() or panel.rect().contains(place), button.text()
            assert not button.isVisible() or button.width() >= button.minimumSizeHint().width(), button.text()

    qtbot.waitUntil(lambda: panel.isVisible())
    qtbot.waitUntil(all_there)


@pytest.mark.parametrize("size", [(1000, 700), (1366, 768)])
def test_nothing_of_the_preview_lies_over_another_part_in_large_text(window: MainWindow, size: tuple[int, int]):
    window.resize(*size)
    window.settings.change(text_scale=1.7)
    for title in ("Preview", "Inspector"):
        window.docks.show(title)
    window.runs.take(Finished("sum", "key", (), 0.1, cached=False, picture=Picture(8, 8, bytes(192))))
    try:
        for _ in range(8):
            QApplication.processEvents()
        preview = window.preview
        assert preview.caption.text()
        parts = [part for part in (preview.view, preview.caption, preview.strip) if part.isVisible()]
        for part in parts:
            assert preview.rect().contains(part.geometry())
            assert not any(part.geometry().intersects(other.geometry()) for other in parts if other is not part)
    finally:
        window.resize(800, 600)
        window.settings.change(text_scale=1.0)


def buttons(qtbot, width: int) -> tuple[QWidget, list[QWidget]]:
    """Four buttons in a row of that width."""
    made = QWidget()
    qtbot.addWidget(made)
    parts: list[QWidget] = [small_button(text, lambda: None, "") for text in ("Cancel", "Retry", "Remove", "Clear")]
    made.setLayout(FlowLayout(*parts, growing=parts[1]))
    made.resize(width, 120)
    made.show()
    qtbot.waitExposed(made)
    return made, parts


def test_a_row_that_has_room_is_one_line_and_one_of_it_takes_what_is_left(qtbot):
    made, parts = buttons(qtbot, 600)
    assert len({part.y() for part in parts}) == 1
    assert parts[-1].geometry().right() == made.rect().right()
    assert parts[1].width() > 2 * parts[0].width()


def test_a_row_without_room_goes_on_below_and_nothing_overlaps(qtbot):
    made, parts = buttons(qtbot, 170)
    assert len({part.y() for part in parts}) > 1
    for index, part in enumerate(parts):
        assert made.rect().contains(part.geometry())
        assert not any(part.geometry().intersects(other.geometry()) for other in parts[index + 1 :])
    assert made.layout().heightForWidth(170) > made.layout().heightForWidth(600)

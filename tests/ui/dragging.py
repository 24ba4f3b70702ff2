"""A card of the panel of models, dragged with the mouse to a place of the window."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QDrag, QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from ui.panels.models import ModelsPanel

LEFT = Qt.MouseButton.LeftButton


def click_card(panel: ModelsPanel, row: int) -> QPoint:
    """Where that is in the list."""
    panel.list.scrollTo(panel.rows.index(row))
    place = panel.list.visualRect(panel.rows.index(row)).center()
    QTest.mouseClick(panel.list.viewport(), LEFT, pos=place)
    return place


def drag_card(panel: ModelsPanel, row: int, window: QWidget, place: QPointF, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system does between the press and the drop is done here."""

    def carry(dragged: QDrag, actions: Qt.DropAction) -> Qt.DropAction:
        args = (actions, dragged.mimeData(), LEFT, Qt.KeyboardModifier.NoModifier)
        for event in (QDragEnterEvent(place.toPoint(), *args), QDragMoveEvent(place.toPoint(), *args)):
            QApplication.sendEvent(window, event)
        QApplication.sendEvent(window, QDropEvent(place, *args))
        return actions

    monkeypatch.setattr(QDrag, "exec", carry)
    start, view = click_card(panel, row), panel.list.viewport()
    QTest.mousePress(view, LEFT, pos=start)
    for step in (5, 15, 40):
        QTest.mouseMove(view, start + QPoint(step, 0))
    QTest.mouseRelease(view, LEFT, pos=start)

"""A label that gives way: what has no room is cut with an ellipsis, and told when the pointer rests on it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QToolTip


class ShortLabel(QLabel):
    """One line of plain text. keep: letters that always have room."""

    def __init__(self, text: str = "", keep: int = 1) -> None:
        super().__init__(text)
        self._keep = keep
        self.setTextFormat(Qt.TextFormat.PlainText)

    def minimumSizeHint(self) -> QSize:
        whole = super().minimumSizeHint()
        return QSize(min(self._keep * self.fontMetrics().averageCharWidth(), whole.width()), whole.height())

    @property
    def shown(self) -> str:
        """As much of the text as has room."""
        metrics, room = self.fontMetrics(), self.contentsRect().width()
        return metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, room)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self.shown)

    def event(self, event: QEvent) -> bool:
        cut = isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self.shown != self.text()
        if isinstance(event, QHelpEvent) and cut and not self.toolTip():
            QToolTip.showText(event.globalPos(), self.text(), self)
            return True
        return super().event(event)

"""The picture of the preview on a whole screen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QPaintEvent

from ui.panels.preview import Preview
from ui.widgets.picture_view import PictureView


class Viewer(PictureView):
    """Shows what the preview shows, one picture or two; the arrow keys go along its strip, C changes how two are shown,
    Esc ends it.

    The zoom stays where it is: one looks at the same place of the next picture.
    """

    def __init__(self, preview: Preview, step: Callable[[int], object] | None = None) -> None:
        """step: what the arrow keys do instead, told 1 for the next."""
        super().__init__(preview)
        self.preview, self._step = preview, step
        self.setWindowFlag(Qt.WindowType.Window)
        self.setWindowTitle("Picture")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        preview.view.shown.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        of = self.preview.view
        self.a, self.b, self.small, self.mode, self.said = of.a, of.b, of.small, of.mode, of.said
        super().paintEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Escape | Qt.Key.Key_F11:
                self.close()
            case Qt.Key.Key_C if self.mode != "single":
                self.preview.compare("side" if self.mode == "slider" else "slider")
            case Qt.Key.Key_Left | Qt.Key.Key_Right if self._step and self.mode == "single":
                self._step(1 if event.key() == Qt.Key.Key_Right else -1)
            case Qt.Key.Key_Left | Qt.Key.Key_Right if self.mode != "slider":
                self.preview.keyPressEvent(event)
            case _:
                super().keyPressEvent(event)

"""The picture of the preview on a whole screen."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QPaintEvent

from ui.panels.preview import Preview
from ui.widgets.picture_view import PictureView


class Viewer(PictureView):
    """Shows what the preview shows, one picture or two; the arrow keys go along its strip, Esc ends it.

    The zoom stays where it is: one looks at the same place of the next picture.
    """

    def __init__(self, preview: Preview) -> None:
        super().__init__(preview)
        self.preview = preview
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
            case Qt.Key.Key_Left | Qt.Key.Key_Right if self.mode != "slider":
                self.preview.keyPressEvent(event)
            case _:
                super().keyPressEvent(event)

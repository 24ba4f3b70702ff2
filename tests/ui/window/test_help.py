"""What the program says about itself."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from ui.window.help import GUIDE, GuideDialog


def test_the_guide_is_there_and_leads_to_its_other_pages_and_back(qtbot):
    dialog = GuideDialog()
    qtbot.addWidget(dialog)
    assert "How to think of it" in dialog.page.toPlainText()
    dialog.page.setSource(GUIDE.parent.joinpath("canvas.md").as_uri())
    assert "Selecting and moving" in dialog.page.toPlainText()
    back = next(button for button in dialog.findChildren(QPushButton) if button.text() == "Back")
    QTest.mouseClick(back, Qt.MouseButton.LeftButton)
    assert "How to think of it" in dialog.page.toPlainText()

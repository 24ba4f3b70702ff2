"""Whether anybody is there, by what comes to the window."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from ui.base.presence import Presence


def test_a_key_and_the_mouse_say_that_somebody_is_there(qtbot):
    field = QLineEdit()
    qtbot.addWidget(field)
    field.show()
    qtbot.waitExposed(field)
    presence = Presence()
    window = field.windowHandle()
    assert window is not None
    presence.watch(window)
    for act in (
        lambda: QTest.keyClick(window, Qt.Key.Key_A),
        lambda: QTest.mouseClick(window, Qt.MouseButton.LeftButton),
    ):
        presence._touched -= 1000
        assert presence.away() >= 1000
        act()
        assert presence.away() < 1000
    assert field.text() == "a"  # it looks, and takes nothing

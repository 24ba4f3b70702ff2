"""What is asked of the desktop: to tell a person something, and not to fall asleep. Nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QTimer
from PySide6.QtDBus import QDBusConnection, QDBusMessage
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

PORTAL = "org.freedesktop.portal.Desktop"
SCREEN_SAVER = "org.freedesktop.ScreenSaver"
SHOWN_MS = 10_000  # of a message beside the tray
AWAKE = "denoodle-awake"  # the name of a connection of its own

Sink = Callable[[str, str], bool]
"""Tells a person something, a title and a text; whether it can."""


def by_portal(title: str, text: str) -> bool:
    """Where desktops of today have it (the Notification portal of freedesktop.org)."""
    bus = QDBusConnection.sessionBus()
    if not _offers(bus, PORTAL):
        return False
    path, interface = "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Notification"
    message = QDBusMessage.createMethodCall(PORTAL, path, interface, "AddNotification")
    message.setArguments(["denoodle", {"title": title, "body": text}])
    return bus.send(message)


def by_tray(title: str, text: str) -> bool:
    """Beside the icon that it puts into the tray for so long."""
    if not (QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages()):
        return False
    icon = QSystemTrayIcon(QGuiApplication.windowIcon(), QApplication.instance())
    icon.show()
    icon.showMessage(title, text, QGuiApplication.windowIcon(), SHOWN_MS)
    icon.messageClicked.connect(icon.deleteLater)
    QTimer.singleShot(2 * SHOWN_MS, icon, icon.deleteLater)
    return True


SINKS: Sequence[Sink] = (by_portal, by_tray)


def tell(window: QWidget, title: str, text: str, sinks: Sequence[Sink] = SINKS) -> None:
    """By the first that can; and the window's entry in the bar of windows asks to be looked at."""
    any(sink(title, text) for sink in sinks)
    QApplication.alert(window)


class Awake:
    """Keeps the computer from falling asleep for having nothing to do, where the desktop lets a program ask for that
    (org.freedesktop.ScreenSaver). It ends with the connection, and so with the process.
    """

    def __init__(self) -> None:
        self.held = False

    def hold(self, on: bool) -> None:
        if on == self.held:
            return
        self.held = on
        if on:
            _inhibit()
        else:
            QDBusConnection.disconnectFromBus(AWAKE)


def _inhibit() -> None:
    bus = QDBusConnection.connectToBus(QDBusConnection.BusType.SessionBus, AWAKE)
    if _offers(bus, SCREEN_SAVER):
        message = QDBusMessage.createMethodCall(SCREEN_SAVER, "/ScreenSaver", SCREEN_SAVER, "Inhibit")
        message.setArguments(["Denoodle", "The queue is at work"])
        bus.send(message)


def _offers(bus: QDBusConnection, service: str) -> bool:
    return bus.isConnected() and bool(bus.interface().isServiceRegistered(service).value())

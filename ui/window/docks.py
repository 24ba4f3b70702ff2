"""The panels around the canvas: some belong to the document that is shown, some to the program."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from ui.base.icons import icon
from ui.base.restyle import restyle
from ui.window.workspace import Workspace

LEFT = Qt.DockWidgetArea.LeftDockWidgetArea
RIGHT = Qt.DockWidgetArea.RightDockWidgetArea
BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea
WIDTH = 420  # pixels of what lies at the right, at a first start
SHARE = 0.31
"""Of the width of a window that it takes at most when that is made narrower."""

PLACED = (
    QEvent.Type.Resize,
    QEvent.Type.Move,
    QEvent.Type.Show,
    QEvent.Type.Hide,
    QEvent.Type.WindowStateChange,
)


class Docks(QObject):
    """Docks by title. Those at the bottom share one place, as tabs; at first only those at the right are shown."""

    placed = Signal()  # one of them, or the window, has another size or place, or is shown or hidden

    _whole = False
    """Here too: Qt still asks a filter that Python has emptied, on its way out with the window."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._whole = True
        self._docks: dict[str, QDockWidget] = {}
        self._stacks: dict[str, QStackedWidget] = {}
        self._panels: dict[str, Callable[[Workspace], QWidget]] = {}  # made when it is first asked for
        self._front: set[str] = set()  # that somebody can see
        self._given_up = 0  # how wide what lies at the right was before the window was too narrow for it
        self._away: tuple[str, ...] = ()  # that were hidden together, those in front last
        self._workspace: Workspace | None = None
        window.setDockOptions(QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        window.setCorner(Qt.Corner.BottomRightCorner, RIGHT)
        window.installEventFilter(self)

    def __getitem__(self, title: str) -> QDockWidget:
        return self._docks[title]

    @property
    def titles(self) -> tuple[str, ...]:
        return tuple(self._docks)

    def add_for_documents(self, title: str, area: Qt.DockWidgetArea, make: Callable[[Workspace], QWidget]) -> None:
        """A panel that every workspace has of its own. make: for a workspace, when somebody sees it."""
        self._add(title, area, lambda workspace: workspace.panel(title, make))

    def add(self, title: str, area: Qt.DockWidgetArea, make: Callable[[], QWidget]) -> None:
        """A panel that there is once. make: when somebody sees it."""
        made = cache(make)
        self._add(title, area, lambda _: made())

    def _add(self, title: str, area: Qt.DockWidgetArea, panel: Callable[[Workspace], QWidget]) -> None:
        self._panels[title] = panel
        stack = self._stacks[title] = QStackedWidget()
        stack.addWidget(QWidget())  # while nobody sees what belongs there
        dock = QDockWidget(title, self._window)
        dock.setObjectName(title)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetClosable
            | QDockWidget.DockWidgetFeature.DockWidgetFloatable
        )
        dock.setTitleBarWidget(_TitleBar(dock))
        dock.setWidget(stack)
        beside = [other for other in self._docks.values() if self._window.dockWidgetArea(other) == area == BOTTOM]
        self._window.addDockWidget(area, dock)
        if beside:
            self._window.tabifyDockWidget(beside[-1], dock)
        dock.setVisible(area == RIGHT)
        self._docks[title] = dock
        dock.visibilityChanged.connect(partial(self._came_to_front, title))
        dock.installEventFilter(self)

    def _in(self, area: Qt.DockWidgetArea) -> list[QDockWidget]:
        return [dock for dock in self._docks.values() if self._window.dockWidgetArea(dock) == area]

    def arrange(self) -> None:
        """The sizes of a first start."""
        right, bottom = self._in(RIGHT), self._in(BOTTOM)
        self._window.resizeDocks(right[:1], [WIDTH], Qt.Orientation.Horizontal)
        self._window.resizeDocks(right[:2], [420, 480], Qt.Orientation.Vertical)
        self._window.resizeDocks(bottom[:1], [200], Qt.Orientation.Vertical)

    def _fit(self, narrower: bool) -> None:
        """What lies at the right takes no more than its share of a window that is made narrower, if it can do with so
        little; what it gave up then it has again when there is room. As wide as a person makes it, it stays.
        """
        shown = [dock for dock in self._in(RIGHT) if dock.isVisible() and not dock.isFloating()]
        if not shown:
            return
        now, share = shown[0].width(), round(self._window.width() * SHARE)
        if narrower and now > share:
            self._given_up = max(self._given_up, now)
            self._window.resizeDocks(shown[:1], [share], Qt.Orientation.Horizontal)
        elif not narrower and now < (wanted := min(self._given_up, share)):
            self._window.resizeDocks(shown[:1], [wanted], Qt.Orientation.Horizontal)

    def panel(self, title: str) -> QWidget:
        """What the dock shows, or would show of the document that is looked at now."""
        assert self._workspace is not None, "no document is shown yet"
        return self._panels[title](self._workspace)

    def show(self, title: str) -> None:
        """In front of those that share its place."""
        self._docks[title].show()
        self._docks[title].raise_()

    def hide(self, title: str) -> None:
        self._docks[title].hide()

    def put_away(self) -> None:
        """The window closes: windows of their own would stay, and be hidden when Python has left them."""
        for dock in self._docks.values():
            if dock.isFloating():
                dock.hide()

    def toggle_all(self) -> None:
        """Hide all of them; or, where none is shown, bring back those that were."""
        shown = sorted(
            (title for title, dock in self._docks.items() if not dock.isHidden()), key=self._front.__contains__
        )
        if shown:
            self._away = tuple(shown)
            for title in shown:
                self.hide(title)
        else:
            for title in self._away or self.titles[:1]:
                self.show(title)

    def show_workspace(self, workspace: Workspace) -> None:
        """A panel that nobody sees is shown, and made if need be, when it comes to the front."""
        self._workspace = workspace
        for title in self._stacks:
            if title in self._front:
                self._show_panel(title)
            else:
                self._hide_panel(title)

    @property
    def behind(self) -> list[QDockWidget]:
        """Those behind the tab of another one: Qt calls what is in them visible."""
        return [dock for title, dock in self._docks.items() if title not in self._front]

    def _came_to_front(self, title: str, visible: bool) -> None:
        """Or went from there. It is behind the tab of another one that Qt calls a dock invisible, too."""
        if visible:
            restyle(self._docks[title])
            self._front.add(title)
            self._show_panel(title)
        else:
            self._front.discard(title)
            self._hide_panel(title)

    def _hide_panel(self, title: str) -> None:
        """So that it does nothing: behind the tab of another dock, Qt calls it visible."""
        stack = self._stacks[title]
        if _has_focus(stack):
            self._window.centralWidget().setFocus()
        stack.setCurrentIndex(0)

    def _show_panel(self, title: str) -> None:
        if self._workspace is None:
            return
        stack, panel = self._stacks[title], self.panel(title)
        if stack.indexOf(panel) < 0:
            stack.addWidget(panel)
        stack.setCurrentWidget(panel)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in PLACED or not self._whole:
            return False
        if watched is self._window and isinstance(event, QResizeEvent):
            narrower = event.size().width() < event.oldSize().width() or event.oldSize().width() < 0
            QTimer.singleShot(0, self, partial(self._fit, narrower))  # when Qt has laid out its own way
        if event.type() == QEvent.Type.Hide and watched is not self._window and _has_focus(watched):
            # Or else it would go to any field of another panel, which the next key would change.
            self._window.centralWidget().setFocus()
        self.placed.emit()
        return False


def _has_focus(dock: QObject) -> bool:
    focus = QApplication.focusWidget()
    return focus is not None and isinstance(dock, QWidget) and dock.isAncestorOf(focus)


class _TitleBar(QWidget):
    """The name, a button that makes a window of the panel and back, and one that hides it."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        title = dock.windowTitle()
        name = QLabel(title)
        name.setObjectName("title")
        self.float = _button("picture-in-picture-2", f"Make a window of {title}, or put it back (double click)")
        self.float.clicked.connect(lambda: dock.setFloating(not dock.isFloating()))
        close = _button("x", f"Hide {title}; the View menu shows it again")
        close.clicked.connect(dock.close)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 8, 0)
        row.addWidget(name)
        row.addStretch(1)
        row.addWidget(self.float)
        row.addWidget(close)


def _button(drawing: str, tip: str) -> QToolButton:
    made = QToolButton()
    made.setObjectName("close")
    made.setIcon(icon(drawing, "dim"))
    made.setToolTip(tip)
    made.setAccessibleName(tip.partition(";")[0])
    return made

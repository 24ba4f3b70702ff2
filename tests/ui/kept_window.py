"""One window for test after test: to make one takes 0.15 s, to give it another document a tenth of that."""

from dataclasses import asdict

from PySide6.QtCore import QEvent, QSize
from PySide6.QtWidgets import QApplication

from nodegraph.graph import Graph
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from ui.base.settings import Preferences
from ui.window.main_window import MainWindow


def leave(window: MainWindow) -> None:
    """Whoever closes it is not asked about changes."""
    for document in window.session.documents:
        document.undo_stack.setClean()


def _shown(window: MainWindow) -> dict[str, tuple[bool, bool]]:
    """Of each panel, whether it is hidden, and whether it is a window of its own."""
    docks = {title: window.docks[title] for title in window.docks.titles}
    return {title: (dock.isHidden(), dock.isFloating()) for title, dock in docks.items()}


class KeptWindow:
    """A window that nothing is started in, for each test as if it were new. Where a test started or closed it, the next
    one has another.
    """

    def __init__(self, registry: Registry, engine: EngineSettings, size: QSize) -> None:
        self._registry, self._engine, self._size = registry, engine, size
        self._window: MainWindow | None = None

    def open(self, graph: Graph | None = None) -> MainWindow:
        """With this graph alone, or with an untouched document."""
        window = self._window
        if window is None or window.started or not window.isVisible():
            self.close()
            window = self._make()
            if graph is not None:
                window.tabs.show_document(window.session.new(graph))
        else:
            self._renew(window, graph)
        window.activateWindow()
        return window

    def _make(self) -> MainWindow:
        window = self._window = MainWindow(self._registry, self._engine)
        window.resize(self._size)
        window.show()
        QApplication.processEvents()
        self._layout, self._shown = window.saveState(), _shown(window)
        self._checked = {id: action.isChecked() for id, action in window.actions_by_id.items()}
        return window

    def _renew(self, window: MainWindow, graph: Graph | None) -> None:
        for other in QApplication.topLevelWidgets():
            if other is not window and other.isVisible():
                other.close()
        self._put_back(window)
        leave(window)
        before = window.tabs.workspaces
        window.tabs.new(graph)
        for workspace in before:
            if workspace in window.tabs.workspaces:  # an untouched one was replaced
                window.tabs.close_tab(workspace)
        for kind in (QEvent.Type.DeferredDelete, QEvent.Type.LayoutRequest):
            QApplication.sendPostedEvents(None, kind)

    def _put_back(self, window: MainWindow) -> None:
        """Settings, switches, panels, size and what is said at the foot."""
        window.settings.change(**asdict(Preferences()))
        for id, checked in self._checked.items():
            if window.actions_by_id[id].isChecked() != checked:
                window.actions_by_id[id].trigger()
        if self._shown != _shown(window):
            window.restoreState(self._layout)
        window.resize(self._size)
        window.status_bar._forget()

    def close(self) -> None:
        if (window := self._window) is not None:
            leave(window)
            window.close()
            window.deleteLater()
            self._window = None

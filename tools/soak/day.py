"""What a person does all day, drawn at random: every act is one that mouse, keys or menus can do."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

from PySide6.QtCore import QObject, QPoint, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph.formats import workflow
from ui.panels.gallery import GalleryPanel
from ui.panels.trajectory import TrajectoryPanel
from ui.window.main_window import MainWindow

WORKFLOWS = Path(__file__).parents[2] / "workflows"
OPENED = ("text_to_image.json", "learn/01_*.json", "learn/02_*.json", "learn/05_*.json", "learn/09_*.json")
PAUSE = (220, 600)  # ms between two acts: longer than a drag
MOVES, FRAME = 12, 16  # of the mouse in one drag, and ms between them
NIGHTFALL = 2500  # ms until what was told to stop has stopped, what is to be seen is painted, and memory is given back
MAX_TABS = 6
WORDS = ("a red apple", "a cat", "two green leaves on a white background", "a rocket on a purple background", "")


class Day(QObject):
    """Acts at random moments until it is told to stop; every evening the desk is cleared and `evening` emitted.

    acts: how often each was done. costs: the longest that each has computed, in seconds of the window's thread, without
    what comes of it later. dialogs: what windows said that had to be dismissed.
    """

    evening = Signal()

    def __init__(self, window: MainWindow, folder: Path, chance: Random, seconds: float) -> None:
        """folder: where documents are saved. seconds: of one day."""
        super().__init__(window)
        self.window, self.folder, self.chance = window, folder, chance
        self.acts: Counter[str] = Counter()
        self.costs: dict[str, float] = {}
        self.dialogs: list[str] = []
        self._next = QTimer(self, singleShot=True)
        self._next.timeout.connect(self._act)
        self._dusk = QTimer(self, interval=round(seconds * 1000))
        self._dusk.timeout.connect(self._clear_the_desk)
        self._graphs = [workflow.load(path) for name in OPENED for path in sorted(WORKFLOWS.glob(name))]

    def start(self) -> None:
        self._look, self._panels = self.window.settings.now, self.window.saveState()
        self.window.tabs.new(self._graphs[0], "Text to image")
        self._dusk.start()
        self._next.start(0)

    def stop(self) -> None:
        self._next.stop()
        self._dusk.stop()

    def _act(self) -> None:
        self._dismiss()
        acts, weights = zip(*self._all_acts(), strict=True)
        act = self.chance.choices(acts, weights)[0]
        name = act.__name__.removeprefix("_").replace("_", " ")
        self.acts[name] += 1
        self._next.start(self.chance.randint(*PAUSE))  # first: the day goes on though an act raises
        before = time.thread_time()
        act()
        self.costs[name] = max(self.costs.get(name, 0.0), time.thread_time() - before)

    def _dismiss(self) -> None:
        while (popup := QApplication.activePopupWidget() or QApplication.activeModalWidget()) is not None:
            if popup.isModal():
                self.dialogs.append(" ".join(filter(None, (popup.windowTitle(), getattr(popup, "text", str)()))))
            popup.close()

    def _clear_the_desk(self) -> None:
        """Everything that a person would put away: what is in memory afterwards is what the program keeps.

        And the same things are seen each evening: an engine has two threads, and a wide canvas megabytes of picture.
        """
        self._next.stop()
        self._put_away = iter(self._all_put_away())
        self._tidy()

    def _tidy(self) -> None:
        """One thing after the other, as a person does; the window takes events in between."""
        if (put_away := next(self._put_away, None)) is None:
            QTimer.singleShot(NIGHTFALL, self._night)
        else:
            QTimer.singleShot(FRAME, self, self._tidy)
            put_away()

    def _all_put_away(self) -> Iterator[Callable[[], object]]:
        window = self.window
        yield self._dismiss
        yield window.runner.stop
        yield lambda: window.settings.change(live=False)
        yield lambda: window.settings.change(theme=self._look.theme, text_scale=self._look.text_scale)
        if window.actions_by_id["view.app"].isChecked():
            yield lambda: self._press("view.app")
        yield lambda: window.restoreState(self._panels)
        yield lambda: [window.queue.remove(job.id) for job in tuple(window.queue.jobs)]
        for workspace in window.tabs.workspaces:
            yield workspace.document.undo_stack.setClean
            yield partial(window.tabs.close_tab, workspace)
        yield lambda: window.gallery.remove(*window.gallery.pictures)
        yield window.log.clear.click

    def _night(self) -> None:
        self.window.engine.start()  # if it was killed today
        self.evening.emit()
        self.window.tabs.new(self._graphs[0], "Text to image")
        self._next.start(0)

    # Acts ---------------------------------------------------------------------------------------------

    def _press(self, id: str) -> None:
        if self.window.actions_by_id[id].isEnabled():
            self.window.actions_by_id[id].trigger()

    def _drag(self, start: QPointF, end: QPointF, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        """On the canvas, in its pixels: a move each time that the window has time for one."""
        canvas = self.window.canvas
        moves = [(start + (end - start) * step / MOVES).toPoint() for step in range(1, MOVES + 1)]
        QTest.mousePress(canvas, button, pos=start.toPoint())

        def go_on() -> None:
            if moves:
                QTest.mouseMove(canvas, moves.pop(0))
                QTimer.singleShot(FRAME, canvas, go_on)
            else:
                QTest.mouseRelease(canvas, button, pos=end.toPoint())

        go_on()

    def _aside(self, by: float) -> QPointF:
        return QPointF(self.chance.uniform(-by, by), self.chance.uniform(-by, by))

    def _some_node(self) -> QRectF | None:
        """Where one is on the screen."""
        canvas = self.window.canvas
        rects = [canvas.state.view.rect_to_screen(item.rect) for item in canvas.scene.nodes.values()]
        seen = [rect for rect in rects if QRectF(canvas.rect()).contains(rect)]
        return self.chance.choice(seen) if seen else None

    def _move_a_node(self) -> None:
        if (rect := self._some_node()) is not None:
            at = rect.topLeft() + QPointF(rect.width() / 2, min(10.0, rect.height() / 2))
            self._drag(at, at + self._aside(150))

    def _drag_a_wire(self) -> None:
        if (rect := self._some_node()) is not None:
            start = QPointF(rect.right(), rect.top() + self.chance.uniform(0, rect.height()))
            self._drag(start, start + self._aside(250))

    def _drag_a_number(self) -> None:
        canvas = self.window.canvas
        rows = [(item, row) for item in canvas.scene.nodes.values() for row in item.shape.rows if row.editable]
        if rows:
            item, row = self.chance.choice(rows)
            at = canvas.state.view.to_screen(item.pos + row.rect.center())
            if canvas.rect().contains(at.toPoint()):
                self._drag(at, at + QPointF(self.chance.uniform(-60, 60), 0))

    def _pan(self) -> None:
        middle = QPointF(self.window.canvas.rect().center())
        self._drag(middle, middle + self._aside(200), Qt.MouseButton.MiddleButton)

    def _zoom(self) -> None:
        canvas = self.window.canvas
        at = QPointF(canvas.rect().center())
        turn = QPoint(0, self.chance.choice((-240, -120, 120, 240)))
        none = Qt.KeyboardModifier.NoModifier
        event = QWheelEvent(
            at,
            canvas.mapToGlobal(at),
            QPoint(),
            turn,
            Qt.MouseButton.NoButton,
            none,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, event)

    def _fit(self) -> None:
        self._press("canvas.fit")

    def _type_a_prompt(self) -> None:
        document = self.window.document
        prompts = [id for id, node in document.graph.nodes.items() if isinstance(node.params.get("text"), str)]
        if prompts:
            id, text = self.chance.choice(prompts), self.chance.choice(WORDS)
            for end in range(1, len(text) + 1):  # a letter is an edit, merged with those before
                document.set_param(id, "text", text[:end], merge=("typed", id))

    def _edit(self) -> None:
        """Some action of the canvas, on some nodes."""
        canvas = self.window.canvas
        nodes = list(canvas.scene.nodes)
        canvas.state.select(self.chance.sample(nodes, min(len(nodes), self.chance.randint(1, 4))))
        if len(nodes) < 60:
            self._press(
                f"canvas.{self.chance.choice(('duplicate', 'copy', 'paste', 'group', 'note', 'frame', 'delete'))}"
            )
        else:
            self._press("canvas.delete")
        self._press(f"canvas.{self.chance.choice(('mute', 'fold', 'ungroup', 'arrange', 'select_none'))}")

    def _undo(self) -> None:
        for _ in range(self.chance.randint(1, 8)):
            self._press("edit.undo")

    def _redo(self) -> None:
        for _ in range(self.chance.randint(1, 4)):
            self._press("edit.redo")

    def _run(self) -> None:
        self.window.run()

    def _stop(self) -> None:
        self._press("run.stop")

    def _queue(self) -> None:
        document = self.window.document
        for _ in range(self.chance.randint(1, 3)):
            if "noise" in document.graph.nodes:
                document.set_param("noise", "seed", self.chance.randrange(2**32))
            self._press("run.queue")
        self.window.docks.show("Queue")

    def _cancel(self) -> None:
        queue = self.window.queue
        if queue.jobs:
            self.chance.choice((queue.cancel, queue.retry, queue.remove))(self.chance.choice(queue.jobs).id)
        if self.chance.random() < 0.2:
            queue.clear_over()

    def _live(self) -> None:
        self._press("run.live")

    def _open_a_tab(self) -> None:
        if self.window.tabs.count() < MAX_TABS:
            self.window.tabs.new(self.chance.choice(self._graphs), "From a template")

    def _close_a_tab(self) -> None:
        self.window.document.undo_stack.setClean()
        self._press("file.close")

    def _switch_tabs(self) -> None:
        self.window.tabs.step(self.chance.choice((1, -1)))

    def _save(self) -> None:
        tabs = self.window.tabs
        path = self.folder / f"{self.chance.randrange(8)}.json"
        if tabs.session.find(path) in (None, self.window.document):
            tabs.save_to(path)

    def _open_a_file(self) -> None:
        path = self.folder / f"{self.chance.randrange(8)}.json"
        if path.exists() and self.window.tabs.count() < MAX_TABS:
            self.window.open(path)

    def _look_at_a_panel(self) -> None:
        docks = self.window.docks
        title = self.chance.choice(docks.titles)
        (docks.show if self.chance.random() < 0.8 else docks.hide)(title)

    def _look_through_the_gallery(self) -> None:
        self.window.docks.show("Gallery")
        gallery, panel = self.window.gallery, self.window.docks.panel("Gallery")
        assert isinstance(panel, GalleryPanel)
        if gallery.pictures:
            path = self.chance.choice(list(gallery.pictures))
            gallery.star(path, on=self.chance.random() < 0.5)
            if rows := panel.shown.rowCount():
                panel.tiles.setCurrentIndex(panel.shown.index(self.chance.randrange(rows), 0))

    def _scrub(self) -> None:
        self.window.docks.show("Trajectory")
        trajectory = self.window.docks.panel("Trajectory")
        assert isinstance(trajectory, TrajectoryPanel)
        trajectory.slider.setFocus()  # or else the keys are the canvas's, which goes from node to node
        for _ in range(5):
            QTest.keyClick(trajectory.slider, self.chance.choice((Qt.Key.Key_Left, Qt.Key.Key_Right)))

    def _change_the_look(self) -> None:
        looks = [id for id in self.window.actions_by_id if id.startswith(("view.theme_", "view.text_"))]
        self._press(self.chance.choice(looks))

    def _app_view(self) -> None:
        self._press("view.app")

    def _kill_the_engine(self) -> None:
        if pid := self.window.engine.pid:
            with suppress(ProcessLookupError):  # it is dead already, and the next one starts
                os.kill(pid, signal.SIGKILL)

    def _all_acts(self) -> tuple[tuple[Callable[[], None], float], ...]:
        """What is done, and how often in relation to the rest."""
        return (
            (self._move_a_node, 8), (self._drag_a_wire, 3), (self._drag_a_number, 8), (self._pan, 6), (self._zoom, 6),
            (self._fit, 4), (self._type_a_prompt, 4), (self._edit, 6), (self._undo, 4), (self._redo, 2), (self._run, 6),
            (self._stop, 2), (self._queue, 3), (self._cancel, 2), (self._live, 1), (self._open_a_tab, 3),
            (self._close_a_tab, 2), (self._switch_tabs, 4), (self._save, 2), (self._open_a_file, 2),
            (self._look_at_a_panel, 5), (self._look_through_the_gallery, 4), (self._scrub, 3),
            (self._change_the_look, 1), (self._app_view, 1), (self._kill_the_engine, 0.3),
        )  # fmt: skip

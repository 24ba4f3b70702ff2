"""The tour of the first start: a card beside the place it speaks of, until the user's first own picture is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from nodegraph.domain import TourStep
from nodegraph.graph import Diff
from nodegraph.node import Input, Multiline
from ui.base.theme import color, colors, scaled
from ui.canvas.scene.items import NodeItem
from ui.documents.document import Document
from ui.runs.run_state import RunState
from ui.window.shell import Shell

CARD_WIDTH = 340
EDITOR = QSize(260, 120)  # pixels by which an editor may reach beyond its node
GAP = 16  # pixels between the card and what it speaks of


def _spoken_of(window: Shell, place: str) -> NodeItem | None:
    """The first node with what a step speaks of: a text, or one of the numbers."""
    numbers = {step.parameter for step in window.document.registry.domain.tour}
    wanted: dict[str, Callable[[Input], bool]] = {
        "text": lambda spec: spec.get(Multiline) is not None,
        "number": lambda spec: spec.name in numbers,
    }
    if place not in wanted:
        return None
    item = next((i for i in window.canvas.scene.nodes.values() if any(map(wanted[place], i.type.inputs))), None)
    return None if item is None or item.type.annotation else item


def _go_near(window: Shell, place: str) -> None:
    """Parameters of nodes that are far away are not drawn, and cannot be clicked."""
    if item := _spoken_of(window, place):
        window.canvas.state.approach(item.id)


def tour_places(window: Shell) -> dict[str, Callable[[], QRect | None]]:
    """Where the tour's subjects are in the window; None for one that cannot be seen."""

    def widget(of: QWidget | None) -> QRect | None:
        return QRect(of.mapTo(window, QPoint()), of.size()) if of is not None and of.isVisible() else None

    def node(name: str) -> QRect | None:
        canvas, item = window.canvas, _spoken_of(window, name)
        if not canvas.isVisible() or item is None:
            return None
        place = canvas.state.view.rect_to_screen(item.rect).toRect() & canvas.rect()
        return place.translated(canvas.mapTo(window, QPoint())) if place.isValid() else None

    return {
        "run": lambda: widget(window.toolbar.widgetForAction(window.actions_by_id["run.all"])),
        "text": lambda: node("text"),
        "number": lambda: node("number"),
        "preview": lambda: widget(window.preview),
    }


def take_tour(window: Shell) -> Tour | None:
    """Lead to the user's first own picture, in the document that is shown. None: the nodes have no tour."""
    for other in window.findChildren(Tour):
        other.end()
    if not window.document.registry.domain.tour:
        return None
    window.actions_by_id["view.app"].setChecked(False)
    window.docks.show("Preview")
    tour = Tour(window, window.document, window.runs, tour_places(window))
    window.actions_by_id["run.all"].triggered.connect(tour.run_pressed)
    window.actions_by_id["view.app"].toggled.connect(tour.app_shown)
    tour.live.connect(window.actions_by_id["run.live"].setChecked)
    tour.ended.connect(lambda: window.settings.change(toured=True))
    tour.came.connect(partial(_go_near, window))
    tour.start()
    return tour


class Tour(QObject):
    """host: the window. places: where things are in the window, by name; None while one cannot be seen."""

    came = Signal(str)  # to a step that speaks of this place
    live = Signal(bool)  # off until the tour speaks of it, or else there would be nothing left for Run to do
    ended = Signal()
    index = -1
    """Here too: Qt still asks a filter that Python has emptied, on its way out with the window."""

    def __init__(
        self, host: QWidget, document: Document, runs: RunState, places: Mapping[str, Callable[[], QRect | None]]
    ) -> None:
        super().__init__(host)
        self.host, self.document, self.runs, self.places = host, document, runs, places
        self.steps = document.registry.domain.tour
        self.index = -1
        self._began = False  # the run that this step waits for
        self._seen = document.graph
        self.ring = Ring(host)
        self.card = Card(host)
        self.card.next.clicked.connect(self.advance)
        self.card.skip.clicked.connect(self.end)
        self.card.escaped.connect(self.end)
        document.changed.connect(self._edited)
        runs.progressed.connect(self._ran)
        host.installEventFilter(self)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self._app = app
        app.focusChanged.connect(self._focus_changed)

    @property
    def step(self) -> TourStep:
        return self.steps[self.index]

    def start(self) -> None:
        self.live.emit(False)
        self.advance()

    def advance(self) -> None:
        """Show the next step; after the last the tour ends."""
        if self.index + 1 == len(self.steps):
            self.end()
            return
        self.index += 1
        self._began = False
        if self.step.waits == "number":
            self.live.emit(True)
        last = self.index + 1 == len(self.steps)
        self.came.emit(self.step.place)
        self.card.show_step(self.step, f"{self.index + 1} of {len(self.steps)}", "Done" if last else "Next")
        self.place()
        self.card.setFocus()  # or else it would go with Next to any field, which the next key would change

    def end(self) -> None:
        self.host.removeEventFilter(self)
        self._app.focusChanged.disconnect(self._focus_changed)
        self.index, self._began = -1, False  # until it is deleted, nothing leads on
        self.ring.deleteLater()
        self.card.deleteLater()
        self.live.emit(True)
        self.ended.emit()
        self.deleteLater()

    def place(self) -> None:
        """Put ring and card where the step's subject is now."""
        spot = self.places[self.step.place]() if self.step.place in self.places else None
        typing = isinstance(QApplication.focusWidget(), QPlainTextEdit | QLineEdit)
        self.ring.surround(None if typing else spot)  # it would run through what is typed
        self.card.fit()
        # An editor over a node may be larger than the node: the card keeps out of what is typed.
        kept = spot.adjusted(0, 0, EDITOR.width(), EDITOR.height()) if spot and self.step.waits == "text" else spot
        self.card.move(beside(kept, self.card.size().width(), self.card.size().height(), self.host.rect()))
        self.ring.raise_()
        self.card.raise_()
        self.card.show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self.index < 0:
            return False
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self.place()
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.end()  # it comes to the window when nothing else had a use for it
            return True
        return False

    def _focus_changed(self) -> None:
        if self.index >= 0:
            self.place()

    def _edited(self, change: Diff) -> None:
        before, self._seen = self._seen, self.document.graph
        waits = self.step.waits if self.index >= 0 else ""
        for id in change.changed if waits in ("text", "number") else ():
            old, new = before.nodes[id].params, self.document.graph.nodes[id].params
            touched = (spec for spec in self.document.type_of(id).inputs if old.get(spec.name) != new.get(spec.name))
            if any((spec.get(Multiline) is not None) == (waits == "text") for spec in touched):
                self.card.let_go_on()

    def app_shown(self, on: bool) -> None:
        """What it speaks of is out of sight then."""
        if on and self.index >= 0:
            self.end()

    def run_pressed(self) -> None:
        """The user started a run; live ones do not count."""
        if self.step.waits == "text" and self.card.next.isVisible():
            self.advance()
        self._began = self.step.waits == "run"

    def _ran(self) -> None:
        failed = any(run.state == "failed" for run in self.runs.nodes.values())
        if self._began and not self.runs.running and not failed:
            self.advance()


class Ring(QWidget):
    """An outline around what is spoken of; the mouse goes through it."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def surround(self, spot: QRect | None) -> None:
        self.setVisible(spot is not None)
        if spot is not None:
            self.setGeometry(spot.adjusted(-5, -5, 5, 5))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color(colors().accent), 3))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(2, 2, -2, -2), 8, 8)


class Card(QFrame):
    """What the tour says, and its buttons."""

    escaped = Signal()

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self.setObjectName("palette")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Tour")
        self.title, self.text, self.count = QLabel(), QLabel(), QLabel()
        self.title.setObjectName("heading")
        self.text.setWordWrap(True)
        self.count.setObjectName("dim")
        self.skip = QPushButton("Skip the tour")
        self.skip.setObjectName("quiet")
        self.skip.setToolTip("Help, Take the tour brings it back")
        self.next = QPushButton("Next")
        self.next.setToolTip("Go on with the tour")
        row = QHBoxLayout()
        row.addWidget(self.count)
        row.addStretch(1)
        row.addWidget(self.skip)
        row.addSpacing(8)
        row.addWidget(self.next)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(10)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addLayout(row)

    def show_step(self, step: TourStep, count: str, next: str) -> None:
        """A step that waits for the user has no Next until it is done."""
        self.title.setText(step.title)
        self.text.setText(step.text)
        self.count.setText(count)
        self.next.setText(next)
        self.next.setVisible(not step.waits)
        self.skip.setVisible(next != "Done")

    def fit(self) -> None:
        """Take the size that the text needs; adjustSize() reckons with the text before, and cuts this one."""
        width = scaled(CARD_WIDTH)
        self.resize(width, self._column.totalHeightForWidth(width))

    def let_go_on(self) -> None:
        """The keyboard stays where it is: the user may be typing."""
        self.next.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)


def beside(spot: QRect | None, width: int, height: int, area: QRect) -> QPoint:
    """Where a card of this size goes: right of the spot, left of it, below or above it, whichever has room first."""
    if spot is None:
        return QPoint(area.center().x() - width // 2, area.center().y() - height // 2)
    middle = QPoint(spot.center().x() - width // 2, spot.center().y() - height // 2)
    room = area.adjusted(GAP, GAP, -GAP, -GAP)
    wanted = (
        QPoint(spot.right() + GAP, middle.y()),
        QPoint(spot.left() - GAP - width, middle.y()),
        QPoint(middle.x(), spot.bottom() + GAP),
        QPoint(middle.x(), spot.top() - GAP - height),
    )
    places = [_into(at, width, height, room) for at in wanted]
    free = [at for at in places if not QRect(at.x(), at.y(), width, height).intersects(spot)]
    return free[0] if free else _into(middle, width, height, room)


def _into(at: QPoint, width: int, height: int, room: QRect) -> QPoint:
    """The nearest place at which the card is inside the room."""
    return QPoint(
        max(room.left(), min(at.x(), room.right() - width)), max(room.top(), min(at.y(), room.bottom() - height))
    )

"""Pictures that were made, each with the graph that made it: for going back, and for comparing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal

from nodegraph.batch import alone
from nodegraph.formats import png, workflow
from nodegraph.graph import Graph
from nodegraph.node import TypeOf
from nodegraph.running.messages import Source
from nodegraph.types import Picture
from ui.runs.kept_pictures import Pictures
from ui.runs.picture_index import Made
from ui.runs.run_state import RunState
from ui.runs.runner import Runner
from ui.widgets.pixmaps import one_of, picture_of, read_image

MAX_BYTES = 64 << 20
MAX_COUNT = 200
"""Of pictures; the oldest go first."""

SMALL_SIDE = 192
"""Pixels of a picture in a file that is shown until it is there in full size."""


@dataclass(frozen=True, slots=True)
class Result:
    """node: whose picture it is. made: when, by the clock; None before this session. source: of the full size.

    item, of: of a batch which one this is, and of how many; None for all of them, or where there is one alone.
    """

    node: str
    picture: Picture
    graph: Graph
    made: datetime | None = None
    source: Source | Path | None = None
    item: int | None = None
    of: int = 1

    @property
    def file(self) -> Path | None:
        """Of one that was read from a file."""
        return self.source if isinstance(self.source, Path) else None


def each(result: Result, type_of: TypeOf) -> Iterator[Result]:
    """The pictures of a batch, each with the graph that makes it alone where that can be told; nothing of one alone."""
    count, source = result.picture.count, result.source
    for item in range(count if count > 1 else 0):
        yield replace(
            result,
            picture=one_of(result.picture, item),
            graph=alone(result.graph, result.node, item, count, type_of) or result.graph,
            source=source._replace(item=item) if isinstance(source, Source) else source,
            item=item,
            of=count,
        )


def result_in(path: Path, node: str, made: float, picture: Picture) -> Result:
    """What is in a file. made: seconds since 1970. picture: of it, of any size.

    The graph of one that holds no workflow of ours is empty. Raises ValueError when its workflow is damaged.
    """
    graph = workflow.load(path) if _holds_workflow(path) else Graph()
    return Result(node, picture, graph, datetime.fromtimestamp(made), path)


def _holds_workflow(path: Path) -> bool:
    try:
        return png.is_png(path) and png.read_text(path, png.KEYWORD) is not None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error


class ResultReader(QObject):
    """Reads results out of files, beside the window's own work. What was asked for last counts, and nothing before."""

    failed = Signal(str)  # why one cannot be shown, as a sentence
    _read = Signal(int, object)  # from the other thread: which question it was, and the Results, or why there are none

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked = 0
        self._then: Callable[[list[Result]], object] = _nothing
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._read.connect(self._answer, Qt.ConnectionType.QueuedConnection)

    def read(self, pictures: Sequence[Made], then: Callable[[list[Result]], object]) -> None:
        """then: is given a result for each of the pictures; not when one cannot be read, or others are asked for."""
        self._asked += 1
        self._then = then
        question = self._asked
        self._pool.start(lambda: self._work(question, tuple(pictures)))

    def _work(self, question: int, pictures: Sequence[Made]) -> None:
        """On the other thread."""
        if question != self._asked:
            return
        answer: list[Result] | str
        try:
            answer = [_result_of(made) for made in pictures]
        except ValueError as error:
            answer = str(error)
        with suppress(RuntimeError):  # the window was closed meanwhile
            self._read.emit(question, answer)

    def _answer(self, question: int, answer: list[Result] | str) -> None:
        if question != self._asked:
            return
        if isinstance(answer, str):
            self.failed.emit(answer)
        else:
            self._then(answer)


def _nothing(results: list[Result]) -> None:
    """Nobody waits."""


def _result_of(made: Made) -> Result:
    image = read_image(made.path, SMALL_SIDE)
    if image.isNull():
        gone = "is gone" if not Path(made.path).exists() else "cannot be shown: it is damaged, or too large"
        raise ValueError(f"{made.path} {gone}")
    return result_in(Path(made.path), made.node, made.made, picture_of(image))


class Results(QObject):
    """One for each run that came to its end with a picture that was not there yet, oldest first.

    What is kept of a document that was opened counts as its first.
    """

    changed = Signal()

    def __init__(self, runs: RunState, runner: Runner, pictures: Pictures, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs, self._runner, self._pictures = runs, runner, pictures
        self.kept: list[Result] = []
        self._node: str | None = None  # whose picture is the newest
        self._seen: Graph | None = None  # of the run that came to its end last
        runs.pictured.connect(self._pictured)
        runner.ended.connect(self._ended)
        runner.state_changed.connect(self._keep)

    @property
    def newest(self) -> Result | None:
        return next((result for result in reversed(self.kept) if result.item is None), None)

    def showing(self, picture: Picture | None, item: int | None = None) -> Result | None:
        """The one with this picture. item: of a batch, that one of it alone."""
        at = next((at for at in reversed(range(len(self.kept))) if self.kept[at].picture == picture), None)
        if at is None or item is None:
            return None if at is None else self.kept[at]
        return self.kept[at + 1 + item]  # they follow it

    def batch_of(self, result: Result) -> Result | None:
        """The result with all pictures of the batch that this is one of; itself where it is no one of several."""
        at = next((at for at, other in enumerate(self.kept) if other is result), -1)
        return next((other for other in reversed(self.kept[: at + 1]) if other.item is None), None)

    def _pictured(self, node: str) -> None:
        self._node = node
        if not self._runner.began and node in self._runner.targets():
            self._add(self._runner.document.graph, None)

    def _ended(self, graph: Graph) -> None:
        if not self._runner.held:
            self._seen = graph
            self._add(graph, datetime.now())

    def _keep(self) -> None:
        """Of a run that came to its end while a slider was held, when it is let go."""
        graph = self._runner.finished
        if graph is None or graph is self._seen:
            return
        if self._runs.running:
            self._seen = graph  # its picture, if it was of any use, has been kept: what comes now is another run's
        elif not self._runner.held:
            self._seen = graph  # what is shown from now on may be of other settings
            self._add(graph, datetime.now())

    def _add(self, graph: Graph, made: datetime | None) -> None:
        """Unless it is out of date, or there already."""
        if self._node is None:
            return
        run = self._runs.of(self._node)
        if run.picture is None or run.stale or run.state not in ("done", "cached") or self.showing(run.picture):
            return
        source = self._pictures.source(self._runs.picture_key(self._node))
        result = Result(self._node, run.picture, graph, made, source)
        self.kept += [result, *each(result, self._runner.document.declared)]
        while len(self.kept) > MAX_COUNT or sum(len(r.picture.rgb) for r in self.kept[:-1]) > MAX_BYTES:
            del self.kept[0]
        self.changed.emit()

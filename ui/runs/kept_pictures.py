"""Pictures that no run of this session showed: of results that the engine keeps, and in full size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal

from nodegraph.node import File
from nodegraph.pieces import Pieces, in_parts
from nodegraph.planning.calls import Call
from nodegraph.planning.keys import refs
from nodegraph.planning.plan import Plan
from nodegraph.program import FOLDER
from nodegraph.running.messages import Look, Seen, Source
from nodegraph.types import FULL_SIDE, PREVIEW_SIDE, Picture, is_pictured
from ui.base.slices import Slices
from ui.runs.engine import Engine
from ui.runs.live_plan import LivePlan
from ui.runs.run_state import RunState
from ui.runs.runner import Runner
from ui.widgets.pixmaps import picture_of, read_image


class Pictures(QObject):
    """Asks the engine what the document's results look like, as soon as it is planned and after each run.

    So a document that was opened shows what is kept of it, and one that is edited what was made of these settings
    before. Nothing is asked for twice between two runs.
    """

    enlarged = Signal(str, object)  # what it was asked for by, and the Picture in full size
    _read = Signal(str, object)  # the same, from the other thread
    _opened = Signal(str, str, object)  # a node, the key of its result to be, and the picture in its file

    def __init__(self, engine: Engine, plan: LivePlan, runner: Runner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.engine, self.plan, self.runner = engine, plan, runner
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)  # one large picture in memory at a time
        self._asked: dict[str, str] = {}  # key -> node as the engine calls it
        self._files: dict[str, str] = {}  # node -> key of what its file was read for
        self._opener = QThreadPool(self)
        self._opener.setMaxThreadCount(1)
        self._opened.connect(self._show_file, Qt.ConnectionType.QueuedConnection)
        self._read.connect(self.enlarged, Qt.ConnectionType.QueuedConnection)
        self._search = Slices(self)  # for what to ask for
        plan.planned.connect(self._look)
        engine.seen.connect(self._take)
        engine.freed.connect(self._again)
        self.runs.wanted.connect(lambda calls: self._ask(calls, self.runs.calls_by_key, wanted=True))

    @property
    def runs(self) -> RunState:
        return self.runner.runs

    def source(self, key: str) -> Source | None:
        """Where the picture of a call comes from; None when that is not known (any more)."""
        # What is shown was planned or run: to plan what was edited since would take its time on the window's thread.
        of_document = self.plan.latest.calls if self.plan.latest else dict[str, Call]()
        found = next((calls for calls in (of_document, self.runs.calls_by_key) if key in calls), None)
        return source_of(found[key], found) if found else None

    def _ask(self, calls: Iterable[Call], among: Mapping[str, Call], *, wanted: bool = False) -> None:
        """among: by key, the calls and those that they take from. wanted: somebody looks at them."""
        if self.engine.running or not self.engine.ready:
            return
        sources: dict[str, Source] = {}
        for call in calls:
            if call.key in self._asked or self.runs.knows_picture(call.key):
                continue
            if not wanted and self.runs.picture_key(call.node) == call.key:
                continue  # small, perhaps: that is mended when somebody looks
            if not can_show(call) and self.runs.knows(call.node, call.key):
                continue  # there is nothing to be told of it
            if source := source_of(call, among):
                self._asked[call.key], sources[call.key] = call.node, source
        if sources:
            self.engine.ask(Look(sources))

    def enlarge(self, key: str, source: Source | Path) -> None:
        """Ask for a picture in full size, of a kept result or in a file: `enlarged` brings it, if it can be had."""
        if isinstance(source, Path):
            self._pool.start(lambda: self._read_file(key, source))
        else:
            self.engine.ask(Look({key: source}, FULL_SIDE))

    def give_up(self) -> None:
        """Nobody waits any more for the files that were asked for."""
        self._pool.clear()

    def _read_file(self, key: str, path: Path) -> None:
        """On another thread."""
        image = read_image(str(path), FULL_SIDE)
        if not image.isNull():
            with suppress(RuntimeError):  # the document was closed meanwhile
                self._read.emit(key, picture_of(image))

    def _look(self, plan: Plan) -> None:
        self._seek(self._looking(plan))

    def _again(self) -> None:
        """A run may have made what was not there, or not have had the time to show it."""
        self._asked.clear()
        if self.plan.ready:
            self._seek(self._looking_again())

    def _seek(self, pieces: Pieces[None]) -> None:
        # While something runs nothing would be asked for, and a plan for the run would have to wait.
        self._search.put_off(pieces, wanted=lambda: not self.engine.running)

    def _looking_again(self) -> Pieces[None]:
        plan = yield from self.plan.planning(self.plan.document.graph)
        yield from self._looking(plan)

    def _looking(self, plan: Plan) -> Pieces[None]:
        if not self.runner.began:
            yield from self.runs.foreseeing(plan.calls)
        elif not self.runs.running:
            self.runs.recall(plan.calls)
        yield
        # What is looked at in the end comes last.
        targets = {key: None for target in self.runner.targets() for key in plan.roots(target)}
        keys = dict.fromkeys((*(key for key in plan.keys.values() if key not in targets), *targets))
        for part in in_parts(keys):
            calls = [plan.calls[key] for key in part if key in plan.calls]
            self._ask(calls, plan.calls)
            for call in calls:
                self._open_file(call)
            yield

    def _open_file(self, call: Call) -> None:
        """What is but read from a picture's file is shown before anything runs."""
        path = picture_file(call)
        if path and self._files.get(call.node) != call.key and not self.runs.knows_picture(call.key):
            self._files[call.node] = call.key
            self._opener.start(partial(self._open, call.node, call.key, path))

    def _open(self, node: str, key: str, path: str) -> None:
        """On another thread."""
        image = read_image(path, PREVIEW_SIDE)
        if not image.isNull():
            with suppress(RuntimeError):  # the document was closed meanwhile
                self._opened.emit(node, key, picture_of(image))

    def _show_file(self, node: str, key: str, picture: Picture) -> None:
        if self._files.get(node) == key and not self.runs.knows_picture(key) and not self.runs.running:
            self.runs.foresee_picture(node, picture)

    def _take(self, seen: Seen) -> None:
        if seen.max_side == FULL_SIDE:
            if seen.picture is not None:
                self.enlarged.emit(seen.key, seen.picture)
        elif node := self._asked.get(seen.key):
            self.runs.see(node, seen.key, seen.picture)
            if seen.picture is not None:
                del self._asked[seen.key]  # it may be asked for again when it was made small


def source_of(call: Call, calls: Mapping[str, Call]) -> Source | None:
    """Where the picture of a call comes from: its result, or the first that a sink is given; None when there is none.

    calls: by key; the call and those it takes from are among them.
    """
    if not call.type.is_sink:
        return Source(call.key, call.type.output_index.get(call.type.shows))
    ref = next((ref for arg in call.args.values() for ref in refs(arg)), None)
    made = calls.get(ref.key) if ref else None
    return Source(ref.key, made.type.output_index[ref.output]) if ref and made else None


def picture_file(call: Call) -> str:
    """The file of a call that makes a picture of one file and of nothing else; empty for all others."""
    files = [spec for spec in call.type.inputs if (file := spec.get(File)) and ".png" in file.suffixes]
    pictured = any(is_pictured(out.type) for out in call.type.outputs)
    if len(files) != 1 or not pictured or any(refs(arg) for arg in call.args.values()):
        return ""
    path = next(iter(call.files), "")
    return path if Path(path).exists() else str(FOLDER / path)  # as nodes look for it


def can_show(call: Call) -> bool:
    """Whether what the call makes, or is given, may be something to look at."""
    return call.type.is_sink or any(out.type is Any or is_pictured(out.type) for out in call.type.outputs)

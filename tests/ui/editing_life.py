"""The life of a process that edits and saves one document until it is killed."""

import os
import random
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple

import networkx  # noqa: F401  grouping needs it, and a short life would end while importing it
from PySide6.QtCore import QCoreApplication, QTimer

from nodegraph.graph import Graph, Node
from tests.ui.random_edits import KINDS, edited
from ui import session as sessions
from ui.document import Document
from ui.session import Session

COUNTER = "counter"
START = Graph({COUNTER: Node("toy.box", {"edits": 0})})


class Told(NamedTuple):
    """What a life tells before it ends. number: how many edits the document has seen by then."""

    what: Literal["opened", "edited", "saved", "touched"]
    number: int


def count(graph: Graph) -> int:
    """How many edits a graph has seen."""
    return graph.nodes[COUNTER].params["edits"]


def next_edit(graph: Graph) -> Graph:
    """The same in every process, so that what a document must hold after some edits can be worked out."""
    number = count(graph) + 1
    draw = random.Random(number)
    after = edited(graph, (draw.choice(KINDS), draw.randrange(12), draw.randrange(12), draw.randrange(12)))
    return Graph({**after.nodes, COUNTER: Node("toy.box", {"edits": number})}, after.links, after.groups, after.extra)


def live(folder: Path, file: Path, tell: Connection) -> None:
    """Restore the document, or open it; then edit it, and save it now and then, without end."""
    sessions.JOURNAL_PAUSE = 4  # ms, so that many records are cut off
    os.fsync = lambda _: None  # a kill takes nothing from the system's cache; so a short life gets more done
    app = QCoreApplication([])
    session = Session({}, folder)
    session.file_touched.connect(lambda document: tell.send(Told("touched", count(document.graph))))
    restored = session.restore()
    document = restored[0] if restored else session.open(file)
    session.check_files()
    tell.send(Told("opened", count(document.graph)))
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: _edit(session, document, file, tell))
    timer.start()
    app.exec()


def _edit(session: Session, document: Document, file: Path, tell: Connection) -> None:
    document.edit("Edit", next_edit)
    number = count(document.graph)
    if number % 11 == 0:
        session.save(document, file)
        tell.send(Told("saved", number))
    elif number % 5 == 0:
        session.flush()
        tell.send(Told("edited", number))

"""What the program keeps, each as a row of states that can be told from its number."""

import random
from contextlib import ExitStack
from functools import lru_cache
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication

from nodegraph.formats import png, workflow
from nodegraph.graph import Graph, Node
from nodegraph.library.library import Library
from nodegraph.library.scan import update
from nodegraph.registry import Registry
from nodegraph.running.disk_cache import SUFFIX, DiskCache
from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.sweeping import ledger
from tests.nodegraph.formats.test_png import PICTURE
from tests.nodegraph.library.shelf import STOCK, jar
from tests.ui.random_edits import KINDS as EDITS
from tests.ui.random_edits import edited
from tools.kills.lives import Kept, hidden
from ui.base.settings import Preferences, Settings, sealed
from ui.documents.session import Session
from ui.runs.engine import Engine
from ui.runs.picture_index import Gallery
from ui.runs.queue import Queue
from ui.runs.sweep_record import SweepRecord

import_module("networkx")  # grouping needs it, and a short life would end while importing it


def body(number: int, most: int) -> str:
    """A text of some length, told by its number."""
    chance = random.Random(number)
    return chance.randbytes(chance.randrange(most // 2)).hex()


class Trouble:
    """What the program says to a person instead of raising is a fault here; an exception would not get through Qt."""

    def __init__(self, *signals: Any) -> None:
        self.said: list[str] = []
        for signal in signals:
            signal.connect(lambda *what: self.said.append(str(what)))

    def check(self, *more: str) -> None:
        if said := [*self.said, *more]:
            raise ValueError(said[0])


class Texts:
    """A form for results that are texts."""

    def save(self, values: tuple[Any, ...], path: Path) -> None:
        path.write_text(values[0])

    def load(self, path: Path) -> tuple[Any, ...]:
        return (path.read_text(),)


class Results:
    """The cache on disk: state n holds the results up to n; those before the last CERTAIN may have made room."""

    LARGEST, CERTAIN = 20_000, 20
    LIMIT = 60 * LARGEST

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cache"
        self.cache = DiskCache(self.folder, self.LIMIT, Texts())

    def write(self, number: int) -> None:
        self.cache.store(str(number), (body(number, self.LARGEST),), seconds=1.0)
        self.cache.flush()

    def read(self) -> dict[int, Any]:
        if self.cache.used > self.LIMIT + 2 * self.LARGEST:
            raise ValueError(f"{self.cache.used} bytes; {self.LIMIT} are allowed")
        keys = sorted(int(path.name.partition("-")[0]) for path in self.folder.glob(f"*{SUFFIX}"))
        return {key: self.cache.load(str(key)) for key in keys[-self.CERTAIN :]}

    @classmethod
    def state(cls, number: int) -> dict[int, Any]:
        return {n: (body(n, cls.LARGEST),) for n in range(max(number - cls.CERTAIN, 0) + 1, number + 1)}

    def left(self) -> list[str]:
        return [path.name for path in self.folder.iterdir() if path.suffix != SUFFIX]


class Preferred:
    """The settings, written anew with every change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "config"
        self.settings = Settings(self.folder / "settings.json")
        self.trouble = Trouble(self.settings.troubled)
        self.trouble.check(*self.settings.complaints)

    def write(self, number: int) -> None:
        now = self.state(number)
        self.settings.change(keys=now.keys, text_scale=now.text_scale, window=now.window)
        self.trouble.check()

    def read(self) -> Preferences:
        return self.settings.now

    @staticmethod
    def state(number: int) -> Preferences:
        if number == 0:
            return Preferences()
        keys = {f"file.{n}": f"Ctrl+{number + n}" for n in range(number % 400)}
        window = sealed(body(number, 2000).encode(), b"layout")
        return Preferences(text_scale=1 + number / 1e6, keys=keys, window=window)

    def left(self) -> list[str]:
        return [p.name for p in self.folder.iterdir() if p.name != "settings.json"] if self.folder.exists() else []


class Document:
    """A document in a session: edits in its journal, every eighth state saved; now and then closed and opened again."""

    SAVES, CLOSES, FRESH = 8, 24, 96

    def __init__(self, folder: Path) -> None:
        self.app = QCoreApplication([])
        self.file, self.folder = folder / "work" / "cat.json", folder / "state"
        if not self.file.exists():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            workflow.save(grown(0), self.file)
        self.session = Session(Registry(), self.folder)
        self.trouble = Trouble(self.session.troubled, self.session.file_touched)
        complaints = [*self.session.complaints, *self.session.begin_recovery()]
        restored = self.session.restore()
        if len(restored) > 1:
            raise ValueError(f"{len(restored)} documents of one came back")
        self.document = restored[0] if restored else self.session.open(self.file)
        self.session.check_files()
        self.session.flush()
        self.session.recovered()  # as after two seconds in a window
        self.trouble.check(*complaints)

    def write(self, number: int) -> None:
        if number % self.CLOSES == self.SAVES + 1:  # just saved
            self.session.close(self.document)
            self.document = self.session.open(self.file)
        elif number % self.SAVES == 0:
            self.session.save(self.document, self.file)
        else:
            self.document.edit("Edit", lambda _: grown(number))
            self.session.flush()
        self.trouble.check()

    def read(self) -> tuple[Graph, Graph]:
        in_file = workflow.load(self.file)
        if not self.document.dirty and self.document.graph != in_file:
            raise ValueError("the document is said to be saved, and its file holds another")
        for version in self.session.versions(self.document)[:3]:
            workflow.load(version.file)
        return self.document.graph, in_file

    @classmethod
    def state(cls, number: int) -> tuple[Graph, Graph]:
        return grown(number), grown(number // cls.SAVES * cls.SAVES)

    def left(self) -> list[str]:
        journals = [path.name for path in (self.folder / "journals").iterdir()]
        (own,) = (name for name in journals if name.endswith(".journal"))
        others = [name for name in journals if name not in (own, f"{own}.lock")]
        files = [path.name for path in self.file.parent.iterdir() if path.name not in ("cat.json", "cat.json.bak")]
        return sorted({*others, *files, *hidden(self.folder)})


@lru_cache(512)
def grown(number: int) -> Graph:
    """A graph after so many states; those that save or close change nothing. Begins anew now and then."""
    if number == 0:
        return Graph()
    if number % Document.SAVES == 0 or number % Document.CLOSES == Document.SAVES + 1:
        return grown(number - 1)
    graph, draw = grown(number - 1) if number % Document.FRESH != 2 else Graph(), random.Random(number)
    for _ in range(draw.randrange(1, 4)):
        graph = edited(graph, (draw.choice(EDITS), draw.randrange(12), draw.randrange(12), draw.randrange(12)))
    counter = {"counter": Node("toy.box", {"edits": number})}
    return Graph({**graph.nodes, **counter}, graph.links, graph.groups, graph.extra)


class Jobs:
    """The queue. In four states two jobs are added, one cancelled, and old ones removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "state"
        self.app = QCoreApplication([])
        self.session = Session(Registry(), self.folder)  # which clears up, as in the window
        self.queue = Queue(Engine(EngineSettings("tests.toy_nodes", cache=None)), self.folder)
        self.trouble = Trouble(self.queue.troubled)
        self.queue.restore()

    def write(self, number: int) -> None:
        if not self.queue.paused:
            self.queue.pause()  # there is no engine here
        after = [title for title, _, _ in self.state(number)]
        ids = {job.title: job.id for job in self.queue.jobs}
        match number % 4:
            case 0 | 1:
                self.queue.add(one_node(number), ["a"], after[-1])
            case 2:
                self.queue.cancel(ids[f"job {number - 1}"])
            case _:
                self.queue.remove(*(id for title, id in ids.items() if title not in after))
        self.queue.flush()
        self.trouble.check()

    def read(self) -> list[tuple[str, str, Graph]]:
        return [(job.title, job.state, job.graph) for job in self.queue.jobs]

    @staticmethod
    def state(number: int) -> list[tuple[str, str, Graph]]:
        added = [n for n in range(1, number + 1) if n % 4 < 2]
        removed = (number + 1) // 4 * 4 - 12  # jobs below
        listed = [n for n in added if n >= removed]
        return [(f"job {n}", "cancelled" if n % 4 == 1 and n < number else "pending", one_node(n)) for n in listed]

    def left(self) -> list[str]:
        return [*hidden(self.folder), *(p.name for p in self.folder.glob("*.damaged"))]


def one_node(number: int) -> Graph:
    return Graph({"a": Node("toy.box", {"text": body(number, 4000)})})


class Listed:
    """The list of pictures. In five states one is added, starred, rated, put on a board, and an old one taken off."""

    KEPT = 100  # states after which a picture goes
    BOARD = "cats"

    def __init__(self, folder: Path) -> None:
        self.made, self.folder = folder / "made", folder / "state"
        self.made.mkdir(exist_ok=True)
        self.app = QCoreApplication([])
        self.session = Session(Registry(), self.folder)  # which clears up, as in the window
        self.gallery = Gallery(self.folder / "gallery.jsonl")
        self.trouble = Trouble(self.gallery.troubled)
        self.trouble.check(*self.gallery.complaints)

    def write(self, number: int) -> None:
        after = self.state(number)
        last = [path for path in self.gallery.pictures if Path(path).stem == f"{number // 5 * 5}"]
        match number % 5:
            case 0:
                path = self.made / f"{number}.png"
                path.write_bytes(png.with_texts(PICTURE, {png.PARAMETERS: body(number, 3000)}))
                self.gallery.add(path)
            case 1:
                self.gallery.star(*last)
            case 2:
                self.gallery.rate(*last, rating=number % 4 + 1)
            case 3:
                self.gallery.put(self.BOARD, *last)
            case _:
                self.gallery.remove(*(path for path in self.gallery.pictures if int(Path(path).stem) not in after))
        self.trouble.check()

    def read(self) -> dict[int, Any]:
        made = self.gallery.pictures.values()
        return {int(Path(one.path).stem): (one.text, one.starred, one.rating, one.boards) for one in made}

    @classmethod
    def state(cls, number: int) -> dict[int, Any]:
        first = (number + 1) // 5 * 5 - cls.KEPT
        return {n: cls.said(n, number - n) for n in range(max(first, 5), number + 1, 5)}

    @classmethod
    def said(cls, picture: int, ago: int) -> tuple[Any, ...]:
        """Of a picture that was added so many states ago."""
        return body(picture, 3000), ago > 0, (picture + 2) % 4 + 1 if ago > 1 else 0, (cls.BOARD,) if ago > 2 else ()

    def left(self) -> list[str]:
        return [*hidden(self.folder), *(path.name for path in self.folder.glob("*.damaged"))]


class Cells:
    """What sweeps of the window made: state n says it of the cells up to n."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.picture = folder / "state", folder / "a.png"
        self.folder.mkdir(exist_ok=True)
        self.picture.touch()
        self.app = QCoreApplication([])
        queue = Queue(Engine(EngineSettings("tests.toy_nodes", cache=None)), None)
        self.record = SweepRecord(queue, self.folder / "sweeps.jsonl")
        self.trouble = Trouble(self.record.troubled)
        self.trouble.check(*self.record.complaints)

    def write(self, number: int) -> None:
        self.record.put(f"cell {number}", (str(self.picture),) * (number % 3 + 1))
        self.trouble.check()

    def read(self) -> int:
        return next(n for n in count(1) if self.record.pictures(f"cell {n}") != (str(self.picture),) * (n % 3 + 1)) - 1

    @staticmethod
    def state(number: int) -> int:
        return number

    def left(self) -> list[str]:
        return [path.name for path in self.folder.iterdir() if path.name != "sweeps.jsonl"]


class Swept:
    """The folder that a sweep of the shell writes into: state n has the pictures of the cells up to n, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "out"
        self.open = ExitStack()
        self.ledger = self.open.enter_context(ledger.opened(self.folder))

    def write(self, number: int) -> None:
        if self.ledger.files(f"{number}") is None:  # else it was kept and not promised
            picture = self.ledger.beside() / "a.png"
            picture.write_bytes(body(number, 20_000).encode())
            self.ledger.keep({f"{number}": [str(picture)]})

    def read(self) -> list[str]:
        found = [self.ledger.files(f"{n}") for n in range(1, len(self.pictures()) + 2)]
        return [path.read_text() for files in found for path in files or ()]

    def pictures(self) -> list[Path]:
        return list(self.folder.glob("a_*.png"))

    @staticmethod
    def state(number: int) -> list[str]:
        return [body(n, 20_000) for n in range(1, number + 1)]

    def left(self) -> list[str]:
        """Pictures that no cell knows of, too."""
        known = {str(path) for n in range(1, len(self.pictures()) + 2) for path in self.ledger.files(f"{n}") or ()}
        return [path.name for path in self.pictures() if str(path) not in known]


class Marks:
    """Stars and notes of models, and the index. State n is the note; a look through the folders finds another file."""

    def __init__(self, folder: Path) -> None:
        self.cellar, self.folder = folder / "cellar", folder / "library"
        jar(self.cellar / "a.jar", "jam:plum")
        update(self.folder, [str(self.cellar)], STOCK, lambda done, whole: None)
        self.library = Library(self.folder, STOCK.families)
        if self.library.problem:
            raise ValueError(self.library.problem)

    def write(self, number: int) -> None:
        self.library.note(str(self.cellar / "a.jar"), body(number, 3000) + f"{number}")
        jar(self.cellar / "b.jar", f"jam:fig:{number}")
        update(self.folder, [str(self.cellar)], STOCK, lambda done, whole: None)

    def read(self) -> str:
        (entry,) = self.library.search(fitting=["plum"])
        return entry.note

    @staticmethod
    def state(number: int) -> str:
        return body(number, 3000) + f"{number}" if number else ""

    def left(self) -> list[str]:
        return [path.name for path in self.folder.glob("*.damaged")]


KINDS: dict[str, type[Kept]] = {
    "results in the cache": Results,
    "documents": Document,
    "settings": Preferred,
    "the queue": Jobs,
    "the list of pictures": Listed,
    "what sweeps made": Cells,
    "the folder of a sweep": Swept,
    "notes of models": Marks,
}

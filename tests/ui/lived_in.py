"""What a program that was used, and then killed, leaves behind for its next start; and ways to damage it."""

import json
import random
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtGui import QImage

from nodegraph.builtin import FRAME, NOTE
from nodegraph.editing.grouping import make_group
from nodegraph.graph import Graph, Node
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from tests.ui.engines import slow
from ui.base.settings import Settings
from ui.documents.session import Session
from ui.runs.engine import Engine
from ui.runs.picture_index import Gallery
from ui.runs.queue import Queue
from ui.widgets.pixmaps import png_bytes


class Kept(NamedTuple):
    """The files of one start, in folders `state` and `config`. aside: how what is damaged is called afterwards."""

    file: Path
    aside: str


def rich() -> Graph:
    """A bit of everything that a graph may hold."""
    plain = slow()
    plain = make_group(plain, {"slow"}, "Later")
    nodes = {
        **plain.nodes,
        "note": Node(NOTE, {"text": "# Words"}, (0, 300), size=(200, 90)),
        "frame": Node(FRAME, {"color": "#335577ff"}, (-50, -50), "Around", size=(500, 300)),
    }
    return Graph(nodes, plain.links, plain.groups)


def live_in(folder: Path, registry: Registry) -> None:
    """Write every file that the window reads: by what writes them."""
    state, graph = folder / "state", rich()
    Settings(folder / "config" / "settings.json").change(theme="Light", text_scale=1.2, keys={"file.new": "Ctrl+T"})
    session = Session(registry, state)
    session.save(document := session.new(graph), folder / "work.json")
    document.set_param("box", "value", 5.0)
    session.new(graph, "Second")
    session.flush()
    journals = {file.name: file.read_bytes() for file in (state / "journals").glob("*.journal")}
    queue = Queue(Engine(EngineSettings("tests.toy_nodes", cache=None)), state)
    queue.pause()
    queue.add(graph, ("save",), "waits")
    queue.close()
    picture = QImage(8, 8, QImage.Format.Format_RGB32)
    picture.fill(0)
    (folder / "one.png").write_bytes(png_bytes(picture))
    gallery = Gallery(state / "gallery.jsonl")
    gallery.add(folder / "one.png")
    gallery.star(str(folder / "one.png"))
    session.end()
    for name, content in journals.items():
        (state / "journals" / name).write_bytes(content)


def kept(folder: Path) -> list[Kept]:
    """Every file that `live_in` wrote for the program itself."""
    state = folder / "state"
    one, two = sorted((state / "journals").glob("*.journal"))
    return [
        Kept(folder / "config" / "settings.json", "settings.damaged"),
        Kept(state / "recent.json", "recent.damaged"),
        Kept(state / "queue.json", "queue.damaged"),
        Kept(state / "gallery.jsonl", "gallery.damaged"),
        Kept(one, f"{one.stem}.damaged"),
        Kept(two, f"{two.stem}.damaged"),
    ]


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**400, 1e308, -1e308, float("inf"), float("nan"), "", "\0", "\ud800", "x" * 5000,
    "../" * 400, [], {}, [[]], {"": {}}, ["a"] * 3, -0.0, "\u202e", 10_000_000, 1e-320,
)  # fmt: skip


def mutated(value: Any, draw: random.Random) -> Any:
    """The value with one thing inside it, at any depth, replaced by something hostile, taken away or doubled."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        name = draw.choice(list(value))
        if draw.random() < 0.1:
            return {k: v for k, v in value.items() if k != name}
        if draw.random() < 0.1:
            return {draw.choice(("", "\0", "\ud800", "x" * 300)) if k == name else k: v for k, v in value.items()}
        return {**value, name: mutated(value[name], draw)}
    if isinstance(value, list) and value and draw.random() < 0.9:
        at = draw.randrange(len(value))
        if draw.random() < 0.1:
            return [*value, value[at]]
        return [*value[:at], mutated(value[at], draw), *value[at + 1 :]]
    return draw.choice(HOSTILE)


def spoil(file: Path, draw: random.Random) -> None:
    """Damage what a file says, and not how: it is JSON still, with the right checksums."""
    lines = file.read_bytes().splitlines()
    at = draw.randrange(len(lines))
    if file.suffix == ".journal":
        body = json.dumps(mutated(json.loads(lines[at].partition(b" ")[2]), draw)).encode()
        lines[at] = b"%08x %s" % (zlib.crc32(body), body)
    elif file.suffix == ".jsonl":
        lines[at] = json.dumps(mutated(json.loads(lines[at]), draw)).encode()
    else:
        lines = [json.dumps(mutated(json.loads(b"".join(lines)), draw)).encode()]
    file.write_bytes(b"".join(line + b"\n" for line in lines))

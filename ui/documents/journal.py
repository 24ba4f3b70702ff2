"""What happened to an open document, on disk: read again after a crash. No Qt here.

One line a record: the checksum of its body, a space, the body as JSON. The first record holds the whole graph, the
others what changed since the record before. A record that was cut off has a wrong checksum and ends the journal.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from nodegraph.formats import workflow
from nodegraph.formats.files import read_limited, read_own, usable_path, write_atomic
from nodegraph.graph import Graph, Port, diff

MAX_BYTES = 1 << 20
"""A journal that grew by this much is started over with the graph as it is."""

MOST_TRIES = 2
"""Recoveries of a journal that may fail, or be ended by somebody who waited too long for them."""
TRIES = ".tries"

UNTITLED = "Untitled"
READ_BYTES = workflow.MAX_BYTES + 2 * MAX_BYTES


class State(NamedTuple):
    """A document at one moment.

    path: its file, None when it has none. on_disk: the fingerprint of that file when it was last read or written.
    dirty: whether there are changes that the file does not hold. title: what it is called without a file.
    """

    graph: Graph
    path: Path | None = None
    on_disk: str | None = None
    dirty: bool = False
    title: str = UNTITLED


class Journal:
    """Writes the states of one document to a file, each on the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: State | None = None  # what reading the file gives; None: not known, so it is written anew
        self._room = 0

    def write(self, state: State) -> None:
        """Raises OSError when it cannot be written, ValueError when the graph holds what no file can hold."""
        change = _change(self._last.graph, state.graph) if self._last else None
        self._last = None  # a write that fails may leave half a record: the next one starts over
        line = _line(state, change) if change is not None else b""
        if 0 < len(line) <= self._room:
            self._append(line)
        else:
            write_atomic(self.path, _line(state, {"graph": workflow.to_data(state.graph)}))
            self._room = MAX_BYTES
        self._last = state

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _append(self, line: bytes) -> None:
        with open(self.path, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._room -= len(line)


def count_try(path: Path) -> int:
    """Note that a journal is about to be recovered; how many times that was begun and not ended."""
    marker = path.with_suffix(TRIES)
    try:
        count = int(read_limited(marker, 20)) + 1
    except (OSError, ValueError):
        count = 1
    with suppress(OSError):  # a folder that must not be written to has no use for it
        write_atomic(marker, b"%d" % count)
    return count


def forget_tries(path: Path) -> None:
    """The recovery of a journal has come to its end."""
    with suppress(OSError):
        path.with_suffix(TRIES).unlink(missing_ok=True)


def read(path: Path) -> State:
    """The last state in a journal. Raises Damaged when not even its first record can be read, FileNotFoundError."""
    return read_own(path, "The journal of a document", READ_BYTES, parse)


def parse(data: bytes) -> State:
    """Raises what is in UNREADABLE."""
    records = _records(data)
    first = last = next(records, None)
    if first is None:
        raise ValueError("its first record is not whole")
    graph = first["graph"]
    links = {Port(*dst): src for src, dst in graph["links"]}
    for last in records:
        _replay(last, graph["nodes"], links)
    graph["links"] = [[src, dst] for dst, src in links.items()]
    match last:
        case {
            "path": str() | None as file,
            "on_disk": str() | None as known,
            "dirty": bool(dirty),
            "title": str(title),
        }:
            where = None if file is None else usable_path(file)
            return State(workflow.from_data(graph), where, known, dirty, title)
        case _:
            raise ValueError("it is not a journal of this version of the program")


def _line(state: State, graph: dict[str, Any]) -> bytes:
    """A record. graph: the whole of it, or its change."""
    path = None if state.path is None else str(state.path)
    record = {"path": path, "on_disk": state.on_disk, "dirty": state.dirty, "title": state.title, **graph}
    body = json.dumps(record, allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _records(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines(keepends=True):
        check, _, body = line.removesuffix(b"\n").partition(b" ")
        if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(body):
            return
        yield json.loads(body)


def _change(before: Graph, after: Graph) -> dict[str, Any] | None:
    """From one graph to the other; None when the whole graph is simpler: other groups, or another order of nodes."""
    if after.groups is not before.groups or after.extra is not before.extra:
        return None
    found = diff(before, after)
    ids, ports = (*found.added, *found.changed), found.linked
    gone = [port for port in found.unlinked if port not in after.links]
    orders = _order(before.nodes, ids, found.removed), _order(before.links, ports, gone)
    if orders != (list(after.nodes), list(after.links)):
        return None
    part = workflow.to_data(Graph({id: after.nodes[id] for id in ids}, {port: after.links[port] for port in ports}))
    return {"nodes": part["nodes"], "links": part["links"], "removed": found.removed, "unlinked": gone}


def _order(before: Iterable[Any], put: Iterable[Any], gone: Iterable[Any]) -> list[Any]:
    """The keys of a mapping after some were put in and some taken out."""
    taken = frozenset(gone)
    return [key for key in dict.fromkeys([*before, *put]) if key not in taken]


def _replay(record: dict[str, Any], nodes: dict[str, Any], links: dict[Port, Any]) -> None:
    """Do once more, in place, what `_change` wrote down."""
    nodes.update(record["nodes"])
    links.update((Port(*dst), src) for src, dst in record["links"])
    for id in record["removed"]:
        del nodes[id]
    for dst in record["unlinked"]:
        del links[Port(*dst)]

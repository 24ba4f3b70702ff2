"""How each node is, and what it looks like; of many pictures, most are made small. Bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from nodegraph.planning.calls import Call
from nodegraph.types import Picture
from ui.base.kept import Kept
from ui.base.telling import Telling
from ui.runs.call_records import Records
from ui.runs.node_run import IDLE, NodeRun, owner, places
from ui.widgets.pixmaps import aspect, small

PICTURE_BYTES = 256 << 20
"""Of the pictures of all nodes of a document; what was shown longest ago is made small."""

SMALL_SIDE = 32
"""Pixels: of 50,000 nodes, 150 MB."""


class Shown(Telling):
    """nodes: by id, as the engine calls them and those around them. calls_by_key: of the latest run; of the document,
    before there is one.
    """

    wanted = Signal(object)  # Calls that somebody looks at, without a picture

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.nodes: dict[str, NodeRun] = {}
        self.calls_by_key: Mapping[str, Call] = {}
        self._records = Records()
        self._at_work: dict[str, None] = {}  # places with a call that runs
        self._whole: Kept[str] = Kept(PICTURE_BYTES)  # places whose pictures are as they came
        self._made_small: set[str] = set()  # the others
        self._picture_key: dict[str, str] = {}  # place -> key of the picture it shows

    def of(self, node: str) -> NodeRun:
        return self.nodes.get(node, IDLE)

    @property
    def at_work(self) -> tuple[str, ...]:
        """The nodes that are computed now, and those around them."""
        return tuple(self._at_work)

    def picture_key(self, node: str) -> str:
        """The key of the result whose picture a node shows; empty for a preview on the way there."""
        return self._picture_key.get(node, "")

    def _set(self, node: str, **fields: Any) -> None:
        before = self.of(node)
        if any(getattr(before, name) != value for name, value in fields.items()):
            after = replace(before, **fields)
            self.nodes[node] = after
            if after.state == "running":
                self._at_work[node] = None
            else:
                self._at_work.pop(node, None)
            self._touch(node)

    def _show(self, node: str, picture: Picture, key: str = "") -> None:
        """key: of the result the picture is of; empty for a preview on the way there."""
        for place in places(node):
            self._show_at(place, key, picture)

    def _show_at(self, place: str, key: str, picture: Picture) -> None:
        self._picture_key[place] = key
        self._keep(place, picture)
        self._set(place, picture=picture, aspect=aspect(picture))
        if owner(place) == place:
            self._show_newest(place)

    def _keep(self, place: str, picture: Picture) -> None:
        """Make others small that were shown longer ago, if there are too many now."""
        self._made_small.discard(place)
        for old in self._whole.put(place, len(picture.rgb)):
            shown = self.of(old).picture
            if shown is not None and (made := small(shown, SMALL_SIDE)) is not shown:
                self._made_small.add(old)
                self._set(old, picture=made)

    def is_small(self, node: str) -> bool:
        """Whether its picture was made small, because there are too many."""
        return node in self._made_small

    def sharpen(self, nodes: Iterable[str]) -> None:
        """These are looked at: let their pictures not be made small, and get back those that were."""
        calls: list[Call] = []
        with self._together():
            for node in nodes:
                self._whole.touch(node)
                key = self._picture_key.get(node, "")
                if node not in self._made_small:
                    continue
                if picture := self._records.known(key).picture:
                    self._keep(node, picture)
                    self._set(node, picture=picture)
                elif call := self.calls_by_key.get(key):
                    calls.append(call)
        if calls:
            self.wanted.emit(calls)

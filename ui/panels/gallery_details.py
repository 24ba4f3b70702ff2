"""What a picture holds: its size, when it was made, and every value that it was made with, to be read and copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QSize
from PySide6.QtGui import QGuiApplication, QImageReader
from PySide6.QtWidgets import QTextBrowser, QVBoxLayout, QWidget

from nodegraph.graph import Graph, Port
from nodegraph.group_type import document_types
from nodegraph.node import File, Input, Multiline, NodeType, Seed
from nodegraph.reach import leading_to
from nodegraph.registry import Registry
from ui.base.text import byte_size, label, value_text
from ui.base.theme import colors, scaled
from ui.runs.picture_index import Made
from ui.runs.results import Result
from ui.widgets.buttons import small_button

WIDTH = 230  # pixels, at the usual text size


class Fact(NamedTuple):
    name: str
    value: str


class Section(NamedTuple):
    title: str
    facts: tuple[Fact, ...]


def of_file(made: Made) -> Section:
    """What can be told of the file itself."""
    path, size = Path(made.path), QImageReader(made.path).size()
    facts = [Fact("File", made.path)]
    if size.isValid():
        facts.append(Fact("Size", f"{size.width()} × {size.height()} pixels"))
    if path.exists():
        facts.append(Fact("On disk", byte_size(path.stat().st_size)))
    facts += [Fact("Rating", str(made.rating))] if made.rating else []
    facts += [Fact("Boards", ", ".join(made.boards))] if made.boards else []
    return Section(path.name, tuple(facts))


def of_graph(graph: Graph, node: str, registry: Registry) -> list[Section]:
    """What it was made with: first what people turn (texts, seeds, files, the usual numbers), then all values by node.

    node: that made the picture; only what leads to it counts.
    """
    part = leading_to(graph, node.split("/", 1)[0])
    types = document_types(part.groups, registry)
    usual = registry.domain.usual
    first: dict[Fact, None] = {}
    sections: list[Section] = []
    for id, one in part.nodes.items():
        type = types.get(one.type)
        if type is None or type.annotation:
            continue
        found = list(_values(part, id, type))
        first |= {
            Fact(label(spec.name), _whole(spec, value)): None
            for spec, value in found
            if value not in (None, "") and (any(map(spec.get, (Seed, Multiline, File))) or spec.name in usual)
        }
        if found:
            facts = tuple(Fact(label(spec.name), _whole(spec, value)) for spec, value in found)
            sections.append(Section(one.title or type.title, facts))
    return ([Section("In short", tuple(first))] if first else []) + sections


def _values(graph: Graph, id: str, type: NodeType) -> Iterator[tuple[Input, Any]]:
    """Those that nothing is linked to, whether they were set or are the usual ones."""
    params: Mapping[str, Any] = graph.nodes[id].params
    for spec in type.inputs:
        if spec.editable and Port(id, spec.name) not in graph.links and (spec.name in params or not spec.required):
            yield spec, params.get(spec.name, spec.default)


def _whole(spec: Input, value: Any) -> str:
    return value if isinstance(value, str) and spec.get(File) is None else value_text(spec, value)


class Details(QWidget):
    """The facts as a page: what is marked can be copied. copy: a button that copies all, for whoever has room."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry = registry
        self.page = QTextBrowser()
        self.page.setOpenLinks(False)
        self.page.setAccessibleName("What the picture holds")
        self.copy = small_button("Copy all", self._copy, "Put all of it on the clipboard, as text")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.page)
        self.sections: list[Section] = []
        self.clear()

    def sizeHint(self) -> QSize:
        return QSize(scaled(WIDTH), 120)

    def minimumSizeHint(self) -> QSize:
        return QSize(scaled(150), 60)

    def clear(self, why: str = "Go to a picture to see what it was made with.") -> None:
        self.sections = []
        self.copy.setEnabled(False)
        self.page.setHtml(f'<p style="color:{colors().dim}">{escape(why)}</p>')

    def show_picture(self, made: Made, result: Result) -> None:
        made_with = of_graph(result.graph, result.node or made.node, self.registry)
        self.sections = [of_file(made), *made_with]
        if not made_with and made.text:
            self.sections.append(Section("What the file says", (Fact("Text", made.text),)))
        self.copy.setEnabled(True)
        self.page.setHtml("".join(map(_html, self.sections)))

    @property
    def text(self) -> str:
        parts = ("\n".join((title, *(f"{name}: {value}" for name, value in facts))) for title, facts in self.sections)
        return "\n\n".join(parts)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)


def _html(section: Section) -> str:
    dim = colors().dim
    rows = "".join(
        f'<tr><td style="color:{dim}; padding-right:8px">{escape(name)}</td>'
        f"<td>{escape(value).replace(chr(10), '<br>')}</td></tr>"
        for name, value in section.facts
    )
    title = f'<p style="font-weight:600; margin-bottom:2px">{escape(section.title)}</p>'
    return f'{title}<table cellspacing="2">{rows}</table>'

"""Workflow files: JSON in, Graph out, and back.

    {"version": 1,
     "nodes": {"noise": {"type": "latent.noise", "params": {"seed": 7}, "pos": [0, 0]}},
     "links": [[["latent", "latent"], ["noise", "latent"]]],
     "groups": {"Twice": {"doc": "", "inputs": {"x": {}, "by": {"default": 2}}, "outputs": ["value"],
                          "nodes": {...}, "links": [...]}}}

A node may have a "title", a "mode" (muted or bypassed), a "size" [width, height], "collapsed": true and a "seed_mode"
(increment or random). A group input without a "default" must be linked. A file of groups that ship with the program is
an ordinary workflow with "groups" alone. A node's "suited" says which of its parameters were set to suit what it takes
(`nodegraph.editing.suit`), its "color" the one that a person gave it (`nodegraph.editing.tint`). "about" is what a
workflow says of itself, in Markdown; "needs" says which files it needs (`nodegraph.formats.needs`). What this program
does not know (node types, parameters, fields) is kept and written back; the order is that of the file, so files diff
well. JSON only: data, never code.
"""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from nodegraph.formats import foreign, png
from nodegraph.formats.fields import pop_field, read_object, read_pair, read_values
from nodegraph.formats.files import read_limited, write_atomic
from nodegraph.formats.json_pieces import parsing
from nodegraph.graph import Graph, Group, Mode, Node, Port, SeedMode
from nodegraph.limits import MAX_GROUPS, MAX_LINKS, MAX_NODES, MAX_SOCKETS, check_name
from nodegraph.node import REQUIRED
from nodegraph.pieces import Pieces, finish, in_parts
from nodegraph.text import quoted, shortened

MAX_BYTES = 64 << 20
MAX_LEVELS = 16
"""Of definitions of groups inside others."""
LINE = 120
SOME = 100
"""Nodes that are read, and lines that are written, in one piece."""


class WorkflowError(ValueError):
    """The file is not a workflow that this program can read or write; the text says which and why."""


def _link_pairs(data: dict[str, Any]) -> None:
    """0 -> 1: a link was {"from": port, "to": port}."""
    for graph in _graphs(data):
        graph["links"] = [[link["from"], link["to"]] for link in graph["links"]]


MIGRATIONS: tuple[Callable[[dict[str, Any]], None], ...] = (_link_pairs,)
"""MIGRATIONS[n] rewrites a file of version n, in place, as version n + 1. tests/golden holds a file of each version."""


def _graphs(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The graph of a file and those of its groups. Raises ValueError when groups define groups too deeply."""
    level = [data]
    for _ in range(MAX_LEVELS):
        yield from level
        level = [group for graph in level for group in graph.get("groups", {}).values()]
    if level:
        raise ValueError(f"it is nested too deeply: groups may define groups {MAX_LEVELS} deep")


def load(path: str | Path) -> Graph:
    """The workflow in a JSON file, or in a picture this program saved. Raises WorkflowError."""
    return finish(loading(path))


def loading(path: str | Path) -> Pieces[Graph]:
    """The same in pieces."""
    try:
        with open(path, "rb") as file:
            head = file.read(foreign.HEAD)
        if head.startswith(png.SIGNATURE):
            return (yield from _reading(png.read_workflow(path), str(path)))
        if kind := foreign.format_of(head):  # before it is read whole: a video may be large
            raise ValueError(f"{path}: not a workflow: it is {kind}")
        return (yield from _reading(read_limited(path, MAX_BYTES), str(path)))
    except WorkflowError:
        raise
    except ValueError as error:
        raise WorkflowError(str(error)) from error
    except OSError as error:
        name = shortened(str(path)) if error.errno == errno.ENAMETOOLONG else path
        raise WorkflowError(f"cannot read {name}: {error.strerror or error}") from error


def save(graph: Graph, path: str | Path) -> None:
    """Write a workflow file; the version before stays beside it with `.bak` behind its name. Raises WorkflowError.

    Whatever goes wrong, the file holds either the old or the new workflow.
    """
    finish(saving(graph, path))


def saving(graph: Graph, path: str | Path) -> Pieces[None]:
    """The same in pieces; the last of them writes all of it."""
    text = (yield from dumping(graph)).encode()
    path = Path(path).resolve()  # through a symbolic link, not in place of it
    try:
        if path.exists():
            write_atomic(path.with_name(path.name + ".bak"), path.read_bytes())
        write_atomic(path, text)
    except OSError as error:
        raise WorkflowError(f"cannot write {path}: {error.strerror or error}") from error


def loads(text: str | bytes, name: str = "the workflow") -> Graph:
    """name: what errors call the text. Raises WorkflowError."""
    try:
        return from_data(_parse(text))
    except ValueError as error:
        raise WorkflowError(f"{name}: {error}") from error


def _reading(text: str | bytes, name: str) -> Pieces[Graph]:
    try:
        data = yield from _parsing(text)
        yield
        return (yield from _reading_data(data))
    except ValueError as error:
        raise WorkflowError(f"{name}: {error}") from error


def from_data(data: dict[str, Any]) -> Graph:
    """The graph in a parsed file, which is used up. Raises ValueError."""
    return finish(_reading_data(data))


def _reading_data(data: dict[str, Any]) -> Pieces[Graph]:
    try:
        data = _migrated(data)
        _check_size(data)
        return (yield from _reading_graph(data))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _parse(text: str | bytes) -> dict[str, Any]:
    with _said_plainly():
        data = json.loads(_decoded(text), object_pairs_hook=_unique)
    return _own(data)


def _parsing(text: str | bytes) -> Pieces[dict[str, Any]]:
    """The same in pieces."""
    with _said_plainly():
        data = yield from parsing(_decoded(text), _unique)
    return _own(data)


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    if kind := foreign.format_of(text[: foreign.HEAD]):
        raise WorkflowError(f"not a workflow: it is {kind}")
    return text.decode("utf-8-sig")


def _own(data: Any) -> dict[str, Any]:
    """Refuse what another program wrote."""
    if isinstance(data, dict) and (maker := foreign.maker_of(cast("dict[str, Any]", data))):
        raise ValueError(f"not a workflow of this program: it is {maker}")
    return read_object(data, "the workflow")


@contextmanager
def _said_plainly() -> Generator[None]:
    """What is wrong with a text, in a sentence."""
    try:
        yield
    except WorkflowError:
        raise
    except UnicodeDecodeError as error:
        raise ValueError(f"not a workflow: it is not text (byte {error.start})") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        cut = " (the text ends too early: is the file truncated?)" if at_end else ""
        raise ValueError(f"not JSON: {error.msg}, line {error.lineno}, column {error.colno}{cut}") from error
    except ValueError as error:  # Python's own limit, with advice for programmers
        raise ValueError("it holds a whole number of more than 4,300 digits") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # JSON allows a name twice and Python keeps the last: a node would be lost without a word.
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name in counts if counts[name] > 1)
        raise WorkflowError(f"{quoted(twice)} stands twice in one object")
    return found


def _migrated(data: dict[str, Any]) -> dict[str, Any]:
    version = data.pop("version", None)
    if type(version) is not int or version < 0:
        raise ValueError("not a workflow: it has no version number")
    if version > len(MIGRATIONS):
        raise ValueError(
            f"a workflow of version {quoted(version)}, newer than this program, which reads up to {len(MIGRATIONS)}"
        )
    try:
        for migrate in MIGRATIONS[version:]:
            migrate(data)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"damaged: it is not a workflow of version {version}") from error
    return data


def _check_size(data: dict[str, Any]) -> None:
    """Before anything is made of it: what the program would take minutes to show is refused at once."""
    try:
        graphs = [*_graphs(data)]
        counts = (
            (sum(len(graph.get("nodes", {})) for graph in graphs), MAX_NODES, "nodes"),
            (sum(len(graph.get("links", [])) for graph in graphs), MAX_LINKS, "links"),
            (len(graphs) - 1, MAX_GROUPS, "groups"),
        )
    except (TypeError, AttributeError):
        return  # what is of the wrong kind is named below
    for count, limit, what in counts:
        if count > limit:
            raise ValueError(f"it has {count:,} {what}; the limit is {limit:,}")


# Below, `where` says which part of the file is read. Fields are taken out of their object (`pop`), so that what
# remains is what this program does not know.


def _reading_graph(data: dict[str, Any], where: str = "") -> Pieces[Graph]:
    nodes: dict[str, Node] = {}
    for part in in_parts(pop_field(data, "nodes", dict, {}, where).items(), SOME):
        for id, entry in part:
            name = f"{where}node {quoted(id)}"
            nodes[check_name(id, f"{where}a node's id")] = _read_node(read_object(entry, name), f"{name}: ")
        yield
    links = yield from _reading_links(pop_field(data, "links", list, [], where), nodes, where)
    groups: dict[str, Group] = {}
    for name, entry in pop_field(data, "groups", dict, {}, where).items():
        check_name(name, f"{where}a group's name")
        what = f"{where}group {quoted(name)}"
        groups[name] = yield from _reading_group(name, read_object(entry, what), f"{what}: ")
    return Graph(nodes, links, groups, read_values(data, where))


def _read_node(data: dict[str, Any], where: str) -> Node:
    mode, title = data.pop("mode", "on"), data.pop("title", None)
    if mode not in get_args(Mode):
        raise ValueError(f"{where}'mode' must be one of {', '.join(get_args(Mode))}; got {quoted(mode)}")
    if not isinstance(title, str | None):
        raise ValueError(f"{where}'title' must be text")
    collapsed, seed_mode = data.pop("collapsed", False), data.pop("seed_mode", "fixed")
    if not isinstance(collapsed, bool):
        raise ValueError(f"{where}'collapsed' must be true or false")
    if seed_mode not in get_args(SeedMode):
        raise ValueError(f"{where}'seed_mode' must be one of {', '.join(get_args(SeedMode))}; got {quoted(seed_mode)}")
    return Node(
        type=check_name(pop_field(data, "type", str, None, where), f"{where}'type'"),
        params=read_values(pop_field(data, "params", dict, {}, where), f"{where}parameter "),
        pos=read_pair(data.pop("pos", [0, 0]), "pos", where),
        title=title,
        mode=mode,
        size=read_pair(data.pop("size"), "size", where) if "size" in data else None,
        collapsed=collapsed,
        seed_mode=seed_mode,
        extra=read_values(data, where),
    )


def _reading_links(entries: list[Any], nodes: Mapping[str, Node], where: str) -> Pieces[dict[Port, Port]]:
    links: dict[Port, Port] = {}
    for part in in_parts(entries):
        for entry in part:
            match entry:
                case [[str() as src, str() as output], [str() as dst, str() as input]]:
                    pass
                case _:
                    raise ValueError(f"{where}a link must be [[node, output], [node, input]]; got {quoted(entry)}")
            for id in (src, dst):
                if id not in nodes:
                    raise ValueError(f"{where}a link names node {quoted(id)}, which is not there")
            if Port(dst, input) in links:
                raise ValueError(f"{where}node {quoted(dst)}: input {quoted(input)} has two links; it can have one")
            links[Port(dst, check_name(input, f"{where}an input"))] = Port(src, check_name(output, f"{where}an output"))
        yield
    return links


def _reading_group(name: str, data: dict[str, Any], where: str) -> Pieces[Group]:
    doc = pop_field(data, "doc", str, "", where)
    outputs = pop_field(data, "outputs", list, [], where)
    if not all(isinstance(output, str) for output in outputs):
        raise ValueError(f"{where}'outputs' must be a list of names")
    entries = pop_field(data, "inputs", dict, {}, where)
    for names, what in ((entries, "inputs"), (outputs, "outputs")):
        if len(names) > MAX_SOCKETS:
            raise ValueError(f"{where}it has {len(names):,} {what}; the limit is {MAX_SOCKETS:,}")
        for socket in names:
            check_name(socket, f"{where}one of its {what}")
    inputs: dict[str, Any] = {}
    for input, entry in entries.items():
        values = read_values(read_object(entry, f"{where}input {quoted(input)}"), f"{where}input {quoted(input)}: ")
        inputs[input] = values.get("default", REQUIRED)
    graph = yield from _reading_graph(data, where)
    return Group(name, graph, inputs, tuple(outputs), doc)


def dumps(graph: Graph) -> str:
    """The text of a workflow file. loads(dumps(graph)) == graph. Raises ValueError for NaN and infinity."""
    return finish(dumping(graph))


def dumping(graph: Graph) -> Pieces[str]:
    """The same in pieces."""
    data = to_data(graph)
    yield
    line = None if 3 * len(graph.nodes) > LINE else _line(data, 0)
    text = (line or (yield from _spread(data, 0))) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, pasted from somewhere: UTF-8 cannot hold it, an escape can
        return json.dumps(json.loads(text), indent=1) + "\n"
    return text


def to_data(graph: Graph) -> dict[str, Any]:
    """What a file holds, before it is text."""
    return {"version": len(MIGRATIONS), **_graph_entry(graph)}


def _graph_entry(graph: Graph) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "nodes": {id: _node_entry(node) for id, node in graph.nodes.items()},
        "links": [_Link(src, dst) for dst, src in graph.links.items()],
    }
    if graph.groups:
        entry["groups"] = {name: _group_entry(group) for name, group in graph.groups.items()}
    return entry | dict(graph.extra)


def _node_entry(node: Node) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": node.type, "params": node.params, "pos": node.pos}
    if node.title is not None:
        entry["title"] = node.title
    if node.mode != "on":
        entry["mode"] = node.mode
    if node.size is not None:
        entry["size"] = node.size
    if node.collapsed:
        entry["collapsed"] = True
    if node.seed_mode != "fixed":
        entry["seed_mode"] = node.seed_mode
    return entry | dict(node.extra)


def _group_entry(group: Group) -> dict[str, Any]:
    inputs = {name: {} if default is REQUIRED else {"default": default} for name, default in group.inputs.items()}
    return {"doc": group.doc, "inputs": inputs, "outputs": group.outputs} | _graph_entry(group.graph)


class _Link(NamedTuple):
    """As in a file: from an output to an input."""

    src: Port
    dst: Port


def _link_line(link: _Link, indent: int, known: dict[str, str]) -> str:
    """As `_layout` writes it; ids and sockets are encoded once each. known: as they are encoded."""
    words: list[str] = []
    for word in (*link.src, *link.dst):
        if (text := known.get(word)) is None:
            text = known[word] = _encode(word)
        words.append(text)
    line = f"[[{words[0]}, {words[1]}], [{words[2]}, {words[3]}]]"
    return line if indent + len(line) <= LINE else _layout(link, indent)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_NESTED = (dict, list, tuple)


def _layout(value: Any, indent: int = 0) -> str:
    """JSON with one line for whatever fits on one: a node or a link is a line, so an edit is a line in a diff."""
    return _line(value, indent) or finish(_spread(value, indent))


def _line(value: Any, indent: int) -> str | None:
    """None when it takes more than one."""
    if not isinstance(value, _NESTED):
        return _encode(value)
    # An item takes three characters at least. Writing out what cannot fit, only to see that, would take longest.
    if 3 * len(cast("Sized", value)) <= LINE:
        line = _encode(value)
        if indent + len(line) <= LINE or not value:
            return line
    return None


def _spread(value: Any, indent: int) -> Pieces[str]:
    """JSON of a list or an object with its items on lines of their own."""
    pad, body, known = " " * (indent + 1), list[str](), dict[str, str]()
    entries = cast("dict[str, Any]", value) if isinstance(value, dict) else None
    items = [("", item) for item in cast("list[Any]", value)] if entries is None else entries.items()
    for name, item in items:
        line = _link_line(item, indent + 1, known) if type(item) is _Link else _line(item, indent + 1)
        line = line or (yield from _spread(item, indent + 1))
        body.append(f"{pad}{line}" if entries is None else f"{pad}{_encode(name)}: {line}")
        if not len(body) % SOME:
            yield
    start, end = "[]" if entries is None else "{}"
    return start + "\n" + ",\n".join(body) + "\n" + " " * indent + end

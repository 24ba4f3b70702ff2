"""Workflow files: JSON in, Graph out, and back.

    {"version": 1,
     "nodes": {"noise": {"type": "latent.noise", "params": {"seed": 7}, "pos": [0, 0]}},
     "links": [[["latent", "latent"], ["noise", "latent"]]],
     "groups": {"Twice": {"doc": "", "inputs": {"x": {}, "by": {"default": 2}}, "outputs": ["value"],
                          "nodes": {...}, "links": [...]}}}

A node may have a "title", a "mode" (muted or bypassed), a "size" [width, height], "collapsed": true and a "seed_mode"
(increment or random). A group input without a "default" must be
linked. A file of groups that ship with the program is an ordinary workflow with "groups" alone. What this
program does not know (node types, parameters, fields) is kept and written back; the order is that of
the file, so files diff well. JSON only: data, never code.
"""

from __future__ import annotations

import errno
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, cast, get_args

from nodegraph.formats import foreign, png
from nodegraph.formats.files import read_limited, write_atomic
from nodegraph.graph import Graph, Group, Mode, Node, Port, SeedMode
from nodegraph.limits import MAX_GROUPS, MAX_LINKS, MAX_NODES, MAX_SOCKETS, check_name
from nodegraph.node import REQUIRED
from nodegraph.text import MAX_QUOTED, quoted, shortened

MAX_BYTES = 64 << 20
MAX_DEPTH = 64
MAX_LEVELS = 16
"""Of definitions of groups inside others."""
FARTHEST = 10_000_000
"""What lies farther out could not be painted: pixels are counted in 32 bits."""

LINE = 120


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
    try:
        with open(path, "rb") as file:
            head = file.read(foreign.HEAD)
        if head.startswith(png.SIGNATURE):
            return loads(png.read_workflow(path), str(path))
        if kind := foreign.format_of(head):  # before it is read whole: a video may be large
            raise ValueError(f"{path}: not a workflow: it is {kind}")
        return loads(read_limited(path, MAX_BYTES), str(path))
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
    path = Path(path).resolve()  # through a symbolic link, not in place of it
    try:
        if path.exists():
            write_atomic(path.with_name(path.name + ".bak"), path.read_bytes())
        write_atomic(path, dumps(graph).encode())
    except OSError as error:
        raise WorkflowError(f"cannot write {path}: {error.strerror or error}") from error


def loads(text: str | bytes, name: str = "the workflow") -> Graph:
    """name: what errors call the text. Raises WorkflowError."""
    try:
        return from_data(_parse(text))
    except ValueError as error:
        raise WorkflowError(f"{name}: {error}") from error


def from_data(data: dict[str, Any]) -> Graph:
    """The graph in a parsed file, which is used up. Raises ValueError."""
    try:
        data = _migrated(data)
        _check_size(data)
        return _read_graph(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        if isinstance(text, bytes):
            if kind := foreign.format_of(text[: foreign.HEAD]):
                raise WorkflowError(f"not a workflow: it is {kind}")
            text = text.decode("utf-8-sig")
        data = json.loads(text, object_pairs_hook=_unique)
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
    if isinstance(data, dict) and (maker := foreign.maker_of(cast("dict[str, Any]", data))):
        raise ValueError(f"not a workflow of this program: it is {maker}")
    return _object(data, "the workflow")


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


def _read_graph(data: dict[str, Any], where: str = "") -> Graph:
    nodes = {
        check_name(id, f"{where}a node's id"): _read_node(
            _object(entry, f"{where}node {quoted(id)}"), f"{where}node {quoted(id)}: "
        )
        for id, entry in _pop(data, "nodes", dict, {}, where).items()
    }
    links = _read_links(_pop(data, "links", list, [], where), nodes, where)
    groups = {
        check_name(name, f"{where}a group's name"): _read_group(
            name, _object(entry, f"{where}group {quoted(name)}"), f"{where}group {quoted(name)}: "
        )
        for name, entry in _pop(data, "groups", dict, {}, where).items()
    }
    return Graph(nodes, links, groups, _values(data, where))


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
        type=check_name(_pop(data, "type", str, None, where), f"{where}'type'"),
        params=_values(_pop(data, "params", dict, {}, where), f"{where}parameter "),
        pos=_pair(data.pop("pos", [0, 0]), "pos", where),
        title=title,
        mode=mode,
        size=_pair(data.pop("size"), "size", where) if "size" in data else None,
        collapsed=collapsed,
        seed_mode=seed_mode,
        extra=_values(data, where),
    )


def _read_links(entries: list[Any], nodes: Mapping[str, Node], where: str) -> dict[Port, Port]:
    links: dict[Port, Port] = {}
    for entry in entries:
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
    return links


def _read_group(name: str, data: dict[str, Any], where: str) -> Group:
    doc = _pop(data, "doc", str, "", where)
    outputs = _pop(data, "outputs", list, [], where)
    if not all(isinstance(output, str) for output in outputs):
        raise ValueError(f"{where}'outputs' must be a list of names")
    entries = _pop(data, "inputs", dict, {}, where)
    for names, what in ((entries, "inputs"), (outputs, "outputs")):
        if len(names) > MAX_SOCKETS:
            raise ValueError(f"{where}it has {len(names):,} {what}; the limit is {MAX_SOCKETS:,}")
        for socket in names:
            check_name(socket, f"{where}one of its {what}")
    inputs: dict[str, Any] = {}
    for input, entry in entries.items():
        values = _values(_object(entry, f"{where}input {quoted(input)}"), f"{where}input {quoted(input)}: ")
        inputs[input] = values.get("default", REQUIRED)
    return Group(name, _read_graph(data, where), inputs, tuple(outputs), doc)


def _pair(value: Any, field: str, where: str) -> tuple[float, float]:
    match _placed(value, f"{where}{quoted(field)}"):
        case (int() | float() as x, int() | float() as y) if max(abs(x), abs(y)) <= FARTHEST:
            return x, y
        case _:
            raise ValueError(f"{where}{quoted(field)} must be two numbers between -{FARTHEST:,} and {FARTHEST:,}")


def _pop(data: dict[str, Any], field: str, kind: type, default: Any, where: str) -> Any:
    value = data.pop(field, default)
    if not isinstance(value, kind):
        kinds: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
        raise ValueError(f"{where}{quoted(field)} must be {kinds[kind]}")
    return value


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object")
    return cast("dict[str, Any]", value)


def _values(data: dict[str, Any], where: str) -> dict[str, Any]:
    return {name: _placed(value, f"{where}{quoted(name)}") for name, value in data.items()}


def _placed(value: Any, where: str) -> Any:
    try:
        return _value(value)
    except ValueError as error:
        raise ValueError(f"{where}{error}") from error


def _value(value: Any, depth: int = 0) -> Any:
    """Lists become tuples: what is in a graph does not change. Raises ValueError with the end of a sentence."""
    if depth > MAX_DEPTH:
        raise ValueError(f" is nested more than {MAX_DEPTH} deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f" must be a finite number, got {value}")
    if isinstance(value, list):
        return tuple(_value(v, depth + 1) for v in cast("list[Any]", value))
    if isinstance(value, dict):
        return {name: _entry(name, v, depth + 1) for name, v in cast("dict[str, Any]", value).items()}
    return value


def _entry(name: str, value: Any, depth: int) -> Any:
    # Where it stands is put together only when that is to be said: names may be long, and their entries many.
    try:
        return _value(value, depth)
    except ValueError as error:
        inner = str(error)
        raise ValueError(inner if len(inner) > MAX_QUOTED else f", {quoted(name)}{inner}") from error


def dumps(graph: Graph) -> str:
    """The text of a workflow file. loads(dumps(graph)) == graph. Raises ValueError for NaN and infinity."""
    data = to_data(graph)
    text = (_spread(data, 0) if 3 * len(graph.nodes) > LINE else _layout(data)) + "\n"
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
        "links": [[src, dst] for dst, src in graph.links.items()],
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


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_NESTED = (dict, list, tuple)


def _layout(value: Any, indent: int = 0) -> str:
    """JSON with one line for whatever fits on one: a node or a link is a line, so an edit is a line in a diff."""
    if not isinstance(value, _NESTED):
        return _encode(value)
    # An item takes three characters at least. Writing out what cannot fit, only to see that, would take longest.
    if 3 * len(cast("Sized", value)) <= LINE:
        line = _encode(value)
        if indent + len(line) <= LINE or not value:
            return line
    return _spread(value, indent)


def _spread(value: Any, indent: int) -> str:
    """JSON of a list or an object with its items on lines of their own."""
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value).items()
        body = [f"{pad}{_encode(name)}: {_layout(v, indent + 1)}" for name, v in entries]
        return "{\n" + ",\n".join(body) + "\n" + " " * indent + "}"
    body = [pad + _layout(v, indent + 1) for v in cast("list[Any]", value)]
    return "[\n" + ",\n".join(body) + "\n" + " " * indent + "]"

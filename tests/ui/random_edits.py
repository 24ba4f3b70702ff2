"""Edits drawn at random, of every kind that a document knows; small enough to shrink to a story."""

from dataclasses import replace

from hypothesis import strategies as st

from nodegraph import graph as edits
from nodegraph.builtin import FRAME, NOTE
from nodegraph.editing.grouping import make_group, ungroup
from nodegraph.graph import Graph, Node, Port

Edit = tuple[str, int, int, int]
"""What to do, and three numbers that say to which nodes and with what."""

KINDS = (
    "add", "note", "frame", "remove", "set", "move", "resize", "title", "mode",
    "connect", "disconnect", "group", "ungroup", "doc", "extra", "reorder",
)  # fmt: skip
SMALL = st.integers(0, 11)
EDITS = st.lists(st.tuples(st.sampled_from(KINDS), SMALL, SMALL, SMALL), max_size=25)


def edited(graph: Graph, edit: Edit) -> Graph:
    """The graph after an edit; the same graph when there is nothing it could be done to."""
    kind, a, b, c = edit
    if kind in ("add", "note", "frame"):
        return _added(graph, kind, a, b, c)
    if kind == "extra":
        return replace(graph, extra={**graph.extra, f"app{a}": {"inputs": ((f"n{b}", "value"),)}})
    if kind == "disconnect":
        return edits.disconnect(graph, _pick(graph.links, a)) if graph.links else graph
    if not graph.nodes:
        return graph
    first, second = _pick(graph.nodes, a), _pick(graph.nodes, b)
    match kind:
        case "remove":
            return edits.remove_nodes(graph, {first, second} if c % 2 else {first})
        case "set":
            return edits.set_param(graph, first, "value", (b, (1.5, "é"), None, {"x": c})[c % 4])
        case "move":
            return edits.move_nodes(graph, {first: (a, b), second: (b, c)})
        case "connect":
            return edits.connect(graph, Port(first, "box"), Port(second, "ab"[c % 2]))
        case "reorder":
            return replace(graph, nodes={first: graph.nodes[first], **graph.nodes})
        case _:
            return _shaped(graph, kind, first, second, c)


def _added(graph: Graph, kind: str, a: int, b: int, c: int) -> Graph:
    made = {
        "add": Node("toy.add", {"value": a}, (b, c)),
        "note": Node(NOTE, {"text": f"# Step {a}\nwith *words*"}, (b, c), size=(200 + c, 90)),
        "frame": Node(FRAME, {"color": f"#0{a % 10}0{b % 10}ff"}, (b, c), "A frame", size=(400, 300 + c)),
    }[kind]
    return edits.add_node(graph, edits.fresh_id(graph, f"n{a}"), made)


def _shaped(graph: Graph, kind: str, first: str, second: str, c: int) -> Graph:
    match kind:
        case "resize":
            return edits.change_node(graph, first, size=None if c == 0 else (c, 2 * c), collapsed=c % 2 == 0)
        case "title":
            return edits.change_node(graph, first, title=None if c == 0 else f"Title {c}")
        case "mode":
            return edits.change_node(graph, first, mode=("on", "muted", "bypassed")[c % 3], seed_mode="random")
        case "doc" if graph.groups:
            name = _pick(graph.groups, c)
            return replace(graph, groups={**graph.groups, name: replace(graph.groups[name], doc=f"Help {c}.")})
        case "group" | "ungroup":
            return _regrouped(graph, kind, {first, second}, f"G{c}")
    return graph


def _regrouped(graph: Graph, kind: str, ids: set[str], name: str) -> Graph:
    try:
        return make_group(graph, ids, name) if kind == "group" else ungroup(graph, min(ids))
    except ValueError:  # nothing that can be grouped
        return graph


def _pick(items, number: int):
    return list(items)[number % len(items)]

"""Workflows of a few kilobytes that grow, or nest, while they are planned."""

from typing import Any

Flow = dict[str, Any]

GREY: Flow = {"type": "image.grey", "params": {"width": 32, "height": 32}, "pos": [0, 0]}


def flow(nodes: Flow, links: list[Any], groups: Flow | None = None) -> Flow:
    """A workflow file's content."""
    return {"version": 1, "nodes": nodes, "links": links, "groups": groups or {}}


def doubling_groups(levels: int) -> Flow:
    """Groups, each holding the one before twice."""
    groups: Flow = {"g0": {"nodes": {"a": GREY}, "links": []}}
    for level in range(1, levels):
        inner = {"type": f"group:g{level - 1}", "pos": [0, 0]}
        groups[f"g{level}"] = {"nodes": {"a": inner, "b": inner}, "links": []}
    return flow({"n": {"type": f"group:g{levels - 1}", "pos": [0, 0]}}, [], groups)


def chained_groups(levels: int) -> Flow:
    """Groups, each holding the one before."""
    groups: Flow = {"g0": {"nodes": {"a": GREY}, "links": []}}
    for level in range(1, levels):
        groups[f"g{level}"] = {"nodes": {"a": {"type": f"group:g{level - 1}", "pos": [0, 0]}}, "links": []}
    return flow({"n": {"type": f"group:g{levels - 1}", "pos": [0, 0]}}, [], groups)


def growing_text(levels: int) -> Flow:
    """Texts, each the one before twice."""
    nodes: Flow = {"t0": {"type": "text.join", "params": {"first": "x" * 100}, "pos": [0, 0]}}
    links: list[Any] = []
    for level in range(1, levels):
        nodes[f"t{level}"] = {"type": "text.join", "pos": [0, 0]}
        links += [[[f"t{level - 1}", "value"], [f"t{level}", socket]] for socket in ("first", "second")]
    return flow(nodes, links)


def growing_number(levels: int) -> Flow:
    """Whole numbers, each the square of the one before."""
    squared = {"type": "math.expression", "params": {"formula": "a * a", "a": 1e9}, "pos": [0, 0]}
    nodes: Flow = {f"m{level}": squared for level in range(levels)}
    return flow(nodes, [[[f"m{level - 1}", "integer"], [f"m{level}", "a"]] for level in range(1, levels)])


def formulas() -> Flow:
    """Formulas and lists whose results would fill the memory."""
    written = ("9 ** 9 ** 9", "a ** b ** c", "1 << 10 ** 10", "(" * 200 + "1" + ")" * 200, "-" * 5000 + "1")
    nodes: Flow = {
        f"f{number}": {"type": "math.expression", "params": {"formula": formula}, "pos": [0, 0]}
        for number, formula in enumerate(written)
    }
    for kind in ("list.integers", "list.range"):
        nodes[kind] = {"type": kind, "params": {"count": 10**9}, "pos": [0, 0]}
    return flow(nodes, [])


def nested_zones(levels: int, rounds: int) -> Flow:
    """Loops in loops."""
    nodes: Flow = {"g": GREY}
    links: list[Any] = []
    value = ["g", "image"]
    for level in range(levels):
        nodes[f"b{level}"] = {"type": "repeat.begin", "params": {"count": rounds}, "pos": [0, 0]}
        links.append([value, [f"b{level}", "initial"]])
        value = [f"b{level}", "state"]
    for level in reversed(range(levels)):
        nodes[f"e{level}"] = {"type": "repeat.end", "pos": [0, 0]}
        links += [[[f"b{level}", "zone"], [f"e{level}", "zone"]], [value, [f"e{level}", "next"]]]
        value = [f"e{level}", "value"]
    return flow(nodes, links)


def long_chain(length: int) -> Flow:
    """Nodes in a row."""
    nodes: Flow = {"n0": GREY} | {f"n{i}": {"type": "image.invert", "pos": [0, 0]} for i in range(1, length)}
    return flow(nodes, [[[f"n{i - 1}", "image"], [f"n{i}", "image"]] for i in range(1, length)])


def all_bombs() -> list[Flow]:
    """One of each kind."""
    return [
        doubling_groups(30),
        chained_groups(300),
        growing_text(40),
        growing_number(30),
        formulas(),
        nested_zones(4, 1000),
        long_chain(400),
    ]

"""Automatic layout."""

from itertools import combinations

import networkx
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.editing import layout
from nodegraph.editing.layout import COLUMN_GAP, Box, layered, layering
from nodegraph.graph import Graph, Node, Port, connect
from nodegraph.pieces import PIECE, Work, finish
from tests.examples import examples
from tests.nodegraph.toys import build
from tests.ui.counting import calls

WIDTH, OUT, IN = 200.0, 20.0, 45.0
ROOM = (20.0, 50.0)

Rect = tuple[float, float, float, float]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to twelve nodes with up to two sources each, circles included."""
    count = draw(st.integers(1, 12))
    graph = Graph({f"n{i}": Node("toy.add", pos=(0, draw(st.integers(-99, 99)))) for i in range(count)})
    for i in range(count):
        for socket in ("a", "b"):
            source = draw(st.integers(0, count - 1))
            if draw(st.booleans()):
                graph = connect(graph, Port(f"n{source}", "box"), Port(f"n{i}", socket))
    return graph


def boxes(graph: Graph) -> dict[str, Box]:
    """High and low ones, narrow and wide ones."""
    return {
        id: Box(WIDTH + 50 * (n % 2), 60.0 + 17 * n, {"a": IN, "b": IN + 8}, {"box": OUT})
        for n, id in enumerate(graph.nodes)
    }


def straight(graph: Graph) -> Graph:
    """Without circles."""
    kept = {d: s for d, s in graph.links.items() if int(s.node[1:]) < int(d.node[1:])}
    return Graph(graph.nodes, kept)


def laid_out(graph: Graph, frames: dict[str, set[str]] | None = None) -> dict[str, Rect]:
    sizes = {id: box for id, box in boxes(graph).items() if id not in (frames or {})}
    places, framed = layered(graph, sizes, frames or {}, ROOM)
    return {id: (*places[id], *(framed[id] if id in framed else sizes[id][:2])) for id in places}


def overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def holds(outer: Rect, inner: Rect) -> bool:
    """With room on all sides."""
    (x, y, w, h), (a, b, c, d) = outer, inner
    return x <= a - ROOM[0] and a + c + ROOM[0] <= x + w and y <= b - ROOM[1] and b + d + ROOM[0] <= y + h


@examples(40)
@given(graphs())
def test_no_two_nodes_touch(graph: Graph):
    assert not any(overlap(a, b) for a, b in combinations(laid_out(graph).values(), 2))


@examples(40)
@given(graphs())
def test_wires_lead_to_the_right_with_room_to_turn(graph: Graph):
    graph = straight(graph)
    rects = laid_out(graph)
    assert all(rects[s.node][0] + rects[s.node][2] + COLUMN_GAP <= rects[d.node][0] for d, s in graph.links.items())


@examples(60)
@given(graphs())
def test_no_wire_passes_below_a_node(graph: Graph):
    graph = straight(graph)
    rects = laid_out(graph)
    for dst, src in graph.links.items():
        x, y, width, _ = rects[src.node]
        level = (x + width + 1, y + OUT, rects[dst.node][0] - COLUMN_GAP - x - width - 2, 1.0)
        assert not any(level[2] > 0 and overlap(level, rect) for rect in rects.values())


@examples(40)
@given(graphs(), st.data())
def test_frames_hold_what_is_theirs_and_nothing_else(graph: Graph, data: st.DataObject):
    outer = data.draw(st.sets(st.sampled_from([*graph.nodes]), min_size=1))
    inner = data.draw(st.sets(st.sampled_from([*sorted(outer)]), min_size=1))
    other = data.draw(st.sets(st.sampled_from([*graph.nodes]))) - outer
    empty = Node("canvas.frame")
    framed = Graph({**graph.nodes, "outer": empty, "inner": empty, "other": empty}, graph.links)
    frames = {"outer": outer | {"inner"}, "inner": inner, "other": other}
    rects = laid_out(framed, frames)
    assert all(holds(rects[frame], rects[id]) for frame, ids in frames.items() for id in ids)
    strangers = [(id, frame) for frame, ids in frames.items() if ids for id in graph.nodes if id not in ids]
    assert not any(overlap(rects[id], rects[frame]) for id, frame in strangers)


@examples(40)
@given(graphs())
def test_the_upper_left_corner_stays(graph: Graph):
    before, rects = [node.pos for node in graph.nodes.values()], laid_out(graph)
    for axis in (0, 1):
        assert min(rect[axis] for rect in rects.values()) == min(p[axis] for p in before)


def test_a_source_stands_just_before_its_first_reader():
    chain = {f"n{i}": "toy.step" for i in range(4)} | {"late": "toy.box"}
    graph = build(chain, "n0.box > n1.box", "n1.box > n2.box", "n2.box > n3.box", "late.box > n3.other")
    rects = laid_out(graph)
    assert rects["late"][0] == rects["n2"][0]


def test_only_nodes_with_a_box_are_placed():
    graph = build({"a": "toy.box", "b": "toy.step"}, "a.box > b.box")
    assert set(layered(graph, {"a": Box(WIDTH, 50.0)}, {}, ROOM)[0]) == {"a"}
    assert layered(graph, {}, {}, ROOM) == ({}, {})


def test_an_empty_frame_is_left_alone():
    graph = build({"a": "toy.box", "f": "canvas.frame"})
    places, sizes = layered(graph, {"a": Box(9.0, 9.0)}, {"f": ()}, ROOM)
    assert set(places) == {"a"}
    assert not sizes


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_circles_are_found_as_networkx_finds_them(ends: list[tuple[int, int]]):
    links = networkx.DiGraph(ends)
    assert finish(layout.acyclic(links)) == networkx.is_directed_acyclic_graph(links)


def test_circles_are_looked_for_in_pieces():
    work = Work(layout.acyclic(networkx.path_graph(2000, networkx.DiGraph)))
    pieces = 0
    while not work.go_on(0.0):
        pieces += 1
    assert work.result
    assert pieces >= 2000 // PIECE


def test_a_piece_of_a_layout_is_a_small_part_of_it(monkeypatch):
    """However many nodes there are, and however many columns their wires pass."""
    monkeypatch.setattr(layout, "SWEEPS", 2)  # each is as much work as the one before
    count = 1000
    near = {Port(f"n{i}", "box"): Port(f"n{i - 1}", "box") for i in range(1, count)}
    far = {Port(f"n{i}", "other"): Port(f"n{i - 250}", "box") for i in range(250, count)}
    graph = Graph({f"n{i}": Node("toy.step", pos=(0, i)) for i in range(count)}, near | far)
    laid_out(Graph({"n0": Node("toy.box")}))  # imports what it needs
    work = Work(layering(graph, boxes(graph), {}, ROOM, lambda done: None))
    pieces: list[int] = []
    while not work.done:
        pieces.append(calls(lambda: work.go_on(0.0)))
    assert max(pieces) < 30 * count
    left = {id: place[0] for id, place in work.result[0].items()}
    assert left["n999"] - left["n0"] == 999 * COLUMN_GAP + 500 * WIDTH + 499 * (WIDTH + 50)

"""Automatic layout."""

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph.graph import Graph, Node, Port, connect
from nodegraph.layout import layered, layered_in_frames, nearest_rising
from tests.nodegraph.toys import build

WIDTH = 200.0
ROOM = (20.0, 50.0)


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


def sizes(graph: Graph) -> dict[str, tuple[float, float]]:
    return {id: (WIDTH, 60.0 + 17 * index) for index, id in enumerate(graph.nodes)}


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@settings(max_examples=40)
@given(graphs())
def test_no_two_nodes_touch(graph: Graph):
    places = layered(graph, sizes(graph))
    rects = [(*places[id], *size) for id, size in sizes(graph).items()]
    assert not any(overlap(a, b) for a, b in combinations(rects, 2))


@settings(max_examples=40)
@given(graphs())
def test_wires_lead_to_the_right(graph: Graph):
    kept = {d: s for d, s in graph.links.items() if int(s.node[1:]) < int(d.node[1:])}  # no circles
    places = layered(Graph(graph.nodes, kept), sizes(graph))
    assert all(places[s.node][0] + WIDTH <= places[d.node][0] for d, s in kept.items())


@settings(max_examples=40)
@given(graphs())
def test_the_upper_left_corner_stays(graph: Graph):
    places = layered(graph, sizes(graph))
    before = [node.pos for node in graph.nodes.values()]
    for axis in (0, 1):
        assert min(p[axis] for p in places.values()) == min(p[axis] for p in before)


def test_a_source_stands_just_before_its_first_reader():
    chain = {f"n{i}": "toy.step" for i in range(4)} | {"late": "toy.box"}
    graph = build(chain, "n0.box > n1.box", "n1.box > n2.box", "n2.box > n3.box", "late.box > n3.other")
    places = layered(graph, dict.fromkeys(graph.nodes, (WIDTH, 80.0)))
    assert places["late"][0] == places["n2"][0]


def test_only_nodes_with_a_size_are_placed():
    graph = build({"a": "toy.box", "b": "toy.step"}, "a.box > b.box")
    assert set(layered(graph, {"a": (WIDTH, 50.0)})) == {"a"}
    assert layered(graph, {}) == {}


def test_what_is_in_a_frame_stays_in_it_and_nothing_else_gets_in():
    graph = build(
        {**dict.fromkeys("abcd", "toy.step"), "frame": "canvas.frame", "inner": "canvas.frame"},
        "a.box > b.box",
        "b.box > c.box",
        "c.box > d.box",
    )
    boxes = dict.fromkeys("abcd", (WIDTH, 80.0))
    frames = {"frame": {"b", "c", "inner"}, "inner": {"c"}}
    places, grown = layered_in_frames(graph, boxes, frames, ROOM)
    assert set(places) == {*"abcd", "frame", "inner"}
    assert set(grown) == {"frame", "inner"}
    rects = {id: (*places[id], *(boxes | grown)[id]) for id in places}

    def holds(outer: str, id: str) -> bool:
        (x, y, w, h), (a, b, c, d) = rects[outer], rects[id]
        return x <= a - ROOM[0] and a + c + ROOM[0] <= x + w and y <= b - ROOM[1] and b + d + ROOM[0] <= y + h

    assert all(holds("frame", id) for id in frames["frame"])
    assert holds("inner", "c")
    assert not any(overlap(rects[id], rects["frame"]) for id in "ad")
    assert not overlap(rects["b"], rects["inner"])


def test_an_empty_frame_is_left_alone():
    places, grown = layered_in_frames(build({"a": "toy.box", "f": "canvas.frame"}), {"a": (9.0, 9.0)}, {"f": ()}, ROOM)
    assert set(places) == {"a"}
    assert not grown


@given(st.lists(st.floats(-100, 100), max_size=8))
def test_nearest_rising_never_falls_and_keeps_the_mean(values: list[float]):
    found = nearest_rising(values)
    assert all(a <= b for a, b in pairwise(found))
    assert abs(sum(found) - sum(values)) < 1e-6  # sums of floats in another order


def test_nearest_rising_leaves_what_rises():
    assert nearest_rising([1, 2, 2, 5]) == [1, 2, 2, 5]
    assert nearest_rising([3, 1]) == [2, 2]

"""What planning knows from the links alone."""

import pytest

from nodegraph.graph import Graph
from nodegraph.limits import MAX_NESTING, TooMuch
from nodegraph.planning.expand import Flat
from nodegraph.planning.structure import SHOWN, Cycle, Structure, Zone, structure
from tests.nodegraph.toys import build, extend, nested, zone


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (3, "n0 → n1 → n2 → n0"),
        (SHOWN, " → ".join([*(f"n{i}" for i in range(SHOWN)), "n0"])),
        (SHOWN + 1, " → ".join([*(f"n{i}" for i in range(SHOWN - 1)), "1 more", f"n{SHOWN}", "n0"])),
        (SHOWN + 5, " → ".join([*(f"n{i}" for i in range(SHOWN - 1)), "5 more", f"n{SHOWN + 4}", "n0"])),
    ],
)
def test_a_cycle_is_told_by_its_nodes_in_order_and_a_long_one_by_how_many_more_there_are(count: int, said: str):
    assert str(Cycle(tuple(f"n{i}" for i in range(count)))) == f"the links form a cycle: {said}"


def structured(graph: Graph) -> Structure:
    return structure(Flat(graph.nodes, graph.links))


def test_a_zone_is_certain_to_need_what_its_switches_are_turned_by_and_not_what_they_might_take():
    graph = extend(
        zone(3),
        {"pick": "logic.switch", "flag": "plain.is_zero", "lost": "toy.step"},
        *(
            "flag.value > pick.condition",
            "step.box > pick.if_true",
            "lost.box > pick.if_false",
            "pick.value > end.next",
        ),
    )
    found = structured(graph)
    assert found.zones == {"end": Zone("begin", "end", ("step", "pick"), ("pick",), ("flag", "box"))}
    assert found.forms == ("pick", "end")
    assert found.owners == {"step": "end", "pick": "end", "begin": "end"}
    assert found.consumers == {"box": {"end"}, "flag": {"end"}, "lost": {"end"}, "end": {"show"}}


def test_a_zone_of_which_only_the_end_depends_on_another_is_inside_that():
    found = structured(extend(nested(), {}, "box.box > inner.initial"))
    assert found.scopes == {"inner": ("outer",), "step": ("outer", "inner"), "inner_end": ("outer",)}
    assert found.zones == {
        "inner_end": Zone("inner", "inner_end", ("step",), ("step",), ("box",)),
        "outer_end": Zone("outer", "outer_end", ("inner", "inner_end"), ("inner_end",), ("box",)),
    }
    assert found.owners == dict.fromkeys(("outer", "inner", "step", "inner_end"), "outer_end")
    assert found.problems == {}


def test_ways_through_a_zone_double_and_the_work_does_not():
    rungs = [f"n{i}" for i in range(200)]
    links = [f"{a}.box > {b}.{side}" for a, b in zip(["begin", *rungs], rungs, strict=False) for side in "ab"]
    links = [link.replace("begin.box", "begin.state") for link in links]
    graph = extend(zone(1), dict.fromkeys(rungs, "toy.add"), *links, f"{rungs[-1]}.box > end.next")
    assert structured(graph).zones["end"].body == tuple(rungs)


def zones_in_zones(depth: int) -> Graph:
    nodes = {f"b{i}": "repeat.begin" for i in range(depth)} | {f"e{i}": "repeat.end" for i in range(depth)}
    links = [f"b{i}.zone > e{i}.zone" for i in range(depth)]
    links += [f"b{i}.state > b{i + 1}.initial" for i in range(depth - 1)]
    links += [f"e{i + 1}.value > e{i}.next" for i in range(depth - 1)]
    return build(
        {**nodes, "step": "toy.step"}, *links, f"b{depth - 1}.state > step.box", f"step.box > e{depth - 1}.next"
    )


def zones_by_index(depth: int) -> Graph:
    """No begin takes anything from another; a node in each zone takes the index of the zone around."""
    nodes, links = {"box": "toy.box"}, [f"b{i - 1}.index > s{i}.index" for i in range(1, depth)]
    for i in range(depth):
        nodes |= {f"b{i}": "repeat.begin", f"s{i}": "toy.step", f"a{i}": "toy.add", f"e{i}": "repeat.end"}
        links += [
            f"box.box > b{i}.initial",
            f"b{i}.zone > e{i}.zone",
            f"b{i}.state > s{i}.box",
            f"a{i}.box > e{i}.next",
        ]
        links += [f"s{i}.box > a{i}.a", f"e{i + 1}.value > a{i}.b" if i < depth - 1 else f"s{i}.box > a{i}.b"]
    return build(nodes, *links)


@pytest.mark.parametrize(("nest", "innermost"), [(zones_in_zones, {"step"}), (zones_by_index, {"a64", "s64"})])
def test_zones_may_be_nested_as_deeply_as_the_limit_says_and_no_deeper(nest, innermost: set[str]):
    deep = structured(nest(MAX_NESTING))
    assert max(deep.scopes.values(), key=len) == tuple(f"b{i}" for i in range(MAX_NESTING))
    assert deep.problems == {}
    with pytest.raises(TooMuch, match=r"^this node is inside more than 64 zones, which is the limit$") as error:
        structured(nest(MAX_NESTING + 1))
    assert error.value.node in innermost


def test_the_nodes_of_a_cycle_come_as_the_links_lead():
    links = ["a.box > b.box", "b.box > c.box", "c.box > d.box", "d.box > b.a"]
    graph = build({"a": "toy.box", "b": "toy.add", "c": "toy.step", "d": "toy.step"}, *links)
    with pytest.raises(Cycle, match=r"^the links form a cycle: c → d → b → c$") as error:
        structured(graph)
    assert error.value.nodes == ("c", "d", "b")

"""What depends on what, and which nodes a zone surrounds."""

from nodegraph.graph import Port, disconnect
from nodegraph.reach import downstream, upstream, zone_nodes
from tests.nodegraph.toys import build, zone


def test_both_ways_along_the_links():
    graph = build(dict.fromkeys("abcd", "toy.step"), "a.box > b.box", "b.box > c.box")
    assert downstream(graph, "b") == {"b", "c"}
    assert upstream(graph, "b") == {"a", "b"}
    assert downstream(graph, "d") == {"d"}


def test_a_zone_surrounds_what_is_between_its_ends():
    (found,) = zone_nodes(zone(3))
    assert (found.begin, found.end) == ("begin", "end")
    assert found.nodes == {"begin", "step", "end"}


def test_an_end_without_its_begin_is_no_zone():
    assert zone_nodes(disconnect(zone(3), Port("end", "zone"))) == ()


def test_a_zone_inside_another_comes_after_it():
    graph = build(
        {"a": "repeat.begin", "b": "repeat.begin", "step": "toy.step", "c": "repeat.end", "d": "repeat.end"},
        "a.state > b.initial",
        "b.state > step.box",
        "step.box > c.next",
        "b.zone > c.zone",
        "c.value > d.next",
        "a.zone > d.zone",
    )
    assert [zone.begin for zone in zone_nodes(graph)] == ["a", "b"]
    assert zone_nodes(graph)[1].nodes < zone_nodes(graph)[0].nodes

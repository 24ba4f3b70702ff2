"""What planning knows from the links alone."""

import pytest

from nodegraph.planning.expand import Flat
from nodegraph.planning.structure import SHOWN, Cycle, structure
from tests.nodegraph.toys import build


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


def test_the_nodes_of_a_cycle_come_as_the_links_lead():
    links = ["a.box > b.box", "b.box > c.box", "c.box > d.box", "d.box > b.a"]
    graph = build({"a": "toy.box", "b": "toy.add", "c": "toy.step", "d": "toy.step"}, *links)
    with pytest.raises(Cycle, match=r"^the links form a cycle: c → d → b → c$") as error:
        structure(Flat(graph.nodes, graph.links))
    assert error.value.nodes == ("c", "d", "b")

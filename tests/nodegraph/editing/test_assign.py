import pytest

from nodegraph.editing.assign import assign
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Group, Node, Port, connect
from nodegraph.group_type import document_types
from tests.examples import each

REGISTRY = discover("tests.toy_nodes")


@pytest.fixture
def graph() -> Graph:
    graph = Graph({"box": Node("toy.box"), "set": Node("toy.settings"), "slow": Node("toy.slow"), "x": Node("a.b")})
    return connect(graph, Port("box", "box"), Port("slow", "box"))


@each(
    ("assignment", "value"),
    [
        ("set.text=a = b, (1.2)", "a = b, (1.2)"),
        ("set.text=", ""),
        ("set.text=7", "7"),
        ("set.flag=true", True),
        ("set.count=7", 7),
        ("set.ratio=1.5", 1.5),
        ("set.ratio=1", 1.0),
        ("set.kind=cosine", "cosine"),
        ("set.values=[3, 0.5]", (3, 0.5)),
        ("set.values=[]", ()),
        ("set.seed=123456789012345678", 123456789012345678),
    ],
)
def test_a_value_is_read_as_the_parameter_is_typed(graph: Graph, assignment: str, value: object):
    name = assignment.split("=")[0].removeprefix("set.")
    assert assign(graph, REGISTRY, assignment).nodes["set"].params == {name: value}


@each(
    ("assignment", "message"),
    [
        ("seed 7", "write node.parameter=value, such as noise.seed=7; got 'seed 7'"),
        ("seed=7", "write node.parameter=value"),
        ("sett.count=7", "there is no node 'sett'; did you mean 'set'?"),
        ("qqq.count=7", "there is no node 'qqq'; there are box, set, slow, x"),
        ("set.cuont=7", "node 'set' (Settings) has no parameter 'cuont'; did you mean 'count'?"),
        ("box.zzz=7", "node 'box' (Box) has no parameter 'zzz'; there are value"),
        ("x.count=7", "node 'x' is of type 'a.b', which is not installed"),
        ("set.count=many", "node 'set': count takes a whole number, not 'many'"),
        ("set.count=1.5", "node 'set': count takes a whole number, not '1.5'"),
        ("set.count=11", "node 'set': count must be between 1 and 10, got 11"),
        ("set.ratio=x", "node 'set': ratio takes a number, not 'x'"),
        ("set.ratio=nan", "node 'set': ratio must be a finite number, got nan"),
        ("set.flag=1", "node 'set': flag takes true or false, not '1'"),
        ("set.kind=fast", "node 'set': kind must be one of linear, cosine; got 'fast'"),
        ("set.values=1,2", "node 'set': values takes a JSON list, not '1,2'"),
        ('set.values=["a"]', "node 'set': values takes List of Number, not ('a',)"),
        ("slow.box=1", "box of node 'slow' comes by a link from box.box: set it there"),
    ],
)
def test_a_bad_assignment_is_one_sentence_naming_node_and_parameter(graph: Graph, assignment: str, message: str):
    with pytest.raises(ValueError, match=r".") as error:
        assign(graph, REGISTRY, assignment)
    assert str(error.value).startswith(message)


def test_a_group_of_the_document_takes_what_its_inner_input_takes():
    body = Graph({"in": Node("group.input"), "set": Node("toy.settings")})
    body = connect(body, Port("in", "times"), Port("set", "count"))
    graph = Graph({"g": Node("group:G")}, groups={"G": Group("G", body, {"times": 3}, ())})
    types = document_types(graph.groups, REGISTRY)
    assert assign(graph, types, "g.times=7").nodes["g"].params == {"times": 7}
    with pytest.raises(ValueError, match="node 'g': times must be between 1 and 10, got 11"):
        assign(graph, types, "g.times=11")


def test_what_comes_by_a_link_cannot_be_typed():
    with pytest.raises(ValueError, match="box takes Box, which comes by a link and cannot be typed"):
        assign(Graph({"slow": Node("toy.slow")}), REGISTRY, "slow.box=1")

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.formats import workflow
from nodegraph.formats.files import HIDDEN, pending
from nodegraph.formats.workflow import MIGRATIONS, WorkflowError
from nodegraph.graph import Graph, Group, Node, Port
from nodegraph.node import REQUIRED
from tests.examples import each, examples

GOLDEN = Path(__file__).parents[2] / "golden"


def file(nodes: str = "{}", links: str = "[]", version: object = 1) -> str:
    return f'{{"version": {version}, "nodes": {nodes}, "links": {links}}}'


def one_node(**entry: object) -> str:
    return file(json.dumps({"a": {"type": "toy.box", **entry}}))


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_a_file_of_every_version_is_the_same_graph(version: int):
    newest = workflow.load(GOLDEN / f"version_{len(MIGRATIONS)}.json")
    assert workflow.load(GOLDEN / f"version_{version}.json") == newest


def test_a_file_of_this_version_is_written_back_byte_for_byte():
    text = (GOLDEN / f"version_{len(MIGRATIONS)}.json").read_text()
    assert workflow.dumps(workflow.loads(text)) == text


def test_unknown_types_parameters_and_fields_survive():
    graph = workflow.load(GOLDEN / "version_1.json")
    mystery = graph.nodes["mystery"]
    assert (mystery.type, mystery.extra) == ("acme.mystery", {"color": "red"})
    assert mystery.params == {"depth": (1, (2, 3)), "on": True}
    assert graph.extra == {"author": {"name": "somebody", "tags": ("a", "b")}}


def test_groups_keep_which_inputs_need_a_link():
    body = Graph({"in": Node("group.input")})
    group = Group("G", body, {"must": REQUIRED, "may": None, "has": 2.5}, ("out",), "Help.")
    assert workflow.loads(workflow.dumps(Graph(groups={"G": group}))).groups["G"] == group


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@examples(50)
@given(st.dictionaries(st.text(), JSON, max_size=4), st.text(), st.none() | st.text())
def test_any_parameters_come_back_equal(params: dict, id: str, title: str | None):
    graph = Graph({id: Node("x.y", params, (1.5, -2), title, "muted")}, {Port(id, "in"): Port(id, "out")})
    assert workflow.loads(workflow.dumps(graph).encode()) == graph


def test_text_that_utf8_cannot_hold_survives():
    graph = Graph({"a": Node("x.y", {"text": "half a pair \ud800"})})
    assert workflow.loads(workflow.dumps(graph).encode()) == graph


BAD_FILES = [
    ("", "not JSON: Expecting value, line 1, column 1 (the text ends too early: is the file truncated?)"),
    ("hello", "not JSON: Expecting value, line 1, column 1"),
    (file()[:20], "is the file truncated?"),
    (b"\xff\xfe\x00", "not a workflow: it is text in UTF-16; save it as UTF-8"),
    ("[1]", "the workflow must be an object"),
    ("{}", "no version number"),
    (file(version='"1"'), "no version number"),
    (file(version="true"), "no version number"),
    (file(version=99), f"a workflow of version 99, newer than this program, which reads up to {len(MIGRATIONS)}"),
    (file(version=0, links="[[1, 2]]"), "damaged: it is not a workflow of version 0"),
    (file("[]"), "'nodes' must be an object"),
    (file('{"a": 1}'), "node 'a' must be an object"),
    (file('{"a": {}}'), "node 'a': 'type' must be text"),
    (file('{"a": {"type": "x"}, "a": {"type": "y"}}'), "'a' stands twice in one object"),
    (one_node(params=[]), "node 'a': 'params' must be an object"),
    (one_node(params={"x": math.nan}), "node 'a': parameter 'x' must be a finite number, got nan"),
    (one_node(params={"x": [1, {"y": math.inf}]}), "node 'a': parameter 'x', 'y' must be a finite number, got inf"),
    (file('{"a": {"type": "x", "params": {"x": 1e999}}}'), "parameter 'x' must be a finite number, got inf"),
    (one_node(pos=[1]), "node 'a': 'pos' must be two numbers"),
    (one_node(pos=[0, -1e308]), "node 'a': 'pos' must be two numbers between -10,000,000 and 10,000,000"),
    (one_node(pos=[0, math.nan]), "node 'a': 'pos' must be a finite number"),
    (one_node(mode="asleep"), "node 'a': 'mode' must be one of on, muted, bypassed; got 'asleep'"),
    (one_node(mode=["on"]), "node 'a': 'mode' must be one of"),
    (one_node(title=7), "node 'a': 'title' must be text"),
    (file(links="{}"), "'links' must be a list"),
    (file(links='[["a", "b"]]'), "a link must be [[node, output], [node, input]]"),
    (file(links='[[["a", "x"], ["b", "y"]]]'), "a link names node 'a', which is not there"),
    (file('{"a": {"type": "x"}}', '[[["a", "o"], ["a", "i"]], [["a", "p"], ["a", "i"]]]'), "has two links"),
    ("[" * 100_000, "nested too deeply"),
    (one_node(params={"x": json.loads("[" * 100 + "]" * 100)}), "is nested more than 64 deep"),
    (
        file('{"a": {"type": "x", "params": {"x": 1' + "0" * 5000 + "}}}"),
        "bad.json: it holds a whole number of more than 4,300 digits",
    ),
    ('{"version": 1, "groups": {"G": {"outputs": [1]}}}', "group 'G': 'outputs' must be a list of names"),
    ('{"version": 1, "groups": {"G": {"nodes": {"a": {}}}}}', "group 'G': node 'a': 'type' must be text"),
]


@each(("text", "message"), BAD_FILES)
def test_a_bad_file_is_one_sentence_naming_file_and_place(text: str | bytes, message: str):
    with pytest.raises(WorkflowError) as error:
        workflow.loads(text, "bad.json")
    assert str(error.value).startswith("bad.json: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_byte_order_mark_is_no_error():
    assert workflow.loads(b"\xef\xbb\xbf" + file().encode()) == Graph()


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(WorkflowError, match=r"cannot read .*nowhere\.json: No such file"):
        workflow.load(tmp_path / "nowhere.json")


def test_a_file_beyond_the_size_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workflow, "MAX_BYTES", 1 << 20)
    path = tmp_path / "big.json"
    path.write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(WorkflowError, match=r"big\.json is larger than 1 MB"):
        workflow.load(path)


def test_saving_keeps_the_version_before(tmp_path: Path):
    path = tmp_path / "w.json"
    old, new = Graph({"a": Node("x.y")}), Graph({"b": Node("x.y")})
    workflow.save(old, path)
    workflow.save(new, path)
    assert workflow.load(path) == new
    assert workflow.load(tmp_path / "w.json.bak") == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.json", "w.json.bak"]


def test_saving_removes_what_killed_processes_left_of_the_same_file(tmp_path: Path):
    path = tmp_path / "w[1].json"
    left, other = (tmp_path / f".{name}.7{HIDDEN}" for name in ("w[1].json", "other.json"))
    for file in (left, other):
        file.write_bytes(b"half")
    with pending(tmp_path / "w[1].json.bak") as busy:
        workflow.save(Graph(), path)
        assert sorted(tmp_path.iterdir()) == sorted([path, busy, other])


def test_a_graph_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "w.json"
    workflow.save(Graph({"a": Node("x.y")}), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        workflow.save(Graph({"a": Node("x.y", {"x": math.nan})}), path)
    assert path.read_bytes() == before


def test_saving_where_no_folder_is_names_the_file(tmp_path: Path):
    with pytest.raises(WorkflowError, match=r"cannot write .*w\.json: No such file"):
        workflow.save(Graph(), tmp_path / "missing" / "w.json")


def test_saving_through_a_symbolic_link_writes_its_target(tmp_path: Path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    workflow.save(Graph(), target)
    link.symlink_to(target)
    workflow.save(Graph({"a": Node("x.y")}), link)
    assert link.is_symlink()
    assert "a" in workflow.load(target).nodes


def test_sizes_collapsed_nodes_and_seed_modes_survive_a_file():
    node = Node("a.b", size=(300.0, 80.0), collapsed=True, seed_mode="increment")
    graph = Graph({"a": node, "b": Node("a.b")})
    assert workflow.loads(workflow.dumps(graph)) == graph
    assert "seed_mode" not in workflow.dumps(Graph({"b": Node("a.b")}))


@pytest.mark.parametrize("field", ['"size": [1]', '"collapsed": 1', '"seed_mode": "never"'])
def test_a_wrong_field_of_a_node_is_named(field: str):
    with pytest.raises(workflow.WorkflowError, match=field.split('"')[1]):
        workflow.loads('{"version": 1, "nodes": {"a": {"type": "a.b", ' + field + "}}}")

"""A journal gives back the document, wherever it was cut off."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.graph import Graph, Node, add_node, set_param
from tests.examples import examples
from tests.ui.random_edits import EDITS, Edit, edited
from ui.documents import journal
from ui.documents.journal import Journal, State


@pytest.fixture(scope="module", autouse=True)
def impatient() -> Iterator[None]:
    """Thousands of records: the page cache will do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def written(path: Path, edits: list[Edit]) -> list[tuple[int, State]]:
    """Write a journal; the states in the file, each with the size the file had then."""
    log, state = Journal(path), State(Graph({"start": Node("toy.box", {"value": 1.0})}))
    found: list[tuple[int, State]] = []
    for number, edit in enumerate([None, *edits]):
        if edit:
            state = State(edited(state.graph, edit), Path(f"/work{number % 2}.json"), "abc", number % 3 == 0)
        log.write(state)
        found = [*(found if _grew(path, found) else ()), (path.stat().st_size, state)]
    return found


def _grew(path: Path, found: list[tuple[int, State]]) -> bool:
    """Whether the file goes on with what it held, and was not started over."""
    return path.read_bytes().count(b"\n") == len(found) + 1


@examples(60)
@given(EDITS, st.data())
def test_a_journal_cut_anywhere_gives_the_last_state_that_was_whole(tmp_path_factory, edits: list[Edit], data):
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    states = written(path, edits)
    whole = path.read_bytes()
    cut = data.draw(st.integers(states[0][0], len(whole)), "cut")
    path.write_bytes(whole[:cut])
    assert journal.read(path) == next(state for size, state in reversed(states) if size <= cut)


@examples(60)
@given(EDITS)
def test_a_whole_journal_gives_the_document_in_its_order(tmp_path_factory, edits: list[Edit]):
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    state = written(path, edits)[-1][1]
    found = journal.read(path)
    assert found == state
    assert list(found.graph.nodes) == list(state.graph.nodes)
    assert list(found.graph.links) == list(state.graph.links)


@examples(30)
@given(EDITS, st.data())
def test_bytes_that_rotted_end_the_journal_and_invent_nothing(tmp_path_factory, edits: list[Edit], data):
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    states = written(path, edits)
    damaged = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(damaged) - 1), "at")
    damaged[at] ^= 0x10
    path.write_bytes(damaged)
    before = [state for size, state in states if size <= at]
    if before:
        assert journal.read(path) == before[-1]
    else:
        with pytest.raises(ValueError, match="its first record is not whole"):
            journal.read(path)


def test_an_edit_writes_what_changed_and_not_the_whole_graph(tmp_path: Path):
    graph = Graph({f"n{i}": Node("toy.box") for i in range(1000)})
    log = Journal(tmp_path / "a.journal")
    log.write(State(graph))
    before = log.path.stat().st_size
    log.write(State(set_param(graph, "n7", "value", 2.0)))
    assert log.path.stat().st_size - before < 300


def test_a_journal_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journal, "MAX_BYTES", 2000)
    log, graph = Journal(tmp_path / "a.journal"), Graph({"n": Node("toy.box")})
    for value in range(100):
        graph = set_param(graph, "n", "value", value)
        log.write(State(graph))
    assert log.path.stat().st_size < 4000
    assert journal.read(log.path).graph == graph


def test_a_write_that_failed_is_made_good_by_the_next(tmp_path: Path):
    log, graph = Journal(tmp_path / "a.journal"), Graph({"n": Node("toy.box")})
    log.write(State(graph))
    with pytest.raises(ValueError, match="JSON"):
        log.write(State(set_param(graph, "n", "value", float("nan"))))
    after = add_node(graph, "m", Node("toy.box"))
    log.write(State(after))
    assert journal.read(log.path).graph == after


def test_half_a_record_in_the_way_does_not_hide_what_follows(tmp_path: Path):
    log, graph = Journal(tmp_path / "a.journal"), Graph({"n": Node("toy.box")})
    log.write(State(graph))
    with open(log.path, "ab") as file:
        file.write(b"1234abcd " + json.dumps({"nodes": {}}).encode())
    again = Journal(log.path)  # as after a restart: it does not go on behind the half record
    after = set_param(graph, "n", "value", 2.0)
    again.write(State(after))
    assert journal.read(log.path).graph == after

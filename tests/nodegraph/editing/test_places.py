"""Files beside a workflow: named from its folder in its file, and whole while it is open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nodegraph.editing.places import filed, opened, paths, told, whole
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Group, Node, Port, set_param

TYPES = discover("nodes")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A workflow's, with a picture in it; the working folder and the home folder are others."""
    made = tmp_path / "share"
    (made / "pictures").mkdir(parents=True)
    (made / "pictures" / "cat.png").write_bytes(b"")
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    return made


def graph(path: object) -> Graph:
    """Nodes that read a file, outside and inside of a group, whose input is one as well."""
    inner = Graph(
        {"in": Node("group.input"), "load": Node("image.load"), "other": Node("image.load", {"path": str(path)})},
        {Port("load", "path"): Port("in", "file")},
    )
    nodes = {
        "load": Node("image.load", {"path": str(path)}),
        "prompt": Node("text.encode", {"text": str(path)}),
        "group": Node("group:Look", {"file": str(path)}),
    }
    return Graph(nodes, {}, {"Look": Group("Look", inner, {"file": str(path)}, ())})


def test_a_file_names_what_lies_beside_it_from_its_folder_and_an_open_graph_whole(folder: Path):
    cat = folder / "pictures" / "cat.png"
    kept = filed(graph(cat), TYPES, folder)
    assert paths(kept, TYPES) == ["./pictures/cat.png"] * 4
    assert kept.nodes["prompt"].params["text"] == str(cat)  # a text that is no path of a file
    assert opened(kept, TYPES, folder) == graph(cat)


def test_a_workflow_means_the_same_files_after_its_folder_went_elsewhere(folder: Path):
    workflow.save(filed(graph(folder / "pictures" / "cat.png"), TYPES, folder), folder / "work.json")
    there = folder.rename(folder.parent / "elsewhere")
    found = opened(workflow.load(there / "work.json"), TYPES, there)
    assert set(paths(found, TYPES)) == {str(there / "pictures" / "cat.png")}


def test_nothing_else_is_touched(folder: Path):
    for path in ("", "models/starter", "/elsewhere/cat.png", "~/cat.png", f"{folder}/../share/pictures/cat.png"):
        assert told(path, folder) == path
    for path in ("", "models/starter", "no/such.png", "/elsewhere/cat.png", "~/cat.png"):
        assert whole(path, folder) == path
    same = graph("models/starter")
    assert filed(same, TYPES, folder) is same
    assert opened(same, TYPES, folder) is same


def test_a_path_with_a_mark_leads_from_the_workflow_alone(folder: Path):
    """Also where nothing is there yet, and the same name is in the working folder."""
    Path("dog.png").write_bytes(b"")
    assert whole("./dog.png", folder) == str(folder / "dog.png")
    assert whole("../dog.png", folder) == str(folder.parent / "dog.png")
    assert whole(".\\pictures\\cat.png", folder).startswith(str(folder))


def test_a_path_without_one_keeps_its_meaning_and_is_looked_for_beside_the_workflow_last(folder: Path):
    assert whole("pictures/cat.png", folder) == str(folder / "pictures" / "cat.png")
    Path("pictures").mkdir()
    Path("pictures/cat.png").write_bytes(b"")
    assert whole("pictures/cat.png", folder) == "pictures/cat.png"


def test_a_workflow_in_the_home_folder_takes_nothing_along(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    before = graph(tmp_path / "models" / "a.safetensors")
    assert filed(before, TYPES, tmp_path) is before


def test_what_is_not_different_stays_the_same_object(folder: Path):
    before = set_param(graph("models/starter"), "load", "path", str(folder / "cat.png"))
    after = filed(before, TYPES, folder)
    assert after.nodes["prompt"] is before.nodes["prompt"]
    assert after.groups is before.groups
    assert replace(after, nodes=before.nodes) == before

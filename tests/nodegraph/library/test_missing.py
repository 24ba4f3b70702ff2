"""A workflow whose files are not there is told what could be meant, and from where they could come."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import pytest

from nodegraph.formats.needs import Need, needs
from nodegraph.graph import Graph, Group, Node, Port, set_param
from nodegraph.library.download import Remote
from nodegraph.library.fits import query, why_not
from nodegraph.library.hashing import Asked, hash_files, hashes
from nodegraph.library.library import Library
from nodegraph.library.missing import described, missing
from nodegraph.library.scan import update
from nodegraph.node import File, node
from nodegraph.registry import node_types
from tests.nodegraph.library.shelf import STOCK, jar


class Cellar:
    """A hub that reads addresses, and has nothing."""

    title = "Cellar"

    def address(self, text: str) -> str:
        if not text.startswith("cellar:"):
            raise ValueError(f"{text} is no address")
        return text

    def ask(self, address: str) -> tuple[Remote, ...]:
        raise NotImplementedError

    def pull(self, *given: object) -> None:
        raise NotImplementedError


STOCKED = replace(STOCK, hub=Cellar())
JAM = File((".jar",), kinds=("jam",))


@node("x.toast")
def toast(path: Annotated[str, JAM] = "", plate: Annotated[str, File()] = "") -> str:
    """Toast with jam on a plate."""
    return path


TYPES = {type.id: type for type in node_types(sys.modules[__name__])}


@pytest.fixture
def cellar(tmp_path: Path) -> Path:
    cellar = tmp_path / "cellar"
    jar(cellar / "plum.jar", "jam:plum:one")
    jar(cellar / "fig.jar", "jam:fig:two")
    jar(cellar / "gherkin.jar", "pickle:fig")
    jar(cellar / "bad.jar", "broken:")
    update(tmp_path / "library", [str(cellar)], STOCK, lambda done, whole: None)
    return cellar


@pytest.fixture
def library(tmp_path: Path, cellar: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library", STOCK.families)
    yield library
    library.close()


def toasted(path: str, need: dict[str, object] | None = None) -> Graph:
    extra = {"needs": [{"what": "Jam", "parameter": ["toast", "path"], **need}]} if need else {}
    return Graph({"toast": Node("x.toast", {"path": path, "plate": "/nowhere"})}, extra=extra)


def found(graph: Graph, library: Library, **given: str) -> list[tuple[str, str]]:
    (gone,) = missing(graph, TYPES.get, STOCKED, library, given)
    return [(Path(c.entry.path).name, c.reason) for c in gone.candidates]


def test_a_file_that_is_there_is_not_missing(library: Library, cellar: Path):
    assert missing(toasted(str(cellar / "plum.jar")), TYPES.get, STOCKED, library) == ()
    assert missing(toasted(""), TYPES.get, STOCKED, library) == ()


def test_the_same_name_elsewhere_is_offered_first_and_then_the_family(library: Library):
    assert found(toasted("C:\\jams\\Plum.jar"), library) == [("plum.jar", "the same name")]
    assert found(toasted("old/plum.jar"), library, toast="fig") == [("fig.jar", "of the same family")]
    assert found(toasted("gherkin.jar"), library) == []


def test_the_same_content_is_offered_before_all_others(library: Library, cellar: Path):
    content = sha256(b"jam:fig:two").hexdigest()
    hashes(library.folder, [str(cellar / "fig.jar")], lambda done, whole: None)
    assert found(toasted("plum.jar", {"sha256": content.upper()}), library) == [
        ("fig.jar", "the same file"),
        ("plum.jar", "the same name"),
    ]


def test_what_nobody_has_chosen_yet_is_missing_when_the_workflow_needs_it(library: Library):
    (gone,) = missing(toasted("", {"from": "cellar:plums", "size": 5}), TYPES.get, STOCKED, library)
    assert (gone.port, gone.name, gone.address) == (Port("toast", "path"), "Jam", "cellar:plums")
    assert {c.reason for c in gone.candidates} == {"of the same kind"}
    assert len(gone.candidates) == 2


def test_a_page_for_people_is_no_address(library: Library):
    (gone,) = missing(toasted("x.jar", {"from": "https://example.org"}), TYPES.get, STOCKED, library)
    assert (gone.address, gone.need) == ("", Need("Jam", Port("toast", "path"), "x.jar", "https://example.org"))


def test_files_in_groups_are_missing_too_and_those_of_muted_nodes_are_not(library: Library):
    inner = toasted("x.jar")
    muted = replace(inner.nodes["toast"], mode="muted")
    graph = Graph({"toast": muted}, groups={"Breakfast": Group("Breakfast", inner, {}, ())})
    assert [(gone.group, gone.path) for gone in missing(graph, TYPES.get, STOCKED, library)] == [("Breakfast", "x.jar")]


def test_why_an_entry_cannot_be_taken_is_one_sentence(library: Library, cellar: Path):
    sentences = {
        name: why_not(entry, JAM, STOCK, "plum")
        for name in ("plum", "fig", "gherkin", "bad")
        if (entry := library.entry(str(cellar / f"{name}.jar")))
    }
    assert sentences == {
        "plum": "",
        "fig": "fig goes with Figs; this is Plums",
        "gherkin": "gherkin is one of the Pickles; this takes Jams",
        "bad": f"{cellar / 'bad.jar'} is broken",
    }
    assert library.number(query(JAM, "plum")) == 1


def test_a_workflow_says_what_its_files_are_where_that_is_known(library: Library, cellar: Path):
    graph = toasted(str(cellar / "plum.jar"))
    assert described(graph, TYPES.get, library.contents()) is graph
    (found,) = hashes(library.folder, [str(cellar / "plum.jar")], lambda done, whole: None).values()
    after = described(graph, TYPES.get, library.contents())
    (need,) = needs(after)
    assert (need.sha256, need.size, need.source) == (found, 12, "")
    assert described(after, TYPES.get, library.contents()) is after


def test_what_a_workflow_says_of_a_file_goes_with_it_when_another_is_chosen(library: Library, cellar: Path):
    hashes(library.folder, [str(cellar / "plum.jar"), str(cellar / "fig.jar")], lambda done, whole: None)
    before = described(toasted(str(cellar / "plum.jar")), TYPES.get, library.contents())
    (port,) = (need.parameter for need in needs(before))
    after = described(set_param(before, *port, str(cellar / "fig.jar")), TYPES.get, library.contents())
    (need,) = needs(after)
    assert (need.what, need.sha256) == ("fig", library.contents()[str(cellar / "fig.jar")].sha256)


def test_a_hash_is_worked_out_once_and_anew_when_the_file_changes(library: Library, cellar: Path):
    path = cellar / "plum.jar"
    told: list[int] = []

    def ask() -> dict[str, str]:
        told.clear()
        return hashes(library.folder, [str(path)], lambda done, whole: told.append(done))

    assert ask() == {str(path): sha256(path.read_bytes()).hexdigest()}
    assert told == [12]
    ask()
    assert told == []
    jar(path, "jam:plum:another")
    assert ask() == {str(path): sha256(path.read_bytes()).hexdigest()}
    with pytest.raises(ValueError, match="is no file"):
        hash_files(Asked(str(library.folder), (str(cellar),)).text(), lambda done, whole: None)

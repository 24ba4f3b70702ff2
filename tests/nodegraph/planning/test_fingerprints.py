"""A file that is not what it was is noticed, however it came about; one that is what it was costs no reading."""

import builtins
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import pytest

from nodegraph.graph import Graph, Node, remove_nodes
from nodegraph.node import File, node
from nodegraph.planning import fingerprints
from nodegraph.planning.fingerprints import WHOLE, FromFiles, fingerprint
from nodegraph.planning.plan import Planner
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Failed
from nodegraph.types import socket_type
from tests.nodegraph.toys import REGISTRY, Box, build, extend

LARGE = 40 * WHOLE


def twins(folder: Path, size: int) -> tuple[Path, Path]:
    """Two files of one size and one time, with one byte that differs where no sample is taken."""
    paths = folder / "a.bin", folder / "b.bin"
    for path, byte in zip(paths, b"ab", strict=True):
        content = bytearray(size)
        content[size // 3] = byte
        path.write_bytes(content)
        os.utime(path, (1_000_000, 1_000_000))
    return paths


def copied_with_its_time(path: Path, other: Path) -> None:
    shutil.copy2(other, path)


def renamed(path: Path, other: Path) -> None:
    os.replace(other, path)


def linked(path: Path, other: Path) -> None:
    path.unlink()
    os.link(other, path)


def written_in_place(path: Path, other: Path) -> None:
    with path.open("r+b") as file:
        file.write(other.read_bytes())
    os.utime(path, (1_000_000, 1_000_000))


@pytest.mark.parametrize("size", [100, WHOLE, LARGE])
@pytest.mark.parametrize("replace", [copied_with_its_time, renamed, linked, written_in_place])
def test_another_file_of_the_same_size_and_time_is_noticed(tmp_path, size: int, replace: Callable[[Path, Path], None]):
    path, other = twins(tmp_path, size)
    before = fingerprint(str(path))
    replace(path, other)
    assert path.stat().st_mtime == 1_000_000
    assert fingerprint(str(path)) != before


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_link_that_leads_elsewhere_is_noticed(tmp_path, size: int):
    path, other = twins(tmp_path, size)
    link = tmp_path / "link.bin"
    link.symlink_to(path)
    before = fingerprint(str(link))
    link.unlink()
    link.symlink_to(other)
    assert fingerprint(str(link)) != before


def test_an_archive_that_restores_times_is_noticed_in_a_folder(tmp_path):
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    path, other = twins(tmp_path, LARGE)
    shutil.copy2(path, folder / "unet" / "weights.bin")
    before = fingerprint(str(folder))
    (folder / "unet" / "weights.bin").unlink()
    shutil.copy2(other, folder / "unet" / "weights.bin")
    assert fingerprint(str(folder)) != before


def test_a_file_more_in_a_folder_is_noticed(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    before = fingerprint(str(tmp_path))
    (tmp_path / "b.txt").write_text("")
    assert fingerprint(str(tmp_path)) != before


def test_the_files_of_a_folder_are_named_from_it_down_to_two_levels(tmp_path):
    (tmp_path / "unet" / "deeper" / "still").mkdir(parents=True)
    for name in ("a.bin", "unet/b.bin", "unet/deeper/c.bin", "unet/deeper/still/d.bin"):
        (tmp_path / name).write_bytes(b"1")
    assert [name for name, *_ in fingerprint(str(tmp_path))] == ["a.bin", "unet/b.bin"]


@pytest.mark.parametrize(("size", "same"), [(100, True), (WHOLE, True), (WHOLE + 1, False)])
def test_a_copy_is_the_same_file_as_far_as_all_of_it_is_read(tmp_path, size: int, same: bool):
    path, _ = twins(tmp_path, size)
    shutil.copy2(path, tmp_path / "copy.bin")
    assert (fingerprint(str(tmp_path / "copy.bin")) == fingerprint(str(path))) == same


@pytest.mark.parametrize(
    ("size", "digest"),
    [
        (3, "283c470ff9600448"),
        (WHOLE, "a02002af009b7016"),
        (WHOLE + 1, "dfdbc22ff0a6dbd7"),
        (LARGE, "a0d743baa08ebd96"),
    ],
)
def test_the_digest_of_a_file_is_the_one_that_every_version_wrote(tmp_path, size: int, digest: str):
    """Or else what was kept before would be computed again."""
    path = tmp_path / "a.bin"
    path.write_bytes((bytes(range(251)) * (size // 251 + 1))[:size])
    assert fingerprint(str(path))[-1] == digest


@pytest.mark.parametrize(("since", "waits"), [(0, [20]), (5, [15]), (20, []), (-1, [])])
@pytest.mark.parametrize("changed", ["st_mtime_ns", "st_ctime_ns"])
def test_a_file_that_changed_just_now_is_looked_at_when_the_next_change_will_show(
    tmp_path, monkeypatch, changed: str, since: int, waits: list[int]
):
    """since, waits: milliseconds."""
    path, _ = twins(tmp_path, 100)
    real, moment, slept = path.stat(), 10**18, []
    times = {"st_mtime_ns": moment - 10**9, "st_ctime_ns": moment - 10**9, changed: moment}
    named = {name: getattr(real, name) for name in ("st_mode", "st_size", "st_ino", "st_dev")}
    monkeypatch.setattr(fingerprints.os, "stat", lambda _: SimpleNamespace(**named, **times))
    monkeypatch.setattr(fingerprints.time, "time_ns", lambda: moment + since * 1_000_000)
    monkeypatch.setattr(fingerprints.time, "sleep", slept.append)
    fingerprints.of_file(str(path))
    assert [round(1000 * seconds, 3) for seconds in slept] == waits


class Model(FromFiles):
    def __init__(self, path: str | None) -> None:
        self.path = path

    def changed(self) -> str | None:
        return self.path


@dataclass(frozen=True)
class Loaded:
    name: str
    parts: tuple[Model, ...]


def test_a_changed_file_is_found_in_whatever_was_made_of_it():
    same, other = Model(None), Model("unet.bin")
    for value in (other, (1, other), [same, other], (Loaded("a", ()), Loaded("b", (same, other)))):
        assert fingerprints.changed([same, value]) == "unet.bin"
    for value in (same, (), "unet.bin", Loaded, Loaded("a", (same,))):
        assert fingerprints.changed([value]) is None


def test_a_path_from_the_home_folder_is_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.txt").write_text("a")
    assert fingerprint("~/a.txt") == fingerprint(str(tmp_path / "a.txt")) != ()


def test_what_is_unchanged_is_not_read_again(tmp_path, monkeypatch):
    path, _ = twins(tmp_path, LARGE)
    before = fingerprint(str(path))

    def refuse(*_: object):
        raise AssertionError("read again")

    monkeypatch.setattr(builtins, "open", refuse)
    assert fingerprint(str(path)) == before


def test_planning_again_looks_at_a_file_once_however_many_nodes_read_it(tmp_path, monkeypatch):
    path = tmp_path / "number.txt"
    path.write_text("1")
    planner, graph = Planner(REGISTRY), build({name: ("toy.read", {"path": str(path)}) for name in "abc"})
    planner.plan(graph)
    looked_at: list[str] = []
    look = fingerprints.of_file
    monkeypatch.setattr(fingerprints, "of_file", lambda place: looked_at.append(place) or look(place))
    planner.plan(graph)
    assert looked_at == [str(path)]


def test_a_file_that_is_as_it_was_leaves_the_plan_as_it_was(tmp_path):
    (tmp_path / "number.txt").write_text("1")
    graph = build({"read": ("toy.read", {"path": str(tmp_path / "number.txt")})})
    planner = Planner(REGISTRY)
    assert planner.plan(graph) is planner.plan(graph)


def test_a_file_that_no_node_reads_any_more_is_not_looked_at(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).write_text("1")
    planner, graph = Planner(REGISTRY), build({name: ("toy.read", {"path": str(tmp_path / name)}) for name in "ab"})
    planner.plan(graph)
    planner.plan(remove_nodes(graph, {"b"}))
    looked_at: list[str] = []
    look = fingerprints.of_file
    monkeypatch.setattr(fingerprints, "of_file", lambda place: looked_at.append(place) or look(place))
    planner.plan(remove_nodes(graph, {"b"}))
    assert looked_at == [str(tmp_path / "a")]


def test_a_file_that_changes_leaves_what_others_are_made_of_as_it_was(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("1")
    planner, graph = Planner(REGISTRY), build({name: ("toy.read", {"path": str(tmp_path / name)}) for name in "ab"})
    planner.plan(graph)
    graph = extend(graph, {"box": "toy.box"})
    before = planner.plan(graph)
    (tmp_path / "a").write_text("22")
    after = planner.plan(graph)
    same = {id: after.calls[after.keys[id]] is before.calls.get(after.keys[id]) for id in ("a", "b", "box")}
    assert same == {"a": False, "b": True, "box": True}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert fingerprint(str(tmp_path / "pipe")) != ()


def test_a_folder_of_too_many_files_is_a_problem_of_its_node(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text(name)
    planner, graph = Planner(REGISTRY), build({"read": ("toy.read", {"path": str(tmp_path)})})
    for _ in range(2):
        (problem,) = planner.plan(graph).problems
        assert problem.node == "read"
        assert "more than 2 files" in problem.message
    (tmp_path / "c").unlink()
    assert [name for name, *_ in fingerprint(str(tmp_path))] == ["a", "b"]


def test_of_a_folder_of_too_many_files_no_more_are_listed_than_tell_so(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "MAX_FILES", 2)
    listed: list[int] = []
    monkeypatch.setattr(fingerprints, "_files", lambda *_, **__: ((str(listed.append(i)), "") for i in range(100)))
    with pytest.raises(ValueError, match="choose a folder with fewer"):
        fingerprint(str(tmp_path))
    assert len(listed) == 3


def test_a_file_replaced_between_planning_and_running_fails_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "number.txt"
    path.write_text("1")
    graph, planner, cache = build({"read": ("toy.read", {"path": str(path)})}), Planner(REGISTRY), Cache(1 << 20)
    planned = planner.plan(graph, ["read"])
    path.write_text("2")
    events: list[Event] = []
    execute(planned, ["read"], cache, events.append)
    (failed,) = (event for event in events if isinstance(event, Failed))
    assert failed.node == "read"
    assert f"{path} was changed while it was in use" in failed.message
    assert planned.keys["read"] not in cache
    again = planner.plan(graph, ["read"])
    execute(again, ["read"], cache, events.append)
    assert cache.get(again.keys["read"]) == (Box(2.0),)


def test_a_result_whose_file_is_gone_is_made_again(tmp_path):
    graph = extend(
        build({"box": "toy.box", "write": ("toy.write", {"path": str(tmp_path / "made.txt")}), "read": "toy.read"}),
        {},
        "box.box > write.box",
        "write.path > read.path",
    )
    cache, planned = Cache(1 << 20), Planner(REGISTRY).plan(graph, ["read"])
    assert execute(planned, ["read"], cache, lambda _: None).run == 3
    (tmp_path / "made.txt").unlink()
    events: list[Event] = []
    assert execute(planned, ["read"], cache, events.append).run == 2
    assert not [event for event in events if isinstance(event, Failed)]


def test_what_is_read_from_a_file_that_another_node_names_is_read_again(tmp_path):
    graph = extend(
        build({"box": "toy.box", "write": ("toy.write", {"path": str(tmp_path / "made.txt")}), "read": "toy.read"}),
        {},
        "box.box > write.box",
        "write.path > read.path",
    )
    planned = Planner(REGISTRY).plan(graph, ["read"])
    cache = Cache(1 << 20)
    execute(planned, ["read"], cache, lambda _: None)
    assert planned.keys["read"] not in cache


@socket_type(color="#7fb4a2", plain=True)
@dataclass(frozen=True)
class Described(FromFiles):
    """words: what was in the file beside it."""

    path: str
    words: str

    def changed(self) -> str | None:
        beside = Path(self.path).with_suffix(".words")
        return str(beside) if beside.read_text() != self.words else None


@node("test.describe")
def describe(path: Annotated[str, File()] = "") -> Described:
    """Reads the file beside its own as well."""
    return Described(path, Path(path).with_suffix(".words").read_text())


def test_what_a_description_knows_of_more_files_than_its_path_is_described_again(tmp_path):
    """As a checkpoint's does, whose tokenizer lies elsewhere."""
    path = tmp_path / "model.bin"
    path.touch()
    path.with_suffix(".words").write_text("first")
    planner = Planner({"test.describe": describe.node_type})  # type: ignore[attr-defined]
    graph = Graph({"model": Node("test.describe", {"path": str(path)})})
    assert planner.plan(graph).outputs["model"] == (Described(str(path), "first"),)
    assert planner.plan(graph) is planner.plan(graph)
    path.with_suffix(".words").write_text("other")
    assert planner.plan(graph).outputs["model"] == (Described(str(path), "other"),)
    more = Graph({**graph.nodes, "later": graph.nodes["model"]})
    planner.plan(more)
    path.with_suffix(".words").write_text("third")
    assert planner.plan(more).outputs == dict.fromkeys(("model", "later"), (Described(str(path), "third"),))
    assert planner.plan(graph).outputs["model"] == (Described(str(path), "third"),)

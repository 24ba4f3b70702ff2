"""A file is whole at any moment, its name is nobody else's, and what killed processes leave is cleared away."""

import errno
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nodegraph.formats import files
from nodegraph.formats.files import HIDDEN, pending, remove_leftovers, write_atomic, write_new

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left_by_a_killed_process(path: Path) -> None:
    """What stays of a write that was cut off half-way."""
    script = f"""
import os, sys
from pathlib import Path
from nodegraph.formats.files import pending
with pending(Path({str(path)!r})) as hidden:
    hidden.write_bytes(b"half")
    os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)


def test_a_new_file_is_whole_and_alone(tmp_path: Path):
    assert write_new(tmp_path / "a.png", b"picture")
    assert (tmp_path / "a.png").read_bytes() == b"picture"
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    "there", [lambda p: p.write_bytes(b"mine"), lambda p: p.mkdir(), lambda p: p.symlink_to("gone")]
)
def test_what_has_the_name_already_is_never_replaced(tmp_path: Path, there):
    there(tmp_path / "a.png")
    before = (tmp_path / "a.png").lstat()
    assert not write_new(tmp_path / "a.png", b"picture")
    assert os.path.samestat((tmp_path / "a.png").lstat(), before)
    assert names(tmp_path) == ["a.png"]


def test_a_name_that_another_process_is_taking_is_taken(tmp_path: Path):
    with pending(tmp_path / "a.png", claim=True):
        assert not write_new(tmp_path / "a.png", b"picture")
    assert names(tmp_path) == []
    assert write_new(tmp_path / "a.png", b"picture")


def no_links(src: object, dst: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_a_disk_without_hard_links_keeps_the_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "link", no_links)
    assert write_new(tmp_path / "a.png", b"picture")
    assert not write_new(tmp_path / "a.png", b"other")
    assert (tmp_path / "a.png").read_bytes() == b"picture"
    assert names(tmp_path) == ["a.png"]


def test_until_it_is_whole_nothing_is_seen_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[list[str]] = []

    def look(handle: int) -> None:
        seen.append([name for name in names(tmp_path) if not name.startswith(".")])

    monkeypatch.setattr(os, "fsync", look)
    write_new(tmp_path / "a.png", b"picture")
    assert seen == [[], ["a.png"]]  # when the bytes are on the disk, and when the name is


@pytest.mark.parametrize("write", [write_atomic, write_new])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "a.png", b"picture")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["x" * 250 + ".png", "猫" * 83 + ".png", "."], ids=["long", "long in bytes", "dot"])
@pytest.mark.parametrize("write", [write_atomic, write_new])
def test_a_name_as_long_as_disks_allow_can_be_written(tmp_path: Path, write, name: str):
    name = name if len(name) > 1 else ".hidden"
    write(tmp_path / name, b"picture")
    assert names(tmp_path) == [name]


def test_what_a_killed_process_left_is_removed_at_once(tmp_path: Path):
    left_by_a_killed_process(tmp_path / "a.png")
    assert [name.endswith(HIDDEN) for name in names(tmp_path)] == [True]
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_writing_a_file_again_removes_what_a_killed_process_left_of_it(tmp_path: Path):
    left_by_a_killed_process(tmp_path / "a.png")
    left_by_a_killed_process(tmp_path / "b.png")
    write_atomic(tmp_path / "a.png", b"picture")
    left, written = names(tmp_path)
    assert left.startswith(".b.png")
    assert written == "a.png"


def test_nothing_stays_in_memory_of_the_names_that_were_written(tmp_path: Path):
    write_atomic(tmp_path / "first", b"")
    gc.collect()
    before = len(gc.get_objects())
    for number in range(50):
        write_atomic(tmp_path / f"{number}.journal", b"")
    gc.collect()
    assert len(gc.get_objects()) - before < 20


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path):
    with pending(tmp_path / "a.png") as hidden:
        os.utime(hidden, (1, 1))  # however long it takes
        remove_leftovers(tmp_path)
        assert hidden.exists()


def test_where_locks_are_unknown_age_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    for name, when in (("old", 1), ("new", None)):
        hidden = tmp_path / f".{name}.7{HIDDEN}"
        hidden.touch()
        if when:
            os.utime(hidden, (when, when))
    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [f".new.7{HIDDEN}"]


def test_left_overs_in_folders_inside_are_found_and_links_not_followed(tmp_path: Path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    for place in (out / "cats" / "black", elsewhere):
        place.mkdir(parents=True)
        (place / f".a.png.7{HIDDEN}").touch()
    (out / "link").symlink_to(elsewhere)
    remove_leftovers(out, deep=True)
    assert names(out / "cats" / "black") == []
    assert names(elsewhere) == [f".a.png.7{HIDDEN}"]


def test_hidden_files_of_other_programs_are_left_alone(tmp_path: Path):
    for name in (".a.png.123.tmp", ".config", "b.denoodle.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert len(names(tmp_path)) == 3

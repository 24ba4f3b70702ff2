"""The library in the window: looked through beside it, noticed when it changes, stopped when it is not wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodegraph.library.library import Library
from tests.nodegraph.library.shelf import STOCK, jar
from ui.runs.picture_index import Gallery
from ui.shelves import scanning
from ui.shelves.shelves import Shelves

LONG = 60_000


@pytest.fixture
def shelves(qtbot, gallery: Gallery, tmp_path: Path, monkeypatch) -> Iterator[Shelves]:
    monkeypatch.setattr(scanning, "SETTLE_MS", 50)
    made = Shelves(tmp_path / "library", STOCK, gallery, "tests.toy_nodes")
    yield made
    made.close()


def held(shelves: Shelves) -> list[str]:
    """Names of what the library holds, asked as a panel does."""
    library = Library(shelves.folder)
    found = [entry.name for entry in library.search()]
    library.close()
    return found


def test_folders_are_looked_through_and_what_happens_in_them_is_noticed(shelves: Shelves, qtbot, tmp_path: Path):
    cellar = tmp_path / "cellar"
    for name in ("damson", "quince"):
        jar(cellar / f"{name}.jar", "jam:plum:")
    with qtbot.waitSignal(shelves.scanning.finished, timeout=LONG):
        shelves.choose((str(cellar),))
    assert held(shelves) == ["damson", "quince"]
    with qtbot.waitSignal(shelves.changed, timeout=LONG):
        pass
    qtbot.waitUntil(lambda: str(cellar) in shelves.scanning._watcher.directories(), timeout=LONG)
    with qtbot.waitSignal(shelves.scanning.finished, timeout=LONG):
        (cellar / "damson.jar").rename(cellar / "plum.jar")
        (cellar / "quince.jar").unlink()
        os.replace(jar(tmp_path / "new.jar", "pickle:fig:"), cellar / "gherkin.jar")
    assert held(shelves) == ["gherkin", "plum"]


def test_a_look_can_be_stopped_and_another_follows_other_folders(shelves: Shelves, qtbot, tmp_path: Path):
    jar(tmp_path / "a" / "one.jar", "jam::")
    jar(tmp_path / "b" / "two.jar", "jam::")
    shelves.choose((str(tmp_path / "a"),))
    qtbot.waitUntil(lambda: shelves.scanning.running, timeout=LONG)
    shelves.scanning.stop()
    assert not shelves.scanning.running
    with qtbot.waitSignal(shelves.scanning.finished, timeout=LONG):
        shelves.choose((str(tmp_path / "b"),))
    assert held(shelves) == ["two"]


def test_what_cannot_be_done_is_said_and_the_next_thing_is_done(shelves: Shelves, qtbot, tmp_path: Path):
    with qtbot.waitSignal(shelves.failed, timeout=LONG) as said:
        shelves.star(("/nowhere.jar",), on=True)
    assert said.args == ["/nowhere.jar is not there any more"]
    with qtbot.waitSignal(shelves.changed, timeout=LONG):
        shelves.look()


def test_what_was_used_last_comes_first_and_is_not_kept_twice(shelves: Shelves):
    for name in ("a", "b", "a"):
        shelves.use_file(name)
    assert shelves.recent == ("a", "b")


def test_folders_that_the_command_chooses_while_the_window_is_open_are_followed(
    shelves: Shelves, qtbot, tmp_path: Path
):
    jar(tmp_path / "a" / "one.jar", "jam::")
    shelves.choose((str(tmp_path / "a"),))
    qtbot.waitUntil(lambda: held(shelves) == ["one"], timeout=LONG)
    jar(tmp_path / "b" / "two.jar", "jam::")
    library = Library(shelves.folder)
    library.set_roots([str(tmp_path / "b")])
    library.close()
    qtbot.waitUntil(lambda: held(shelves) == ["two"], timeout=LONG)


def test_a_question_that_fails_in_no_way_that_is_known_is_told_and_the_next_one_is_answered(
    shelves: Shelves, qtbot, qapp, caplog: pytest.LogCaptureFixture
):
    asking = shelves.asking(qapp)
    with qtbot.waitSignal(asking.failed, timeout=LONG) as told:
        asking.ask(lambda _: [][0])
    assert "IndexError" in told.args[0]
    assert "a question to the library" in caplog.text
    with qtbot.waitSignal(asking.answered, timeout=LONG):
        asking.ask(lambda library: library.counts())

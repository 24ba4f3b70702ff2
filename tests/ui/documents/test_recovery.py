"""Nothing lost: what was open when the program ended by accident is there at the next start."""

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from nodegraph.formats.files import HIDDEN
from nodegraph.graph import Graph, Node, add_node
from tests.ui.documents.crashes import crash, edited
from ui.documents.session import Session


def test_unsaved_changes_come_back_after_a_crash(start: Callable[[], Session], file: Path):
    session = start()
    document = edited(session.open(file))
    crash(session)
    (restored,) = start().restore()
    assert (restored.graph, restored.path, restored.dirty) == (document.graph, file, True)


def test_recovering_is_a_step_that_can_be_undone(start: Callable[[], Session], graph: Graph, file: Path):
    session = start()
    edited(session.open(file))
    crash(session)
    (restored,) = start().restore()
    assert restored.undo_stack.undoText() == "Recover unsaved changes"
    restored.undo_stack.undo()
    assert (restored.graph, restored.dirty) == (graph, False)


def test_unsaved_changes_come_back_when_the_file_is_gone(start: Callable[[], Session], file: Path):
    session = start()
    document = edited(session.open(file))
    crash(session)
    file.unlink()
    (restored,) = start().restore()
    assert (restored.graph, restored.path, restored.dirty) == (document.graph, file, True)


def test_a_document_without_a_file_comes_back_after_a_crash(start: Callable[[], Session]):
    session = start()
    session.new().edit("Add", add_node, "x", Node("toy.box"))
    crash(session)
    (restored,) = start().restore()
    assert (set(restored.graph.nodes), restored.path, restored.dirty) == ({"x"}, None, True)


def test_a_saved_document_comes_back_without_unsaved_changes(start: Callable[[], Session], file: Path):
    session = start()
    session.save(edited(session.open(file)), file)
    crash(session)
    (restored,) = start().restore()
    assert restored.path == file
    assert not restored.dirty


@pytest.mark.parametrize("changed", [False, True])
def test_a_file_that_two_windows_had_open_comes_back_as_one_document_with_that_file(
    start: Callable[[], Session], file: Path, changed: bool
):
    first, second = start(), start()
    edited(first.open(file))
    document = second.open(file)
    if changed:
        edited(document)
    crash(first)
    crash(second)
    restored = start().restore()
    assert [document.path for document in restored if document.path] == [file]
    assert len(restored) == 1 + changed


def test_an_empty_document_that_nobody_has_touched_does_not_come_back(start: Callable[[], Session], tmp_path: Path):
    session = start()
    session.new()
    crash(session)
    assert start().restore() == ()
    assert list((tmp_path / "state" / "journals").iterdir()) == []


def test_a_document_from_a_template_comes_back_though_nobody_has_edited_it(start: Callable[[], Session], graph: Graph):
    session = start()
    session.new(graph, "Sums")
    crash(session)
    (restored,) = start().restore()
    assert (restored.graph, restored.dirty, restored.name) == (graph, False, "Sums")


def test_what_is_restored_is_safe_against_the_next_crash(start: Callable[[], Session], file: Path):
    session = start()
    edited(session.open(file))
    crash(session)
    again = start()
    again.restore()[0].set_param("left", "value", 6.0)
    crash(again)
    (restored,) = start().restore()
    assert restored.graph.nodes["left"].params["value"] == 6.0


def test_closed_documents_do_not_come_back(start: Callable[[], Session], file: Path, tmp_path: Path):
    session = start()
    edited(session.open(file))
    session.end()
    assert start().restore() == ()
    assert list((tmp_path / "state" / "journals").iterdir()) == []


def test_another_instance_leaves_the_documents_of_this_one_alone(start: Callable[[], Session], file: Path):
    session, other = start(), start()
    edited(session.open(file))
    session.flush()
    assert other.restore() == ()
    crash(session)
    assert len(other.restore()) == 1


def test_a_document_that_another_instance_closes_meanwhile_is_passed_over(session: Session, tmp_path: Path):
    (tmp_path / "state" / "journals" / "gone.journal").symlink_to("nowhere")  # listed, but not there
    assert session.restore() == ()


@pytest.mark.parametrize("content", [b"00000000 {}\n", b"%08x {}\n" % zlib.crc32(b"{}")])
def test_a_journal_that_cannot_be_read_is_kept_and_told(
    start: Callable[[], Session], qtbot, tmp_path: Path, content: bytes
):
    session = start()
    bad = tmp_path / "state" / "journals" / "bad.journal"
    bad.write_bytes(content)
    with qtbot.waitSignal(session.troubled) as told:
        assert session.restore() == ()
    assert "could not be recovered" in told.args[0]
    assert bad.with_suffix(".damaged").exists()


def test_a_journal_that_cannot_be_written_is_told(session: Session, qtbot, tmp_path: Path):
    document = session.new()
    session.flush()
    journals = tmp_path / "state" / "journals"
    with qtbot.waitSignal(session.troubled) as told:
        journals.rename(tmp_path / "gone")
        document.edit("Add", add_node, "x", Node("toy.box"))
        session.flush()
    assert "not safe against a crash" in told.args[0]
    (tmp_path / "gone").rename(journals)
    document.edit("Add", add_node, "y", Node("toy.box"))
    session.flush()
    assert any(b'"x"' in file.read_bytes() for file in journals.glob("*.journal"))


def test_what_killed_processes_left_in_the_state_is_gone_at_the_next_start(start: Callable[[], Session]):
    session = start()
    left = [session.folder / f".settings.json.7{HIDDEN}", session.folder / "journals" / f".a.journal.7{HIDDEN}"]
    for file in left:
        file.touch()
    crash(session)
    start()
    assert not any(file.exists() for file in left)


def test_what_a_killed_save_left_is_gone_when_its_document_comes_back(start: Callable[[], Session], file: Path):
    session = start()
    edited(session.open(file))
    session.save(session.documents[0], file)
    (version,) = session.folder.glob("versions/*")
    left = [file.with_name(f".{file.name}.7{HIDDEN}"), version / f".0a.json.7{HIDDEN}"]
    for path in left:
        path.touch()
    crash(session)
    start().restore()
    assert not any(path.exists() for path in left)


def test_the_lock_of_a_journal_that_was_never_written_is_gone_at_the_next_start(start: Callable[[], Session]):
    journals = start().folder / "journals"
    orphan = journals / "0a.journal.lock"
    orphan.write_text("999999999\nmain.py\n\n")  # a process that is gone
    start()
    assert not orphan.exists()


def test_the_tries_of_a_journal_that_is_gone_are_gone_at_the_next_start(start: Callable[[], Session]):
    orphan = start().folder / "journals" / "0a.tries"
    orphan.write_text("1")
    start()
    assert not orphan.exists()


def test_the_lock_of_a_journal_that_another_window_is_about_to_write_stays(start: Callable[[], Session]):
    session = start()
    session.new()
    (held,) = session.folder.glob("journals/*.lock")
    start()
    assert held.exists()


def test_a_recovery_that_failed_twice_is_not_tried_again(registry, graph, tmp_path):
    first = Session(registry, tmp_path)
    first.new(graph)
    crash(first)
    for _ in range(2):
        again = Session(registry, tmp_path)
        assert again.begin_recovery() == ()
        assert len(again.restore()) == 1
        crash(again)
    last = Session(registry, tmp_path)
    (sentence,) = last.begin_recovery()
    assert sentence.startswith("A document could not be recovered in 2 tries; it is kept as ")
    assert sentence.endswith(".damaged")
    assert last.restore() == ()
    assert len([*(tmp_path / "journals").glob("*.damaged")]) == 1
    assert Session(registry, tmp_path).begin_recovery() == ()


def test_a_recovery_that_came_to_its_end_is_not_held_against_the_journal(registry, graph, tmp_path):
    first = Session(registry, tmp_path)
    first.new(graph)
    crash(first)
    for _ in range(5):
        again = Session(registry, tmp_path)
        assert again.begin_recovery() == ()
        assert len(again.restore()) == 1
        again.recovered()
        crash(again)

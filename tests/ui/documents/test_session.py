"""Nothing lost: open documents, their journals, their versions, and files that others change."""

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QImage

from nodegraph.formats import png, workflow
from nodegraph.formats.files import HIDDEN
from nodegraph.graph import Graph, Node, add_node
from nodegraph.registry import Registry
from ui.documents.document import Document
from ui.documents.session import Session
from ui.widgets.pixmaps import png_bytes


@pytest.fixture
def start(registry: Registry, tmp_path: Path) -> Iterator[Callable[[], Session]]:
    """Starts sessions on one folder, as instances of the program do."""
    sessions: list[Session] = []

    def made() -> Session:
        sessions.append(Session(registry, tmp_path / "state"))
        return sessions[-1]

    yield made
    for session in sessions:
        session.end()


@pytest.fixture
def session(start: Callable[[], Session]) -> Session:
    return start()


@pytest.fixture
def file(graph: Graph, tmp_path: Path) -> Path:
    path = tmp_path / "work.json"
    workflow.save(graph, path)
    return path


def crash(session: Session) -> None:
    """What a kill leaves behind: journals, and locks that nobody holds."""
    session.flush()
    for kept in session._open:
        kept.lock.unlock()
        if kept.document.path:
            session._watch.leave(kept.document.path)
    session._open.clear()


def edited(document: Document) -> Document:
    document.set_param("left", "value", 5.0)
    return document


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


def test_documents_without_a_file_are_told_apart_by_their_names(session: Session, graph: Graph):
    made = [session.new(graph, title) for title in ("Untitled", "Untitled", "Text to image", "Untitled")]
    assert [document.name for document in made] == ["Untitled", "Untitled 2", "Text to image", "Untitled 3"]


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


def test_an_edit_is_on_the_disk_by_itself(session: Session, qtbot, tmp_path: Path):
    session.new().edit("Add", add_node, "findme", Node("toy.box"))
    journals = tmp_path / "state" / "journals"
    qtbot.waitUntil(lambda: any(b"findme" in file.read_bytes() for file in journals.glob("*.journal")))


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


def test_a_folder_that_cannot_be_used_is_named_and_documents_open_nevertheless(registry: Registry, tmp_path: Path):
    (tmp_path / "state").write_text("a file in the way")
    session = Session(registry, tmp_path / "state" / "below")
    assert not session.safe
    assert "below cannot be used (Not a directory)" in session.complaints[0]
    assert session.complaints[0].endswith("set DENOODLE_STATE to another folder")
    session.save(session.new(), tmp_path / "work.json")
    session.end()
    assert (tmp_path / "work.json").exists()


# Files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b'{"version": 999, "nodes": {}, "links": []}', b"\x89PNG\r\n\x1a\n"]
)
def test_a_file_that_cannot_be_read_opens_nothing(session: Session, tmp_path: Path, content: bytes):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.json"):
        session.open(path)
    assert session.documents == ()
    assert session.recent == ()


def test_a_picture_opens_what_it_was_made_with_and_is_not_its_file(session: Session, graph: Graph, tmp_path: Path):
    picture = tmp_path / "made.png"
    texts = {png.KEYWORD: workflow.dumps(graph)}
    picture.write_bytes(png.with_texts(png_bytes(QImage(4, 4, QImage.Format.Format_RGB32)), texts))
    document = session.open(picture)
    assert document.graph == graph
    assert (document.path, session.recent) == (None, ())


def test_a_file_is_open_once(session: Session, file: Path):
    assert session.open(file) is session.open(file)
    assert len(session.documents) == 1


def test_two_documents_cannot_have_one_file(session: Session, file: Path):
    session.open(file)
    with pytest.raises(ValueError, match=r"work\.json is open in another tab"):
        session.save(session.new(), file)


def test_opening_and_saving_is_remembered_newest_first(start: Callable[[], Session], file: Path, tmp_path: Path):
    session = start()
    document = session.open(file)
    session.save(document, tmp_path / "other.json")
    assert start().recent == (tmp_path / "other.json", file)


@pytest.mark.parametrize("text", ["null", "[1]", "{", '"one"', "[[]]"])
def test_a_list_of_recent_files_that_makes_no_sense_is_none(start: Callable[[], Session], text: str):
    folder = start().folder
    (folder / "recent.json").write_text(text)
    assert start().recent == ()


def test_a_recent_file_that_is_gone_is_forgotten(session: Session, file: Path):
    session.close(session.open(file))
    file.unlink()
    with pytest.raises(ValueError, match="No such file"):
        session.open(file)
    assert session.recent == ()


def test_a_file_changed_by_another_program_is_noticed(session: Session, qtbot, file: Path):
    document = session.open(file)
    with qtbot.waitSignal(session.file_touched) as told:
        workflow.save(Graph({"new": Node("toy.box")}), file)
    assert told.args == [document]
    assert document.dirty
    session.reload(document)
    assert set(document.graph.nodes) == {"new"}
    assert not document.dirty
    document.undo_stack.undo()
    assert "left" in document.graph.nodes


def test_what_is_written_while_the_file_is_read_again_is_noticed(session: Session, qtbot, file: Path, monkeypatch):
    document = session.open(file)
    with qtbot.waitSignal(session.file_touched):
        workflow.save(Graph({"new": Node("toy.box")}), file)

    def load(path: Path) -> Graph:
        monkeypatch.undo()
        read = workflow.load(path)
        workflow.save(Graph({"newer": Node("toy.box")}), path)
        return read

    monkeypatch.setattr(workflow, "load", load)
    with qtbot.waitSignal(session.file_touched):
        session.reload(document)


def test_own_saves_and_equal_content_are_no_change(session: Session, qtbot, file: Path):
    document = session.open(file)
    with qtbot.assertNotEmitted(session.file_touched, wait=400):
        session.save(edited(document), file)
        os.utime(file, (1, 1))
        file.write_text(file.read_text() + "\n")
    assert not document.dirty


def test_a_file_that_was_deleted_is_noticed(session: Session, qtbot, file: Path):
    document = session.open(file)
    with qtbot.waitSignal(session.file_touched):
        file.unlink()
    assert document.dirty
    with pytest.raises(ValueError, match="No such file"):
        session.reload(document)


def test_a_file_changed_while_the_program_was_down_is_noticed(start: Callable[[], Session], qtbot, file: Path):
    session = start()
    session.open(file)
    crash(session)
    workflow.save(Graph(), file)
    again = start()
    with qtbot.waitSignal(again.file_touched):
        again.restore()


# Versions ---------------------------------------------------------------------------------------------


def test_every_save_is_a_version_that_can_be_restored(session: Session, graph: Graph, file: Path):
    document = session.open(file)
    session.save(edited(document), file)
    newest, first = session.versions(document)
    session.show_version(document, first)
    assert document.graph == graph
    assert document.dirty
    document.undo_stack.undo()
    assert document.graph == workflow.load(newest.file)


def test_a_version_has_the_picture_that_was_shown(session: Session, file: Path):
    picture = QImage(640, 480, QImage.Format.Format_RGB32)
    picture.fill(QColor("#804020"))
    document = session.open(file)
    session.save(document, file, picture)
    session.save(document, file)
    (version,) = session.versions(document)
    assert version.thumbnail
    shown = QImage(str(version.thumbnail))
    assert (shown.width(), shown.height()) == (320, 240)
    assert shown.pixelColor(5, 5) == QColor("#804020")


def test_what_another_program_wrote_is_a_version_before_it_is_saved_over(session: Session, file: Path):
    document = session.open(file)
    theirs = Graph({"theirs": Node("toy.box")})
    workflow.save(theirs, file)
    session.save(edited(document), file)
    assert theirs in [workflow.load(version.file) for version in session.versions(document)]


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

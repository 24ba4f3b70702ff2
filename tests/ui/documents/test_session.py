"""Open documents, their files and versions, and files that others change."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QImage

from nodegraph.formats import png, workflow
from nodegraph.graph import Graph, Node, add_node
from nodegraph.registry import Registry
from tests.ui.documents.crashes import crash, edited
from ui.documents.session import Session
from ui.widgets.pixmaps import png_bytes


def test_documents_without_a_file_are_told_apart_by_their_names(session: Session, graph: Graph):
    made = [session.new(graph, title) for title in ("Untitled", "Untitled", "Text to image", "Untitled")]
    assert [document.name for document in made] == ["Untitled", "Untitled 2", "Text to image", "Untitled 3"]


def test_an_edit_is_on_the_disk_by_itself(session: Session, qtbot, tmp_path: Path):
    session.new().edit("Add", add_node, "findme", Node("toy.box"))
    journals = tmp_path / "state" / "journals"
    qtbot.waitUntil(lambda: any(b"findme" in file.read_bytes() for file in journals.glob("*.journal")))


def test_a_folder_that_cannot_be_used_is_named_and_documents_open_nevertheless(registry: Registry, tmp_path: Path):
    (tmp_path / "state").write_text("a file in the way")
    session = Session(registry, tmp_path / "state" / "below")
    assert not session.safe
    assert "below cannot be used (Not a directory)" in session.complaints[0]
    assert session.complaints[0].endswith("set DENOODLE_STATE to another folder")
    session.save(session.new(), tmp_path / "work.json")
    session.end()
    assert (tmp_path / "work.json").exists()


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

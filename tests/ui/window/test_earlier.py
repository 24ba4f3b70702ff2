"""What an earlier build left behind is there for this one: golden/home was written at commit 5ff24b3 by `live_in`."""

import shutil
from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QApplication

from nodegraph.formats import workflow
from nodegraph.graph import set_param
from nodegraph.running.engine import Settings as EngineSettings
from tests.ui.lived_in import rich
from ui.base import theme
from ui.base.settings import Settings
from ui.documents.session import Session
from ui.window.main_window import MainWindow

HOME = Path(__file__).parents[2] / "golden" / "home"


def test_settings_documents_queue_and_gallery_of_an_earlier_build_come_back(
    qtbot, registry, tmp_path: Path, qapp: QApplication
):
    home = shutil.copytree(HOME, tmp_path / "home")
    try:
        session = Session(registry, home / "state")
        settings = Settings(home / "config" / "settings.json")
        window = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None), settings, session)
        qtbot.addWidget(window, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
        window.restore()
        assert window.settings.now == replace(
            window.settings.now, theme="Light", text_scale=1.2, keys={"file.new": "Ctrl+T"}
        )
        edited = set_param(rich(), "box", "value", 5.0)
        assert {document.name: document.graph for document in session.documents} == {
            "work": edited,
            "Second": rich(),
        }
        assert [job.title for job in window.queue.jobs] == ["waits"]
        assert window.queue.paused
        assert [(Path(entry.path).name, entry.starred) for entry in window.gallery.pictures.values()] == [
            ("one.png", True)
        ]
        assert [path.name for path in session.recent] == ["work.json"]
        assert not list((home / "state").rglob("*.damaged"))
    finally:
        theme.apply(qapp, theme.DARK)


def test_a_workflow_of_an_earlier_build_is_the_same_graph():
    assert workflow.load(HOME / "work.json") == rich()

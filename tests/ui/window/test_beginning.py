"""A model that is brought to an empty canvas begins a workflow with it: dragged from the panel, opened, pasted."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph.formats.package import discover
from nodegraph.graph import Node
from nodegraph.library.scan import update
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from nodes.stock import STOCK
from tests.headers import zeros
from tests.ui.dragging import drag_card
from ui.panels.models import ModelsPanel
from ui.window.main_window import MainWindow

STARTER = Path(__file__).parents[3] / "models" / "starter"
LONG = 60_000


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover("nodes")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of what ships."""
    folder = tmp_path_factory.mktemp("library")
    update(folder, [str(STARTER)], STOCK, lambda done, whole: None)
    return folder


@pytest.fixture
def window(qtbot, registry: Registry, library: Path, tmp_path: Path, monkeypatch) -> MainWindow:
    """With nothing on its canvas. Nothing is started."""
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    made = MainWindow(registry, EngineSettings("nodes", cache=None, out_dir=str(tmp_path / "out")))
    for path in library.iterdir():
        made.shelves.folder.mkdir(exist_ok=True)
        (made.shelves.folder / path.name).write_bytes(path.read_bytes())
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.resize(1400, 1000)
    made.show()
    qtbot.waitExposed(made)
    return made


def drag(window: MainWindow, qtbot, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its card to the middle of the canvas."""
    window.docks.show("Models")
    panel = window.docks.panel("Models")
    assert isinstance(panel, ModelsPanel)
    qtbot.waitUntil(lambda: panel.rows.row(str(path)) >= 0, timeout=LONG)
    place = QPointF(window.canvas.mapTo(window, window.canvas.rect().center()))
    drag_card(panel, panel.rows.row(str(path)), window, place, monkeypatch)


def nodes(window: MainWindow, qtbot) -> dict[str, Node]:
    """That have come."""
    qtbot.waitUntil(lambda: bool(window.document.graph.nodes), timeout=LONG)
    return dict(window.document.graph.nodes)


def test_dragged_onto_an_empty_canvas_a_model_begins_its_workflow_in_one_step(window, qtbot, monkeypatch):
    drag(window, qtbot, STARTER, monkeypatch)
    found = nodes(window, qtbot)
    assert found["checkpoint"].params["path"] == str(STARTER)
    assert {"text.encode", "group:Denoise", "vae.decode", "output.save_image"} <= {node.type for node in found.values()}
    seen = window.canvas.state.view.rect_to_world(window.canvas.state.area)
    assert seen.contains(window.canvas.scene.extent())
    assert window.document.undo_stack.count() == 1
    assert window.document.undo_stack.undoText() == "Begin with starter"
    window.document.undo_stack.undo()
    assert not window.document.graph.nodes


def test_a_lora_begins_one_with_the_model_that_it_goes_with(window, qtbot, monkeypatch):
    ink = STARTER / "lora" / "ink.safetensors"
    drag(window, qtbot, ink, monkeypatch)
    found = nodes(window, qtbot)
    assert (found["checkpoint"].params["path"], found["lora"].params["path"]) == (str(STARTER), str(ink))


def test_opened_or_pasted_a_model_begins_its_workflow(window, qtbot):
    window.open(STARTER)
    opened = nodes(window, qtbot)
    window.document.undo_stack.undo()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(STARTER))])
    QApplication.clipboard().setMimeData(data)
    window.canvas.setFocus()
    QTest.keyClick(window.canvas, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert nodes(window, qtbot) == opened
    assert opened["checkpoint"].params["path"] == str(STARTER)


def test_what_begins_nothing_is_the_node_that_loads_it_and_why_is_said(window, qtbot, tmp_path):
    shapes = {
        "double_blocks.0.img_attn.qkv.lora_A.weight": (4, 8),
        "double_blocks.0.img_attn.qkv.lora_B.weight": (8, 4),
    }
    window.open(zeros(tmp_path / "style.safetensors", shapes))
    assert [node.type for node in nodes(window, qtbot).values()] == ["adapter.lora"]
    assert window.status_bar.text.text() == (
        "Only what loads it was added: style.safetensors needs a model that it goes with, and none is in the library."
    )


def test_on_a_canvas_with_nodes_a_model_is_the_node_that_loads_it(window, qtbot, tmp_path, monkeypatch):
    picture = tmp_path / "cat.png"
    QImage(16, 16, QImage.Format.Format_RGB32).save(str(picture))
    window.open(picture)
    assert [node.type for node in nodes(window, qtbot).values()] == ["image.load"]
    drag(window, qtbot, STARTER, monkeypatch)
    assert sorted(node.type for node in window.document.graph.nodes.values()) == ["image.load", "load.checkpoint"]

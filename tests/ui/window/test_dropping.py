"""What is dropped on the window, pasted or opened becomes what it means, where it is let go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSize, Qt, QUrl
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
    QPixmap,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox, QProgressDialog, QPushButton

from nodegraph.formats import png, workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.planning.plan import plan
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from tests.headers import zeros
from tests.ui.kept_window import KeptWindow
from ui.canvas.commands.brought import remark
from ui.canvas.scene.shape import halfway
from ui.canvas.scene.view import View
from ui.documents import pasted
from ui.widgets import aside
from ui.widgets.pixmaps import png_bytes
from ui.window.main_window import MainWindow

STARTER = Path(__file__).parents[3] / "models" / "starter"

GRAPH = Graph(
    {
        "checkpoint": Node("load.checkpoint", {}, (0, 0)),
        "prompt": Node("text.encode", {"text": "a cat"}, (400, -300)),
        "denoise": Node("group:Denoise", {}, (800, 0)),
        "load": Node("image.load", {"path": "old.png"}, (0, 600)),
        "encode": Node("vae.encode", {}, (500, 600)),
    },
    {
        Port("prompt", "text_encoder"): Port("checkpoint", "text_encoder"),
        Port("denoise", "model"): Port("checkpoint", "model"),
        Port("denoise", "positive"): Port("prompt", "conditioning"),
        Port("encode", "vae"): Port("checkpoint", "vae"),
    },
)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover("nodes")


@pytest.fixture(scope="module")
def kept_window(qapp, registry: Registry) -> Iterator[KeptWindow]:
    made = KeptWindow(registry, EngineSettings("nodes", cache=None), QSize(1400, 1000))
    yield made
    made.close()


@pytest.fixture
def window(kept_window: KeptWindow, tmp_path: Path, monkeypatch) -> MainWindow:
    """With a graph for pictures, whose encoder waits for one. Nothing is started."""
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    made = kept_window.open(GRAPH)
    made.canvas.grab()
    middle = made.canvas.rect().center()
    made.canvas.state.show_view(View(0.5).panned(middle.x() - 300, middle.y() - 200))
    return made


@pytest.fixture
def warnings(monkeypatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda parent, title, text: said.append(text))
    return said


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(png_bytes(image()))
    return path


def image(color=Qt.GlobalColor.red) -> QImage:
    made = QImage(16, 24, QImage.Format.Format_RGB32)
    made.fill(color)
    return made


def files(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def drop(window: MainWindow, data: QMimeData, world: QPointF, keys=Qt.KeyboardModifier.NoModifier) -> None:
    """Let go over a place of the graph."""
    place = window.canvas.mapTo(window, window.canvas.state.view.to_screen(world))
    drop_at(window, data, place, keys)


def drop_at(window: MainWindow, data: QMimeData, place: QPointF, keys=Qt.KeyboardModifier.NoModifier) -> None:
    """From a program that would rather move: what is dropped stays where it was."""
    args = (Qt.DropAction.CopyAction | Qt.DropAction.MoveAction, data, Qt.MouseButton.LeftButton, keys)
    enter, let_go = QDragEnterEvent(place.toPoint(), *args), QDropEvent(place, *args)
    for event in (enter, let_go):
        event.setDropAction(Qt.DropAction.MoveAction)
        event.ignore()
        QApplication.sendEvent(window, event)
        assert event.isAccepted()
        assert event.dropAction() == Qt.DropAction.CopyAction


GROUND = QPointF(0, 300)


def added(window: MainWindow) -> dict[str, Node]:
    nodes = window.document.graph.nodes
    return {id: node for id, node in nodes.items() if id not in GRAPH.nodes}


def sole(window: MainWindow) -> tuple[str, Node]:
    """The one node that was added, in one step that can be undone."""
    ((id, node),) = added(window).items()
    assert window.canvas.state.selection == {id}
    assert window.document.undo_stack.count() == 1
    return id, node


def undone(window: MainWindow) -> bool:
    window.document.undo_stack.undo()
    return window.document.graph == GRAPH


def of(node: Node) -> tuple[str, str]:
    return node.type, node.params["path"]


# Pictures ---------------------------------------------------------------------------------------------


def test_a_picture_dropped_on_the_canvas_is_loaded_where_it_is_let_go_and_linked_to_what_waits(window, picture):
    drop(window, files(picture), GROUND)
    id, node = sole(window)
    assert of(node) == ("image.load", str(picture))
    assert (QPointF(*node.pos) - GROUND).manhattanLength() <= 2  # a pixel of the screen is two units
    assert window.document.graph.links[Port("encode", "image")] == Port(id, "image")
    assert undone(window)


def test_a_picture_dropped_on_a_node_is_linked_to_its_free_input(window, picture):
    drop(window, files(picture), QPointF(540, 616))
    id, _ = sole(window)
    assert window.document.graph.links[Port("encode", "image")] == Port(id, "image")
    assert undone(window)


def test_a_picture_dropped_on_a_node_that_loads_one_takes_its_place(window, picture):
    drop(window, files(picture), QPointF(40, 616))
    assert window.document.graph.nodes["load"].params["path"] == str(picture)
    assert added(window) == {}
    assert undone(window)


def test_several_pictures_are_one_step_and_lie_side_by_side(window, picture, tmp_path):
    other = tmp_path / "dog.png"
    other.write_bytes(png_bytes(image(Qt.GlobalColor.blue)))
    drop(window, files(picture, other), GROUND)
    nodes = [*added(window).values()]
    assert [of(node) for node in nodes] == [("image.load", str(picture)), ("image.load", str(other))]
    assert nodes[1].pos[0] > nodes[0].pos[0] + 200
    assert window.document.undo_stack.count() == 1
    assert undone(window)


def with_workflow(path: Path) -> Path:
    data = png.with_texts(png_bytes(image()), {png.KEYWORD: workflow.dumps(Graph({"only": Node("image.grey")}))})
    path.write_bytes(data)
    return path


def asked(window: MainWindow) -> dict[str, object]:
    """What the menu at the pointer offers."""
    menu = next(menu for menu in window.canvas.findChildren(QMenu) if menu.isVisible())
    return {action.text(): action for action in menu.actions()}


@pytest.mark.parametrize(
    ("choice", "outcome"),
    [("Load it as a picture", "image.load"), ("Add its nodes here", "image.grey"), ("Open its workflow", "")],
)
def test_a_picture_with_a_workflow_is_asked_about_on_the_canvas(window, tmp_path, choice, outcome):
    drop(window, files(with_workflow(tmp_path / "made.png")), GROUND)
    assert window.document.graph == GRAPH
    asked(window)[choice].trigger()
    if outcome:
        assert sole(window)[1].type == outcome
    else:
        assert window.document.graph.nodes.keys() == {"only"}


def test_a_picture_with_a_workflow_dropped_on_a_node_is_a_picture(window, tmp_path):
    path = with_workflow(tmp_path / "made.png")
    drop(window, files(path), QPointF(40, 616))
    assert window.document.graph.nodes["load"].params["path"] == str(path)


def test_a_picture_with_a_workflow_dropped_on_the_tabs_is_opened(window, tmp_path):
    bar = window.tabs.tabBar()
    drop_at(window, files(with_workflow(tmp_path / "made.png")), QPointF(bar.mapTo(window, QPoint(5, 5))))
    assert window.document.graph.nodes.keys() == {"only"}


def test_a_picture_that_is_opened_is_loaded_in_the_middle(window, picture, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(picture), ""))
    window.actions_by_id["file.open"].trigger()
    assert of(sole(window)[1]) == ("image.load", str(picture))


def test_a_picture_with_the_workflow_of_another_program_is_loaded_and_says_whose_it_holds(window, tmp_path, qtbot):
    path = tmp_path / "robot.png"
    path.write_bytes(png.with_texts(png_bytes(image()), {"workflow": "{}"}))
    with qtbot.waitSignal(window.canvas.state.refused) as said:
        drop(window, files(path), GROUND)
    assert of(sole(window)[1]) == ("image.load", str(path))
    assert "robot.png" in said.args[0]
    assert "ComfyUI" in said.args[0]


# Files of weights ---------------------------------------------------------------------------------------


def test_a_file_of_weights_becomes_what_its_header_says(window):
    place = STARTER / "controlnet" / "diffusion_pytorch_model.safetensors"
    drop(window, files(place), GROUND)
    assert of(sole(window)[1]) == ("control.load", str(place))
    assert undone(window)


def test_an_embedding_is_told_by_its_vectors_and_takes_the_only_text_encoder(window, tmp_path):
    path = zeros(tmp_path / "word.safetensors", {"emb_params": (2, 64)})
    drop(window, files(path), GROUND)
    id, node = sole(window)
    assert of(node) == ("text.load_embedding", str(path))
    assert window.document.graph.links[Port(id, "text_encoder")] == Port("checkpoint", "text_encoder")


def test_weights_of_no_known_kind_and_damaged_ones_are_said_and_nothing_is_added(window, tmp_path, warnings):
    drop(window, files(zeros(tmp_path / "strange.safetensors", {"a": (2, 2), "b": (3,)})), GROUND)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((STARTER / "lora" / "ink.safetensors").read_bytes()[:-8])
    drop(window, files(cut), GROUND)
    assert "strange.safetensors is no checkpoint" in warnings[0]
    assert "cut.safetensors is cut short" in warnings[1]
    assert window.document.graph == GRAPH


def test_a_lora_dropped_on_a_wire_is_put_into_it_and_into_that_of_its_prompt(window):
    wire = window.canvas.scene.links[Port("denoise", "model")]
    drop(window, files(STARTER / "lora" / "ink.safetensors"), halfway(wire.points))
    id, node = sole(window)
    assert node.type == "adapter.lora"
    links = window.document.graph.links
    assert links[Port(id, "model")] == Port("checkpoint", "model")
    assert links[Port("denoise", "model")] == Port(id, "model")
    assert links[Port(id, "text_encoder")] == Port("checkpoint", "text_encoder")
    assert links[Port("prompt", "text_encoder")] == Port(id, "text_encoder")
    assert links[Port("encode", "vae")] == Port("checkpoint", "vae")
    assert undone(window)


def test_a_lora_dropped_on_a_node_goes_into_the_wire_of_its_model(window):
    drop(window, files(STARTER / "lora" / "ink.safetensors"), QPointF(840, 16))
    id, node = sole(window)
    links, nodes = window.document.graph.links, window.document.graph.nodes
    assert links[Port("denoise", "model")] == Port(id, "model")
    assert links[Port(id, "model")] == Port("checkpoint", "model")
    assert nodes["checkpoint"].pos[0] + 220 < node.pos[0] < nodes["denoise"].pos[0] - 220  # none lies on another
    assert undone(window)


def test_what_a_drop_would_be_put_on_is_lit_while_it_is_held_there(window):
    canvas, wire = window.canvas, Port("denoise", "model")
    data, button = files(STARTER / "lora" / "ink.safetensors"), Qt.MouseButton.LeftButton
    for world, lit in ((halfway(canvas.scene.links[wire].points), wire), (QPointF(540, 616), "encode"), (GROUND, None)):
        place = canvas.mapTo(window, canvas.state.view.to_screen(world)).toPoint()
        args = (Qt.DropAction.CopyAction, data, button, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(window, QDragEnterEvent(place, *args))
        QApplication.sendEvent(window, QDragMoveEvent(place, *args))
        assert canvas.state.hovered == lit
    canvas.state.hover("encode")
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert canvas.state.hovered is None


def test_two_loras_dropped_on_a_wire_follow_each_other(window):
    wire = window.canvas.scene.links[Port("denoise", "model")]
    loras = [STARTER / "lora" / name for name in ("ink.safetensors", "few_step.safetensors")]
    drop(window, files(*loras), halfway(wire.points))
    links = window.document.graph.links
    second = links[Port("denoise", "model")].node
    first = links[Port(second, "model")].node
    assert links[Port(first, "model")] == Port("checkpoint", "model")
    assert links[Port("prompt", "text_encoder")] == Port(second, "text_encoder")
    assert links[Port(second, "text_encoder")] == Port(first, "text_encoder")
    assert undone(window)


# The clipboard ------------------------------------------------------------------------------------------


def paste(window: MainWindow) -> None:
    QTest.keyClick(window.canvas, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


def came(window: MainWindow, qtbot) -> None:
    """Pictures that are kept in files come a moment later."""
    qtbot.waitUntil(lambda: len(added(window)) == 1)


def test_a_picture_on_the_clipboard_is_kept_in_a_file_and_loaded(window, tmp_path, qtbot):
    QGuiApplication.clipboard().setImage(image())
    paste(window)
    came(window, qtbot)
    type, path = of(sole(window)[1])
    assert type == "image.load"
    assert Path(path).parent == tmp_path / "data" / "pictures"
    assert QImage(path).pixelColor(3, 3) == image().pixelColor(3, 3)
    paste(window)
    qtbot.waitUntil(lambda: not window.findChildren(aside.Aside))
    assert len([*Path(path).parent.iterdir()]) == 1  # the same picture is kept once


def test_a_pasted_picture_is_kept_beside_the_file_of_its_document(window, tmp_path, qtbot):
    folder = tmp_path / "here"
    folder.mkdir()
    window.tabs.save_to(folder / "work.json")
    QGuiApplication.clipboard().setImage(image())
    paste(window)
    came(window, qtbot)
    assert Path(of(sole(window)[1])[1]).parent == folder / "pictures"


def test_what_the_preview_copies_is_pasted_as_a_picture(window, qtbot):
    window.preview.view.show_one(QPixmap.fromImage(image()))
    window.preview.copy()
    paste(window)
    came(window, qtbot)
    assert QImage(of(sole(window)[1])[1]).size() == image().size()


def test_a_pasted_picture_goes_along_when_the_workflow_is_given_away(window, registry, tmp_path, qtbot):
    """Pasted before there is a file, saved, saved elsewhere: each folder is whole, and may go anywhere."""
    QGuiApplication.clipboard().setImage(image())
    paste(window)
    came(window, qtbot)
    id, node = sole(window)
    pasted = Path(of(node)[1])
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        window.tabs.save_to(tmp_path / name / "work.json")
        assert window.document.graph.nodes[id].params["path"] == str(tmp_path / name / "pictures" / pasted.name)
        assert not window.document.dirty
    there = (tmp_path / "second").rename(tmp_path / "given")
    (tmp_path / "first").rename(tmp_path / "gone")
    pasted.unlink()
    assert workflow.load(there / "work.json").nodes[id].params["path"] == f"./pictures/{pasted.name}"
    found = window.session.open(there / "work.json")
    assert found.graph.nodes[id].params["path"] == str(there / "pictures" / pasted.name)
    assert not plan(found.graph, registry, [id]).problems


def test_undo_after_saving_elsewhere_means_the_files_that_were_meant(window, tmp_path, qtbot):
    QGuiApplication.clipboard().setImage(image())
    paste(window)
    came(window, qtbot)
    id, node = sole(window)
    before = node.params["path"]
    (tmp_path / "first").mkdir()
    window.tabs.save_to(tmp_path / "first" / "work.json")
    assert window.document.undo_stack.undoText() == "Take pasted pictures along"
    window.document.undo_stack.undo()
    assert window.document.graph.nodes[id].params["path"] == before
    assert Path(before).exists()


def test_a_path_that_is_typed_from_the_folder_of_the_workflow_leads_there(window, tmp_path, picture):
    window.tabs.save_to(tmp_path / "work.json")
    window.document.set_param("load", "path", "./cat.png")
    assert window.document.graph.nodes["load"].params["path"] == str(picture)
    window.document.set_param("load", "path", "models/cat.png")
    assert window.document.graph.nodes["load"].params["path"] == "models/cat.png"


def test_a_large_picture_is_kept_with_its_progress_to_see_and_can_be_stopped(window, tmp_path, qtbot, monkeypatch):
    """And the window goes on meanwhile."""
    go_on, threads = threading.Event(), list[threading.Thread]()

    def slowly(image: QImage) -> bytes:
        threads.append(threading.current_thread())
        go_on.wait(20)
        return png_bytes(image)

    monkeypatch.setattr(pasted, "png_bytes", slowly)
    monkeypatch.setattr(aside, "SOON", 0)
    QGuiApplication.clipboard().setImage(image())
    paste(window)
    qtbot.waitUntil(lambda: bool(window.findChildren(QProgressDialog)))
    (shown,) = window.findChildren(QProgressDialog)
    assert shown.labelText() == "Keeping the picture in a file"
    stop = next(button for button in shown.findChildren(QPushButton) if button.text() == "Stop")
    QTest.mouseClick(stop, Qt.MouseButton.LeftButton)
    go_on.set()
    qtbot.waitUntil(lambda: not window.findChildren(aside.Aside))
    assert not added(window)
    assert threading.main_thread() not in threads


def test_a_picture_dragged_from_another_program_is_loaded_rather_than_its_address(window, qtbot):
    data = QMimeData()
    data.setImageData(image())
    data.setUrls([QUrl("https://example.org/cat.png")])
    drop(window, data, GROUND)
    came(window, qtbot)
    assert sole(window)[1].type == "image.load"


def test_an_address_alone_is_not_fetched_and_says_so(window, qtbot):
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/cat.png")])
    with qtbot.waitSignal(window.canvas.state.refused) as said:
        drop(window, data, GROUND)
    assert "nothing is fetched unasked" in said.args[0]
    assert window.document.graph == GRAPH


def test_files_copied_in_a_file_manager_are_pasted_as_what_they_mean(window, picture):
    QGuiApplication.clipboard().setMimeData(files(picture))
    paste(window)
    assert of(sole(window)[1]) == ("image.load", str(picture))


def test_a_pasted_workflow_of_another_program_says_what_it_is(window, qtbot):
    QGuiApplication.clipboard().setText('{"last_node_id": 3, "nodes": [{"id": 1}]}')
    with qtbot.waitSignal(window.canvas.state.refused) as said:
        paste(window)
    assert "a workflow of ComfyUI" in said.args[0]
    assert window.document.graph == GRAPH


# Texts --------------------------------------------------------------------------------------------------


def test_a_text_that_is_a_prompt_becomes_one_that_reads_as_the_others_do(window):
    data = QMimeData()
    data.setText("a red car on a beach, (sunset:1.2)")
    drop(window, data, GROUND)
    id, node = sole(window)
    assert (node.type, node.params["text"]) == ("text.encode", "a red car on a beach, (sunset:1.2)")
    assert window.document.graph.links[Port(id, "text_encoder")] == Port("checkpoint", "text_encoder")
    assert Port("denoise", "negative") not in window.document.graph.links  # it waits, but may not be what is meant
    assert undone(window)


def test_any_other_text_becomes_a_note(window):
    QGuiApplication.clipboard().setText("# Plan\n\nLess noise.")
    paste(window)
    node = sole(window)[1]
    assert (node.type, node.params) == ("canvas.note", {"text": "# Plan\n\nLess noise."})


def test_a_file_of_text_is_its_text_and_one_that_is_none_is_said(window, tmp_path, warnings):
    path = tmp_path / "prompt.txt"
    path.write_text("a green bird\n", "utf-8")
    drop(window, files(path), GROUND)
    assert sole(window)[1].params["text"] == "a green bird"
    path.write_bytes(b"\xff\x00bird")
    drop(window, files(path), GROUND)
    assert "prompt.txt holds no text" in warnings[0]


def test_a_text_that_is_let_go_beside_the_canvas_changes_nothing(window):
    data = QMimeData()
    data.setText("a red car")
    drop_at(window, data, QPointF(window.tabs.tabBar().mapTo(window, QPoint(5, 5))))
    assert window.document.graph == GRAPH


# Folders and workflows ----------------------------------------------------------------------------------


def test_a_folder_of_pictures_becomes_a_list(window, picture):
    (picture.parent / "notes.md").write_text("a caption", "utf-8")
    drop(window, files(picture.parent), GROUND)
    _, node = sole(window)
    assert (node.type, node.params) == ("image.load_folder", {"folder": str(picture.parent)})


def test_a_foreign_workflow_that_is_dropped_says_what_it_is(window, tmp_path, warnings):
    path = tmp_path / "foreign.json"
    path.write_text('{"nodes": [], "edges": [], "meta": {}}', "utf-8")
    drop(window, files(path), GROUND)
    assert "foreign.json" in warnings[0]
    assert "a workflow of InvokeAI" in warnings[0]
    assert window.document.graph == GRAPH


def test_a_picture_of_the_gallery_is_used_as_input(window, picture, qtbot):
    """In the only node that loads one, in one step; without one it is loaded and linked to what waits."""
    window.gallery.add(picture)
    window.docks.show("Gallery")
    panel = window.docks.panel("Gallery")
    panel.tiles.setCurrentIndex(panel.shown.index(0))
    act = next(act for act in panel.tiles.actions() if act.text() == "Use as input")
    act.trigger()
    assert window.document.graph.nodes["load"].params["path"] == str(picture)
    assert undone(window)
    window.canvas.state.select({"load"})
    QTest.keyClick(window.canvas, Qt.Key.Key_Delete)
    act.trigger()
    assert window.document.graph.nodes["load"].type == "image.load"
    assert window.document.graph.links[Port("encode", "image")] == Port("load", "image")


def test_a_large_file_of_weights_is_not_read_to_its_end_when_it_is_dropped(window, tmp_path, monkeypatch):
    model = zeros(
        tmp_path / "large.safetensors", {"lora_unet_x.lora_up.weight": (4, 4), "lora_unet_x.lora_down.weight": (4, 4)}
    )
    gone_through: list[Path] = []
    monkeypatch.setattr(png, "keywords", lambda path: gone_through.append(path) or [])
    drop(window, files(model), GROUND)
    assert sole(window)[1].type == "adapter.lora"
    assert gone_through == []


def test_a_picture_of_this_program_is_not_said_to_be_of_another_that_can_read_it_too(tmp_path):
    """What is saved has its settings as other programs show them, besides its workflow."""
    path = tmp_path / "own.png"
    texts = {png.KEYWORD: workflow.dumps(Graph()), "parameters": "steps: 20"}
    path.write_bytes(png.with_texts(png_bytes(image()), texts))
    assert remark(path) is None
    path.write_bytes(png.with_texts(png_bytes(image()), {"parameters": "steps: 20"}))
    assert "AUTOMATIC1111" in (remark(path) or "")

"""Finding node types by typing."""

import re

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, add_node
from nodes.domain import DOMAIN
from ui.canvas.canvas import Canvas
from ui.canvas.commands.adding import mate, offers, open_palette
from ui.canvas.overlays.palette import Offer, Palette, search
from ui.canvas.scene.view import View
from ui.documents.document import Document
from ui.documents.scope import Scope
from ui.runs.run_state import RunState
from ui.widgets.finder import SHOWN


@pytest.fixture(scope="module")
def everything():
    """What the program offers for an empty document."""
    return offers(Scope(Document(discover("nodes"))))


def ids(found: list[Offer]) -> list[str]:
    return [offer.type.id for offer in found]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("ksampler", "group:Denoise"),
        ("clip text", "text.encode"),
        ("checkpoint", "load.checkpoint"),
        ("vae dec", "vae.decode"),
        ("noise sched", "schedule.noise_scheduler"),
        ("emptylatent", "latent.empty"),
        ("chekpoint", "load.checkpoint"),
        ("lora", "adapter.lora"),
    ],
)
def test_people_find_nodes_under_the_words_they_know(everything, typed, first):
    assert first in ids(search(everything, typed))[:2]


@pytest.mark.parametrize("id", DOMAIN.elsewhere)
def test_the_names_of_other_programs_find_the_node_that_does_it(everything, id):
    """As they are written, in small letters, and in words as a person breaks them."""
    for name in DOMAIN.elsewhere[id]:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()
        for typed in (name, name.lower(), words):
            assert ids(search(everything, typed))[:1] == [id], typed


@pytest.mark.parametrize(
    ("typed", "id"),
    [
        ("cliptextencode", "text.encode"),
        ("vaedecode", "vae.decode"),
        ("ksampler advanced", "group:Denoise"),
        ("EmptyLatentImage", "latent.empty"),
        ("loraloader", "adapter.lora"),
        ("load checkpoint", "load.checkpoint"),
        ("loadcheckpoint", "load.checkpoint"),
    ],
)
def test_a_name_is_found_with_spaces_and_without(everything, typed, id):
    assert ids(search(everything, typed))[0] == id


def test_every_node_that_is_spoken_of_is_there():
    registry = discover("nodes")
    named = {*DOMAIN.elsewhere, *(id for found in DOMAIN.likely.after.values() for id in found)}
    named |= {id for found in DOMAIN.likely.before.values() for id in found}
    named |= {id for key, found in DOMAIN.likely.sockets.items() for id in (key[0], *found)}
    assert named <= registry.keys()


def test_clip_finds_what_has_to_do_with_it(everything):
    assert {"text.encode", "text.clip_skip"} <= set(ids(search(everything, "clip"))[:4])


def test_names_come_before_documentation(registry):
    found = ids(search([Offer(type) for type in registry.values()], "add"))
    assert found[0] == "toy.add"
    assert "toy.step" in found  # "Add an amount"
    assert search([Offer(type) for type in registry.values()], "no such thing") == []


def test_what_was_used_lately_comes_first(everything):
    assert ids(search(everything, "", ["vae.decode", "math.number"]))[:2] == ["vae.decode", "math.number"]
    assert ids(search(everything, "image", ["image.grid"]))[0] == "image.grid"


@pytest.mark.parametrize(
    ("type", "socket", "from_output", "first"),
    [
        ("load.checkpoint", "text_encoder", True, ["text.encode"]),
        ("load.checkpoint", "model", True, ["group:Denoise", "sampling.unet_step"]),
        ("load.checkpoint", "vae", True, ["vae.decode"]),
        ("group:Denoise", "latent", True, ["vae.decode"]),
        ("vae.encode", "latent", True, ["vae.decode", "latent.noise"]),
        ("latent.empty", "latent", True, ["latent.noise"]),
        ("vae.decode", "image", True, ["output.preview", "output.save_image"]),
        ("text.encode", "text_encoder", False, ["load.checkpoint"]),
        ("group:Denoise", "positive", False, ["text.encode"]),
        ("vae.decode", "latent", False, ["group:Denoise"]),
        ("latent.noise", "latent", False, ["latent.empty"]),
    ],
)
def test_the_likeliest_node_comes_first_whatever_was_used_lately(type, socket, from_output, first):
    scope = Scope(Document(discover("nodes"), add_node(Graph(), "it", Node(type))))
    found = ids(
        search(offers(scope, Port("it", socket), from_output=from_output), "", ["image.grid", "text.clip_skip"])
    )
    assert found[: len(first)] == first


@pytest.mark.parametrize(
    ("wire", "among", "first"),
    [
        ("text_encoder", 3, "text.encode"),
        ("vae", 3, "vae.decode"),
        ("model", SHOWN, "schedule.noise_scheduler"),
    ],
)
def test_for_a_wire_the_nodes_made_for_it_come_first(wire, among, first):
    scope = Scope(Document(discover("nodes"), add_node(Graph(), "load", Node("load.checkpoint"))))
    assert first in ids(search(offers(scope, Port("load", wire)), ""))[:among]


def test_a_wire_goes_to_the_socket_that_is_made_for_it():
    scope = Scope(Document(discover("nodes"), add_node(Graph(), "load", Node("load.checkpoint"))))
    for offer in offers(scope, Port("load", "vae")):
        fit, socket = mate(scope, offer.type, Port("load", "vae"), from_output=True)
        kinds = {input.name: input.type for input in offer.type.inputs}
        assert (kinds[socket] == scope.output(Port("load", "vae")).type) == (fit < 2)


def test_what_is_added_is_recent(canvas):
    for typed in ("bx", "ad"):
        palette = open_palette(canvas.state, QPointF(50, 50))
        QTest.keyClicks(palette.box, typed)
        QTest.keyClick(palette.box, Qt.Key.Key_Return)
    assert canvas.state.recent == ["toy.add", "toy.box"]
    palette = open_palette(canvas.state, QPointF(50, 50))
    assert palette.list.item(0).text() == "Add"
    palette.close()


def test_the_list_is_worked_with_the_keyboard_alone(canvas):
    palette = open_palette(canvas.state, QPointF(50, 50))
    for key, row in [
        (Qt.Key.Key_Down, 1),
        (Qt.Key.Key_PageDown, 8),
        (Qt.Key.Key_PageUp, 1),
        (Qt.Key.Key_Up, 0),
        (Qt.Key.Key_Up, 0),
    ]:
        QTest.keyClick(palette.box, key)
        assert palette.list.currentRow() == row
    palette.close()
    assert canvas.document.undo_stack.count() == 0


def test_each_line_says_what_the_node_is_for(canvas):
    palette = open_palette(canvas.state, QPointF(50, 50))
    QTest.keyClicks(palette.box, "toy add")
    spoken = palette.list.item(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Add, Toy. The sum of two boxes."
    assert not palette.grab().toImage().isNull()
    palette.close()


def test_the_list_is_as_high_as_what_was_found(canvas, qtbot):
    palette = open_palette(canvas.state, QPointF(50, 50))
    QApplication.processEvents()
    full = palette.height()
    QTest.keyClicks(palette.box, "toy add")
    last = palette.list.item(palette.list.count() - 1)
    qtbot.waitUntil(lambda: palette.height() < full)
    assert palette.list.visualItemRect(last).bottom() < palette.list.viewport().height()
    few = palette.height()
    QTest.keyClicks(palette.box, " and nothing like it")
    qtbot.waitUntil(lambda: palette.height() < few)
    palette.box.clear()
    qtbot.waitUntil(lambda: palette.height() == full)
    palette.close()


def test_the_begin_of_a_zone_comes_with_its_end(canvas):
    before = canvas.document.graph
    palette = open_palette(canvas.state, QPointF(50, 50))
    QTest.keyClicks(palette.box, "repeat begin")
    QTest.keyClick(palette.box, Qt.Key.Key_Return)
    after = canvas.document.graph
    assert canvas.state.selection == after.nodes.keys() - before.nodes.keys() == {"begin", "end"}
    assert after.links[Port("end", "zone")] == Port("begin", "zone")
    assert len(canvas.scene.zones) == 1
    canvas.document.undo_stack.undo()
    assert canvas.document.graph == before


def test_nodes_added_at_one_place_lie_below_each_other(canvas):
    for _ in range(3):
        palette = open_palette(canvas.state, QPointF(600, 600))
        QTest.keyClicks(palette.box, "add")
        QTest.keyClick(palette.box, Qt.Key.Key_Return)
    added = [canvas.scene.nodes[id].rect for id in ("add", "add_2", "add_3") if id in canvas.scene.nodes]
    assert len(added) == 3
    assert not any(a.intersects(b) for a in added for b in added if a is not b)
    assert QRectF(canvas.rect()).contains(canvas.state.view.rect_to_screen(added[-1]))  # the view has followed


def test_a_wire_pulled_onto_nothing_offers_the_likeliest_node_and_return_takes_it(qtbot):
    graph = add_node(Graph(), "load", Node("load.checkpoint", {"path": "models/starter"}))
    canvas = Canvas(Document(discover("nodes"), graph), RunState())
    qtbot.addWidget(canvas)
    canvas.resize(1100, 800)
    canvas.show()
    qtbot.waitExposed(canvas)
    canvas.state.show_view(View(1.0, 100, 100))
    start = canvas.state.view.to_screen(canvas.scene.socket_pos(Port("load", "text_encoder"), output=True)).toPoint()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 4):
        QTest.mouseMove(canvas, start + QPoint(80 * step, 60 * step))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(240, 180))
    QTest.keyClick(canvas.findChild(Palette).box, Qt.Key.Key_Return)
    assert canvas.document.graph.links[Port("encode", "text_encoder")] == Port("load", "text_encoder")

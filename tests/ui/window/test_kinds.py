"""What a node makes is named on it, and what suits that follows a choice, as a person sees and undoes it.

The toys are clays and the pots that are made of them: red clay is fired at 900 degrees, white clay at 1200.
"""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QImage, QPainter
from PySide6.QtTest import QTest

from nodegraph.editing.grouping import make_group
from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node, Port, remove_nodes, set_param
from tests.toy_nodes.pots import KINDS
from tests.ui.kept_window import KeptWindow
from ui.canvas import accessible
from ui.canvas.commands.adding import open_palette
from ui.canvas.paint.nodes import paint_nodes
from ui.canvas.scene.shape import MARGIN
from ui.panels.inspector import Inspector
from ui.runs.describe import state
from ui.runs.kinds import Kinds
from ui.widgets.finder import Entry
from ui.window.main_window import MainWindow

LONG = 20_000
POTS = Graph(
    {
        "clay": Node("toy.clay", {}, (0, 0)),
        "knead": Node("toy.knead", {}, (300, 0)),
        "pot": Node("toy.pot", {"wheel": "fast"}, (600, 0)),
        "show": Node("toy.show", {}, (900, 0)),
    },
    {Port("knead", "clay"): Port("clay", "clay"), Port("pot", "clay"): Port("knead", "clay")}
    | {Port("show", "box"): Port("pot", "box")},
)

WHITE = set_param(POTS, "clay", "of", "white")


@pytest.fixture
def window(qtbot, kept_window: KeptWindow) -> MainWindow:
    """With the pots open, planned, and no engine."""
    made = kept_window.open()
    show(qtbot, made, POTS)
    return made


def show(qtbot, window: MainWindow, graph: Graph) -> None:
    window.tabs.show_document(window.session.new(graph))
    planned(qtbot, window, window.plan.start)


def planned(qtbot, window: MainWindow, act) -> None:
    """Do it, and wait until what it did is planned, and what follows from that as well."""
    with qtbot.waitSignal(window.plan.planned, timeout=LONG):
        act()
    qtbot.waitUntil(lambda: not window.plan.due, timeout=LONG)


def inspector(qtbot, window: MainWindow, node: str) -> Inspector:
    window.canvas.state.select({node})
    shown = window.docks.panel("Inspector")
    qtbot.waitUntil(lambda: shown.complete and shown.node == node, timeout=LONG)
    return shown


def choose(qtbot, window: MainWindow, clay: str) -> None:
    """Type it into the inspector."""
    box = inspector(qtbot, window, "clay").rows["of"].editor.box
    box.setFocus()
    box.selectAll()

    def type_it() -> None:
        QTest.keyClicks(box, clay)
        QTest.keyClick(box, Qt.Key.Key_Return)

    planned(qtbot, window, type_it)


def pot(window: MainWindow) -> dict:
    return dict(window.document.graph.nodes["pot"].params)


def badge(window: MainWindow, node: str) -> str:
    return window.canvas.scene.nodes[node].badge


def test_a_node_says_of_what_kind_it_makes_something(window):
    badges = {id: badge(window, id) for id in POTS.nodes}
    assert badges == {"clay": "Red clay", "knead": "Red clay", "pot": "", "show": ""}


def test_another_choice_sets_what_suits_it_says_so_and_is_undone_as_one(window, qtbot):
    choose(qtbot, window, "white")
    assert badge(window, "knead") == "White clay"
    assert pot(window) == {"wheel": "fast", "heat": 1200, "hours": 12}  # a person had chosen the wheel
    assert window.status_bar.text.text() == "Heat and hours follow White clay"
    planned(qtbot, window, window.document.undo_stack.undo)
    assert window.document.graph == POTS
    assert badge(window, "clay") == "Red clay"
    planned(qtbot, window, window.document.undo_stack.redo)
    assert pot(window) == {"wheel": "fast", "heat": 1200, "hours": 12}
    assert window.document.undo_stack.count() == 1


def test_what_followed_one_choice_follows_the_next(window, qtbot):
    choose(qtbot, window, "white")
    window.document.set_param("pot", "hours", 20)
    choose(qtbot, window, "red")
    assert pot(window) == {"wheel": "fast", "hours": 20}


def test_a_mistake_on_the_way_is_no_choice(window, qtbot):
    choose(qtbot, window, "blue")
    assert badge(window, "clay") == ""
    assert pot(window) == {"wheel": "fast"}
    choose(qtbot, window, "white")
    assert pot(window) == {"wheel": "fast", "heat": 1200, "hours": 12}


def test_linking_to_what_is_of_another_kind_is_a_choice_too(window, qtbot):
    other = Graph({**POTS.nodes, "white": Node("toy.clay", {"of": "white"})}, POTS.links)
    show(qtbot, window, other)
    links = {**other.links, Port("pot", "clay"): Port("white", "clay")}
    planned(qtbot, window, lambda: window.document.edit("Connect", lambda g: Graph(g.nodes, links)))
    assert pot(window) == {"wheel": "fast", "heat": 1200, "hours": 12}


def test_opening_and_reloading_change_nothing(window, qtbot, tmp_path):
    path = tmp_path / "pots.json"
    workflow.save(POTS, path)
    window.open(path)
    planned(qtbot, window, window.plan.start)
    assert window.document.graph == POTS
    workflow.save(WHITE, path)
    planned(qtbot, window, lambda: window.session.reload(window.document))
    assert badge(window, "clay") == "White clay"
    assert window.document.graph == WHITE
    assert not window.document.dirty


def test_a_choice_that_was_saved_at_once_is_followed_by_a_step_of_its_own(window, qtbot, tmp_path):
    def choose_and_save() -> None:
        window.document.set_param("clay", "of", "white")
        window.session.save(window.document, tmp_path / "pots.json")

    planned(qtbot, window, choose_and_save)
    assert pot(window)["heat"] == 1200
    assert window.document.dirty
    assert window.document.undo_stack.count() == 2


def test_a_choice_taken_back_before_it_was_planned_changes_nothing(window, qtbot):
    def choose_and_undo() -> None:
        window.document.set_param("clay", "of", "white")
        window.document.undo_stack.undo()

    planned(qtbot, window, choose_and_undo)
    assert window.document.graph == POTS
    assert window.document.undo_stack.canRedo()


def test_a_choice_that_is_undone_with_a_later_edit_leaves_what_was_before(window, qtbot):
    show(qtbot, window, WHITE)
    choose(qtbot, window, "red")

    def edit_and_undo_both() -> None:
        window.document.set_param("pot", "soak", True)
        window.document.undo_stack.undo()
        window.document.undo_stack.undo()

    planned(qtbot, window, edit_and_undo_both)
    assert badge(window, "clay") == "White clay"
    assert window.document.graph == WHITE
    assert window.document.undo_stack.canRedo()


def test_what_has_no_meaning_is_dimmed_with_the_reason_on_the_node_and_in_the_inspector(window, qtbot):
    choose(qtbot, window, "white")
    item = window.canvas.scene.nodes["pot"]
    row = next(row for row in item.shape.rows if row.input and row.input.name == "soak")
    place = window.canvas.state.view.to_screen(item.pos + row.rect.center())
    assert window.canvas.tip_at(place) == "White clay is not soaked"
    rows = inspector(qtbot, window, "pot").rows
    assert "White clay is not soaked" in rows["soak"].toolTip()
    assert rows["soak"].editor.accessibleDescription() == "White clay is not soaked"
    assert rows["soak"].name.graphicsEffect() is not None
    assert rows["heat"].name.graphicsEffect() is None
    choose(qtbot, window, "red")
    rows = inspector(qtbot, window, "pot").rows
    assert "soaked" not in rows["soak"].toolTip()
    assert rows["soak"].name.graphicsEffect() is None


def test_a_node_without_a_meaning_says_so_as_a_whole(window, qtbot):
    choose(qtbot, window, "dry")
    item = window.canvas.scene.nodes["pot"]
    assert window.canvas.tip_at(window.canvas.state.view.to_screen(item.pos + QPointF(60, 12))) == (
        "Nothing is made of dry clay"
    )
    assert all(row.name.graphicsEffect() for row in inspector(qtbot, window, "pot").rows.values())


def test_the_inspector_names_the_kind(window, qtbot):
    shown = inspector(qtbot, window, "clay")
    assert shown.badge.text() == "Red clay"
    assert shown.badge.isVisible()
    choose(qtbot, window, "white")
    assert shown.badge.text() == "White clay"
    assert not inspector(qtbot, window, "pot").badge.isVisible()


def test_what_is_for_other_kinds_is_offered_last_with_the_reason(window, qtbot):
    def offered() -> list[Entry]:
        palette = open_palette(window.canvas.state, QPointF(300, 300), Port("knead", "clay"))
        entries = [palette.list.item(row).data(Qt.ItemDataRole.UserRole) for row in range(palette.list.count())]
        palette.close()
        return entries

    kept = {entry.title: entry.about for entry in offered()}
    assert kept["Pot"] == "A pot, by how hot it was fired."
    choose(qtbot, window, "dry")
    entries = offered()
    assert {entry.title for entry in entries} == kept.keys()
    assert (entries[-1].title, entries[-1].about) == ("Pot", "Nothing is made of dry clay")


def test_a_screen_reader_hears_the_kind_and_why_a_parameter_has_no_meaning(window, qtbot):
    accessible.install()
    choose(qtbot, window, "white")
    root = QAccessible.queryAccessibleInterface(window.canvas)
    nodes = {part.id: part for part in map(root.child, range(root.childCount()))}
    assert nodes["clay"].text(QAccessible.Text.Name) == "Clay, White clay"
    soak = next(p for p in map(nodes["pot"].child, range(nodes["pot"].childCount())) if p.name == "soak")
    assert soak.text(QAccessible.Text.Description) == "White clay is not soaked"


def test_inside_a_group_and_on_it_the_kind_is_known(window, qtbot):
    show(qtbot, window, make_group(POTS, {"knead"}, "Soften"))
    id = next(id for id, node in window.document.graph.nodes.items() if node.type.startswith("group:"))
    assert badge(window, id) == "Red clay"
    window.canvas.scope.enter(id)
    assert badge(window, "knead") == "Red clay"


KILN = make_group(POTS, {"pot"}, "Kiln")


def fired(window: MainWindow, group: str = "Kiln") -> dict:
    """The parameters of the pot inside the group."""
    return dict(window.document.graph.groups[group].graph.nodes["pot"].params)


def test_what_is_inside_a_group_follows_as_part_of_the_same_step_and_it_is_said(window, qtbot):
    show(qtbot, window, KILN)
    choose(qtbot, window, "white")
    assert fired(window) == {"wheel": "fast", "heat": 1200, "hours": 12}
    assert window.status_bar.text.text() == "Heat and hours inside Kiln follow White clay"
    planned(qtbot, window, lambda: QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier))
    assert window.document.graph == KILN
    assert not window.document.undo_stack.canUndo()
    planned(qtbot, window, window.document.undo_stack.redo)
    window.canvas.scope.enter("kiln")
    shown = inspector(qtbot, window, "pot")
    assert shown.rows["heat"].editor.box.text() == "1200"


def test_what_a_person_has_set_inside_a_group_stays(window, qtbot):
    show(qtbot, window, KILN)
    window.canvas.scope.enter("kiln")
    window.canvas.scope.set_param("pot", "heat", 1000)
    window.canvas.scope.leave(0)
    choose(qtbot, window, "white")
    assert fired(window) == {"wheel": "fast", "heat": 1000, "hours": 12}
    assert window.status_bar.text.text() == "Hours inside Kiln follow White clay"


def test_a_group_that_is_there_twice_follows_when_all_of_it_is_of_one_kind(window, qtbot):
    other = {"other": Node("toy.clay", {"of": "red"}, (0, 300)), "again": Node("group:Kiln", {}, (600, 300))}
    links = {**KILN.links, Port("again", "clay"): Port("other", "clay")}
    show(qtbot, window, replace(KILN, nodes={**KILN.nodes, **other}, links=links))
    choose(qtbot, window, "white")
    assert fired(window) == {"wheel": "fast"}  # the other one is for red clay
    box = inspector(qtbot, window, "other").rows["of"].editor.box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "white")
    planned(qtbot, window, lambda: QTest.keyClick(box, Qt.Key.Key_Return))
    assert fired(window) == {"wheel": "fast", "heat": 1200, "hours": 12}


def test_a_choice_inside_a_group_is_followed_there_and_in_the_groups_within(window, qtbot):
    show(qtbot, window, make_group(KILN, {"clay", "knead", "kiln"}, "Pottery"))
    window.canvas.scope.enter("pottery")
    choose(qtbot, window, "white")
    assert fired(window) == {"wheel": "fast", "heat": 1200, "hours": 12}
    assert window.status_bar.text.text() == "Heat and hours inside Kiln follow White clay"


def test_an_input_of_a_group_follows_for_what_it_feeds(window, qtbot):
    kiln = KILN.groups["Kiln"]
    entry = next(id for id, node in kiln.graph.nodes.items() if node.type == "group.input")
    body = replace(kiln.graph, links={**kiln.graph.links, Port("pot", "heat"): Port(entry, "degrees")})
    own = replace(kiln, graph=body, inputs={**kiln.inputs, "degrees": 900})
    show(qtbot, window, replace(KILN, groups={"Kiln": own}))
    choose(qtbot, window, "white")
    assert window.document.graph.nodes["kiln"].params == {"degrees": 1200}
    assert fired(window) == {"wheel": "fast", "hours": 12}
    assert window.status_bar.text.text() == "Degrees, and hours inside Kiln, follow White clay"


def test_a_node_that_makes_nothing_any_more_has_no_badge(window, qtbot):
    planned(qtbot, window, lambda: window.document.edit("Delete", remove_nodes, {"clay"}))
    assert badge(window, "knead") == ""


def test_of_one_kind_another_may_leave_other_parameters_without_meaning(window, qtbot, monkeypatch):
    wet = replace(KINDS["red"], idle={("toy.pot", "soak"): "It is wet already"})
    monkeypatch.setitem(KINDS, "white", wet)
    choose(qtbot, window, "white")
    assert window.canvas.scene.nodes["pot"].why_idle("soak") == "It is wet already"
    assert pot(window) == {"wheel": "fast"}


GLAZED = Graph(
    {**POTS.nodes, "mix": Node("toy.mix", {}, (600, 300)), "glaze": Node("toy.glaze", {}, (900, 300))},
    {**POTS.links, Port("mix", "clay"): Port("clay", "clay"), Port("glaze", "pot"): Port("pot", "box")}
    | {Port("glaze", "glaze"): Port("mix", "glaze"), Port("show", "box"): Port("glaze", "box")},
)


def run(qtbot, window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not window.engine.running and window.runs.outcome.startswith("Done"), timeout=LONG)


def said(window: MainWindow) -> dict[str, str]:
    """What the canvas says of results, to a screen reader as well."""
    return {id: state(window.runs.of(id), "on") for id in ("mix", "pot", "glaze", "show")}


def test_a_choice_that_is_undone_shows_what_was_made_before_as_it_was(window, qtbot):
    show(qtbot, window, GLAZED)
    window.engine.start()
    run(qtbot, window)
    before = {id: (run.picture, run.seconds, run.memory) for id, run in window.runs.nodes.items()}
    choose(qtbot, window, "white")
    assert said(window)["mix"] == "outdated"
    run(qtbot, window)
    planned(qtbot, window, lambda: QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier))
    assert window.document.graph == GLAZED
    qtbot.waitUntil(lambda: said(window) == dict.fromkeys(said(window), "cached"), timeout=LONG)
    assert {id: (run.picture, run.seconds, run.memory) for id, run in window.runs.nodes.items()} == before


def painted(window: MainWindow) -> QImage:
    """The nodes at scale 1, their origin at MARGIN from the corner."""
    image = QImage(800, 300, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.translate(MARGIN, MARGIN)
    paint_nodes(painter, window.canvas.scene.nodes.values(), (), 1.0)
    painter.end()
    return image


def test_the_kind_is_painted_on_the_upper_edge_and_colours_nothing_else(window):
    nodes = window.canvas.scene.nodes
    badges = [nodes[id].badge_place.translated(nodes[id].pos + QPointF(MARGIN, MARGIN)) for id in ("clay", "knead")]
    with_kinds = painted(window)
    window.canvas.scene.show_kinds(Kinds())
    without = painted(window)
    places = (QPoint(x, y) for x in range(with_kinds.width()) for y in range(with_kinds.height()))
    other = [at for at in places if with_kinds.pixel(at) != without.pixel(at)]
    assert all(any(badge.contains(at) for at in other) for badge in badges)
    assert all(any(badge.contains(at) for badge in badges) for at in other)

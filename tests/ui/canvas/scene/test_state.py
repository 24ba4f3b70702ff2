"""What a canvas shows and what is selected, without the canvas."""

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QWidget

from ui.canvas.commands import one_node, selection
from ui.canvas.gestures.gestures import Box, Move, Pan
from ui.canvas.gestures.rows import RowPress, Slide
from ui.canvas.scene.state import CanvasState
from ui.canvas.scene.view import View


@pytest.fixture
def state(qtbot, document, runs) -> CanvasState:
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.resize(800, 600)
    return CanvasState(document, runs, widget)


def test_gestures_and_commands_need_no_canvas(state: CanvasState):
    everything = state.scene.extent()
    box = Box(state, everything.topLeft(), frozenset())
    box.move(everything.bottomRight())
    assert state.selection == state.scene.nodes.keys()
    box.move(QPointF(10, 10))
    assert state.selection == {"left"}
    carry = Move(state, QPointF(60, 12))
    carry.move(QPointF(60, 62))
    carry.finish()
    assert state.scene.nodes["left"].pos == QPointF(0, 50)
    selection.delete(state)
    assert "left" not in state.scope.graph.nodes


def test_a_press_on_a_number_becomes_a_slide_once_the_hand_moves_on(state: CanvasState):
    item = state.scene.nodes["settings"]
    row = next(row for row in one_node.editable_rows(state, "settings") if row.input and row.input.name == "count")
    assert row.input
    press = RowPress(state, item.pos + row.rect.center(), item, row, row.input, toggle=False)
    press.move(press.start + QPointF(2, 0))
    assert press.became is None
    press.move(press.start + QPointF(20, 0))
    assert isinstance(press.became, Slide)


def test_only_what_is_selected_anew_or_no_more_is_painted_again(state: CanvasState):
    state.select({"left"})
    painted = []
    state.touched.connect(painted.append)
    state.select({"left", "sum"})
    assert painted == [[state.scene.nodes["sum"].bounds]]
    state.select({"left", "sum"})
    assert len(painted) == 1


def test_a_node_inside_a_group_is_gone_to_by_the_name_that_the_engine_has_for_it(state: CanvasState):
    state.select({"left", "right", "sum"})
    selection.group(state)
    (group,) = state.selection
    state.show_view(View(1.0, 5000, 5000))
    state.center_on(f"{group}/sum")
    assert (state.scope.path, state.selection) == ((group,), {"sum"})
    assert state.view.rect_to_world(state.area).contains(state.scene.nodes["sum"].rect)


def test_the_editor_follows_the_view_and_another_one_takes_its_place(state: CanvasState):
    first = one_node.open_row(state, "settings", "count")
    assert first
    Pan(state, QPointF(0, 0)).move(QPointF(30, 40))
    row = state.view.rect_to_screen(state.scene.nodes["settings"].rect)
    assert row.contains(QPointF(first.pos()))
    second = one_node.rename(state, "left")
    assert state.editor is second
    assert first.isHidden()

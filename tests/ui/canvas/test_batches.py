"""Of a batch, a node on the canvas shows all pictures or the one that was chosen."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from nodegraph.running.messages import Finished
from nodegraph.types import Picture
from ui.canvas.actions import canvas_actions

RED, GREEN, BLUE, BLACK = b"\xff\0\0", b"\0\xff\0", b"\0\0\xff", b"\0\0\0"


def batch(count: int = 3, side: int = 8) -> Picture:
    """Of plain colours, beside each other in two columns: red and green above blue."""
    above, below = (RED * side + GREEN * side) * side, (BLUE * side + BLACK * side) * side
    return Picture(2 * side, 2 * side, above + below, count, (64, 64))


@pytest.fixture
def shown(canvas):
    """The node "show" has a batch of three."""
    canvas.state.scene.runs.take(Finished("show", "key", (), 0.1, cached=False, picture=batch()))
    return canvas.scene.nodes["show"]


def colours(item) -> set[str]:
    picture = item.pixmap.toImage()
    return {
        picture.pixelColor(x, y).name() for x in range(1, picture.width(), 3) for y in range(1, picture.height(), 3)
    }


def on_counter(item, right: bool) -> QPointF:
    place = item.counter
    return item.pos + QPointF(place.right() - 8 if right else place.left() + 8, place.center().y())


def test_a_click_on_the_counter_goes_from_all_to_each_and_round(canvas, hand, shown):
    assert {"#ff0000", "#00ff00", "#0000ff"} < colours(shown)
    for colour in ("#ff0000", "#00ff00", "#0000ff"):
        hand.click(on_counter(shown, right=True))
        assert colours(shown) == {colour}
    hand.click(on_counter(shown, right=True))
    assert shown.chosen is None
    hand.click(on_counter(shown, right=False))
    assert colours(shown) == {"#0000ff"}
    assert canvas.document.undo_stack.count() == 0  # it is how one looks at it, and no edit


def test_the_keys_do_the_same_for_what_is_selected(canvas, shown):
    acts = {act.shortcut: act.callback for act in canvas_actions(canvas)}
    canvas.state.select({"show"})
    acts["Alt+."]()
    assert colours(shown) == {"#ff0000"}
    acts["Alt+."]()
    acts["Alt+,"]()
    assert colours(shown) == {"#ff0000"}
    canvas.state.select({"left"})
    acts["Alt+."]()
    assert colours(shown) == {"#ff0000"}


def test_the_choice_stays_for_the_next_run_and_ends_where_there_are_fewer(canvas, hand, shown):
    hand.click(on_counter(shown, right=False))
    canvas.state.scene.runs.take(Finished("show", "other", (), 0.1, cached=False, picture=batch()))
    assert shown.chosen == 2
    assert colours(shown) == {"#0000ff"}
    canvas.state.scene.runs.take(Finished("show", "one", (), 0.1, cached=False, picture=Picture(8, 8, bytes(192))))
    assert shown.chosen is None
    assert shown.counter is None


def test_a_node_shows_what_was_picked_elsewhere(canvas, runs, shown):
    runs.picked.pick("show", 1)
    assert colours(shown) == {"#00ff00"}
    runs.picked.pick("show", None)
    assert shown.chosen is None


def test_a_drag_from_the_counter_carries_the_node(canvas, hand, shown):
    start = on_counter(shown, right=True)
    hand.drag(start, start + QPointF(60, 40))
    assert canvas.document.graph.nodes["show"].pos != (600, 0)
    assert shown.chosen is None

"""In what a model's weights are kept is chosen on the node that loads it."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.program import FOLDER
from ui.canvas.scene.view import View
from ui.runs.live_plan import LivePlan


@pytest.fixture
def registry():
    return discover("nodes")


@pytest.fixture
def graph():
    return workflow.load(FOLDER / "workflows" / "text_to_image.json")


def test_another_choice_asks_for_another_picture_and_undo_for_the_first(qtbot, canvas, hand, row, document):
    """What is asked for is run, in live mode at once: its key is in no cache."""
    live = LivePlan(document)

    def asked(act) -> str:
        with qtbot.waitSignal(live.planned) as planned:
            act()
        assert not planned.args[0].problems
        return planned.args[0].keys["decode"]

    def choose() -> None:
        hand.click(row("weights", node="checkpoint"))
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        assert [a.text() for a in menu.actions()] == ["as in the file", "float8", "float8, fast", "int8"]
        QTest.keyClick(menu, Qt.Key.Key_Down)
        QTest.keyClick(menu, Qt.Key.Key_Return)

    canvas.state.show_view(View(1.0, 100, 400))
    before = asked(live.start)
    assert asked(choose) != before
    assert document.graph.nodes["checkpoint"].params["weights"] == "float8"
    assert asked(document.undo_stack.undo) == before
    live.close()

"""Planning follows the document without keeping the window."""

import subprocess
import sys

from PySide6.QtCore import QTimer

from nodegraph.graph import remove_nodes
from nodegraph.planning.plan import plan
from ui.runs import live_plan
from ui.runs.live_plan import LivePlan


def test_between_the_pieces_of_a_plan_the_window_answers(qtbot, document, registry, monkeypatch):
    monkeypatch.setattr(live_plan, "SLICE", 0.0)
    made, answered = LivePlan(document), []
    timer = QTimer(interval=0)
    timer.timeout.connect(lambda: answered.append(made.ready))
    with qtbot.waitSignal(made.planned) as first:
        made.start()
        timer.start()
    assert sum(answered) >= len(document.graph.nodes) / 2
    assert first.args == [plan(document.graph, registry)]
    with qtbot.waitSignal(made.planned) as second:
        document.edit("Delete", remove_nodes, {"left"})
    assert second.args == [plan(document.graph, registry)]
    made.close()


def test_what_groups_and_arrange_need_is_imported_before_the_first_plan():
    """In a process of its own: here others have imported it."""
    code = """
import sys
from PySide6.QtCore import QCoreApplication
from ui.documents.document import Document
from ui.runs.live_plan import LivePlan
app = QCoreApplication([])
plan = LivePlan(Document({}))
plan.planned.connect(lambda _: (print("networkx" in sys.modules), app.quit()))
print("networkx" in sys.modules)
plan.start()
app.exec()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "True"]

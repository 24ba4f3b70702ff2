"""How long a text is, told by the engine a moment after it was typed, and while something runs."""

from __future__ import annotations

from tests.ui.engines import LONG, slow
from ui.runs.measuring import Measurer


def test_the_last_text_that_was_typed_is_measured_also_while_something_runs(desk, qtbot):
    runner = desk.open(slow(parts=400))
    qtbot.waitUntil(lambda: desk.engine.ready or runner.plan.ready, timeout=LONG)
    runner.run()
    qtbot.waitUntil(lambda: runner.began and bool(runner.runs.running), timeout=LONG)
    measurer, said = Measurer(desk.engine, runner.plan), list[str]()
    for text in ("a", "a r", "a red"):
        measurer.ask("box", text, said.append)
    qtbot.waitUntil(lambda: bool(said), timeout=LONG)
    assert said == ["5 letters"]
    measurer.ask("box", "this breaks", said.append)  # and ends nobody
    measurer.ask("box", "a red fox", said.append)
    qtbot.waitUntil(lambda: len(said) == 2, timeout=LONG)
    assert said[1] == "9 letters"
    assert runner.runs.running


def test_the_editor_says_how_long_the_text_is(canvas, row, double_click):
    """At its lower edge, and again with every key."""
    asked: list[tuple[str, str]] = []

    def measure(node: str, text: str, then) -> None:
        asked.append((node, text))
        then(f"{len(text)} of 75")

    canvas.scope.measure = measure
    double_click(row("text"))
    editor = canvas.state.editor
    assert editor.length.text() == "5 of 75"
    editor.box.insertPlainText("!")
    assert asked[-1] == ("settings", "a cat!")
    assert editor.length.text() == "6 of 75"
    assert editor.length.geometry().top() >= editor.geometry().bottom()
    editor.leave()
    assert canvas.state.editor is None

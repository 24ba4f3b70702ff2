"""What the command of a sweep says is followed, and what libraries say between its lines is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from nodegraph.graph import Graph
from nodegraph.running.engine import Settings
from ui.runs import sweep_process
from ui.runs.sweep_process import CameElsewhere, SweepProcess

CELL = '{"cell": [1], "images": ["a.png"], "failed": ""}'
SAID = ("42", '"event"', "[]", "null", "Loading weights: 100%", CELL)


def test_what_libraries_say_between_its_lines_is_passed_over(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(sweep_process, "_arguments", lambda *_: ["-c", f"print('''{chr(10).join(SAID)}''')"])
    process = SweepProcess()
    came: list[CameElsewhere] = []
    process.came.connect(came.append)
    with qtbot.waitSignal(process.ended):
        process.begin(Graph(), "local", 0, tmp_path, Settings(), {})
    assert came == [CameElsewhere((1,), ("a.png",), "")]

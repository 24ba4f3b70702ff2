"""The program as it is started."""

import subprocess
import sys
import time
from pathlib import Path

from nodegraph import workflow
from nodegraph.graph import Graph, Node, Port

START = """
import sys
from nodegraph.registry import discover
from ui.app import run_editor
run_editor(discover("tests.toy_nodes"), sys.argv[1], package="tests.toy_nodes", autorun=True)
"""
ROOT = Path(__file__).parents[2]


def test_a_state_folder_that_cannot_be_used_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for name in ("CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"DENOODLE_{name}", str(tmp_path / "file" / name.lower()))
    done = subprocess.run([sys.executable, ROOT / "main.py"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("Denoodle cannot start: ")
    assert done.stderr.endswith("set DENOODLE_STATE to another folder\n")
    assert done.stderr.count("\n") == 1


def test_the_editor_opens_a_workflow_and_runs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"DENOODLE_{name}", str(tmp_path / name.lower()))
    nodes = {"box": Node("toy.box", {"value": 7.0}), "save": Node("toy.save")}
    workflow.save(Graph(nodes, {Port("save", "box"): Port("box", "box")}), tmp_path / "box.json")
    editor = subprocess.Popen([sys.executable, "-c", START, "box.json"], cwd=tmp_path)
    written = tmp_path / "output" / "box.txt"
    end = time.monotonic() + 60
    try:
        while not (written.exists() and written.read_text()) and time.monotonic() < end:
            assert editor.poll() is None
            time.sleep(0.05)
    finally:
        editor.terminate()
        editor.wait()
    assert written.read_text().startswith("7.0")

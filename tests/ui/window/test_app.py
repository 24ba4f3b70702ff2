"""The program as it is started."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node, Port

START = """
import sys
from nodegraph.formats.package import discover
from ui.window.app import run_editor
run_editor(discover("tests.toy_nodes"), sys.argv[1], package="tests.toy_nodes", autorun=True)
"""
ROOT = Path(__file__).parents[3]


def run_until_written(folder: Path, editor: subprocess.Popen[bytes]) -> str:
    """What the run of box.json wrote; the editor is stopped then."""
    written = folder / "output" / "box.txt"
    end = time.monotonic() + 60
    try:
        while not (written.exists() and written.read_text()) and time.monotonic() < end:
            assert editor.poll() is None
            time.sleep(0.05)
    finally:
        editor.terminate()
        editor.wait()
    return written.read_text()


@pytest.fixture
def box(tmp_path, monkeypatch) -> Path:
    """A folder to start in, with a workflow."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"DENOODLE_{name}", str(tmp_path / name.lower()))
    nodes = {"box": Node("toy.box", {"value": 7.0}), "save": Node("toy.save")}
    workflow.save(Graph(nodes, {Port("save", "box"): Port("box", "box")}), tmp_path / "box.json")
    return tmp_path


def test_the_editor_opens_a_workflow_and_runs_it(box):
    editor = subprocess.Popen([sys.executable, "-c", START, "box.json"], cwd=box)
    assert run_until_written(box, editor).startswith("7.0")


@pytest.mark.slow
def test_the_editor_starts_and_runs_where_nothing_can_be_kept(box, monkeypatch):
    (box / "file").touch()
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"DENOODLE_{name}", str(box / "file" / name.lower()))
    with open(box / "said", "wb") as said:
        editor = subprocess.Popen([sys.executable, "-c", START, "box.json"], cwd=box, stderr=said)
        assert run_until_written(box, editor).startswith("7.0")
    assert b"Traceback" not in (box / "said").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_the_editor_starts_on_a_full_disk(box):
    """Every file can be made, and none can be written to."""
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    show = "window = MainWindow(discover('tests.toy_nodes'), EngineSettings('tests.toy_nodes', cache=None), "
    start = (
        f"{full}\nfrom PySide6.QtWidgets import QApplication; app = QApplication([])\n"
        "from ui.window.app import *; from nodegraph.formats.package import discover; theme.install(app)\n"
        f"{show}Settings(settings_folder() / SETTINGS), Session(discover('tests.toy_nodes'), state_folder()))\n"
        "window.restore(); window.show(); window.settings.change(live=True); window.open(Path('box.json'))\n"
        "print(window.status_bar.text.toolTip(), window.document.name)"
    )
    done = subprocess.run([sys.executable, "-c", start], cwd=box, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "edits are not safe against a crash" in done.stdout
    assert "The settings could not be written" in done.stdout
    assert done.stdout.endswith("box\n")

"""Many processes save pictures into one folder and are killed at random moments."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nodegraph import workflow
from nodegraph.graph import Graph, Node, Port, connect

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs processes that fork")


@pytest.mark.parametrize("kills", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_picture_is_whole_and_has_a_number_of_its_own_however_its_process_ended(tmp_path: Path, kills: int):
    command = [sys.executable, "-m", "tests.nodes.savers", str(tmp_path / "out"), str(kills), "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True)
    found = json.loads(done.stdout)
    faults = ("empty", "broken", "lost", "doubled", "left after cleaning", "ended by themselves")
    assert {name: found[name] for name in faults} == dict.fromkeys(faults, 0)
    assert found["visible"] >= found["saved"] > kills // 10


AT_ONCE = 8


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, 8], ids=["8 runs", "64 runs"])
def test_commands_on_one_cache_and_one_output_folder_refuse_nothing_and_lose_nothing(tmp_path: Path, rounds: int):
    graph = Graph({"grey": Node("image.grey", {"width": 64, "height": 64}), "save": Node("output.save_image")})
    workflow.save(connect(graph, Port("grey", "image"), Port("save", "image")), tmp_path / "w.json")
    told: list[str] = []
    for turn in range(rounds):
        levels = [(turn * AT_ONCE + place) / 255 for place in range(AT_ONCE)]
        running = [start_run(tmp_path, level) for level in levels]
        for process in running:
            out, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors
            told += out.splitlines()
    pictures = sorted((tmp_path / "out").iterdir())
    assert [str(path) for path in pictures] == sorted(told)
    made_with = {workflow.load(path).nodes["grey"].params["brightness"] for path in pictures}
    assert len(made_with) == len(pictures) == rounds * AT_ONCE


def start_run(folder: Path, brightness: float) -> subprocess.Popen[str]:
    command = [sys.executable, "main.py", "run", folder / "w.json", "--set", f"grey.brightness={brightness}"]
    places = ["--out", folder / "out", "--cache", folder / "cache", "--device", "cpu"]
    return subprocess.Popen([*command, *places], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

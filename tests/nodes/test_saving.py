"""Many commands at once on one cache and one output folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node, Port, connect

ROOT = Path(__file__).parents[2]

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

"""Commands and a window on one cache and one output folder refuse, lose and double nothing; and what would is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from nodegraph.formats import png, workflow
from nodegraph.graph import Graph, Node
from tools.sharing.verdict import Told, faults

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_commands_beside_a_window_refuse_nothing_and_lose_nothing():
    command = [sys.executable, "-m", "tools.sharing", "--runs", "8", "--at-once", "4", "--minutes", "0"]
    offscreen = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, cwd=ROOT, env=offscreen, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def saved(path: Path, seed: int, shade: int) -> Told:
    """A picture as a run leaves it."""
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (4, 4), (shade, shade, shade)).save(path)
    made_by = workflow.dumps(Graph({"noise": Node("latent.noise", {"seed": seed})}))
    path.write_bytes(png.with_texts(path.read_bytes(), {png.KEYWORD: made_by}))
    return Told(path, seed)


@pytest.fixture
def told(tmp_path: Path) -> list[Told]:
    """Three pictures, two of them of one seed."""
    return [saved(tmp_path / "out" / f"{n}.png", seed, 10 * seed) for n, seed in enumerate((7, 8, 7))]


def test_pictures_that_are_all_there_have_no_fault(tmp_path: Path, told: list[Told]):
    assert faults(tmp_path / "out", told) == []


def test_a_lost_picture_is_found(tmp_path: Path, told: list[Told]):
    told[1].path.unlink()
    assert faults(tmp_path / "out", told) == ["lost: 1.png was told and is not there"]


@pytest.mark.parametrize("name", ["3.png", ".3.png.denoodle.tmp"])
def test_a_file_that_nobody_told_of_is_found(tmp_path: Path, told: list[Told], name: str):
    saved(tmp_path / "3.png", 9, 0).path.rename(tmp_path / "out" / name)
    assert faults(tmp_path / "out", told) == [f"doubled: {name} is there and nobody told of it"]


def test_a_picture_that_two_were_told_is_found(tmp_path: Path, told: list[Told]):
    assert faults(tmp_path / "out", [*told, told[1]]) == ["doubled: 1.png was told 2 times"]


def test_half_a_picture_is_found(tmp_path: Path, told: list[Told]):
    told[1].path.write_bytes(told[1].path.read_bytes()[:30])
    (fault,) = faults(tmp_path / "out", told)
    assert fault.startswith("damaged: 1.png: ")


def test_a_picture_of_another_run_is_found(tmp_path: Path, told: list[Told]):
    saved(told[1].path, 9, 0)
    assert faults(tmp_path / "out", told) == ["wrong: 1.png should be of seed 8 and is of 9"]


def test_a_result_that_is_not_its_own_is_found(tmp_path: Path, told: list[Told]):
    saved(told[2].path, 7, 200)
    assert faults(tmp_path / "out", told) == ["wrong: 2.png is of seed 7 and not the same as 0.png"]

"""The promise of the whole editor, from an empty canvas to a picture, through the end of the program and back."""

import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from nodegraph.formats import workflow

ROOT = Path(__file__).parents[3]


def person(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    settings = {name: str(tmp_path / name.lower()) for name in ("DENOODLE_STATE", "DENOODLE_CONFIG", "DENOODLE_CACHE")}
    environment = os.environ | settings | {"QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.ui.first_picture", *words]
    (tmp_path / "models").exists() or (tmp_path / "models").symlink_to(ROOT / "models")
    return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_first_picture_made_by_hand_survives_the_end_of_the_program(tmp_path: Path):
    path = tmp_path / "first.json"
    with person(tmp_path, "build", str(path)) as process:
        assert process.stdout
        built = json.loads(process.stdout.readline() or "null")
        process.kill()
    assert built is not None
    assert built["outcome"].startswith("Done")
    assert built["picture"] == [128, 128]
    (picture,) = (tmp_path / "output").glob("*.png")
    with Image.open(picture) as image:
        assert image.size == (128, 128)

    with person(tmp_path, "reopen") as process:
        back = json.loads(process.communicate()[0])
    assert back == {"graph": built["graph"], "path": str(path), "dirty": True}
    saved, kept = workflow.load(path), workflow.loads(built["graph"])
    assert saved.nodes["noise_scheduler"].params == {"steps": 4}
    assert saved.nodes["encode"].params["text"] == "a red mushroom on a blue background"
    assert kept.nodes["encode"].params["text"] == "a blue car on a yellow background"
    assert workflow.load(picture).links == saved.links == kept.links

"""Many processes save pictures into one folder and are killed at random moments."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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

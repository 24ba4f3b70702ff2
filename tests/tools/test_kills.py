"""What is kept outlasts kills at random moments; and what would not is found."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.kills.__main__ import NAMES, table
from tools.kills.lives import SURE, Outcome

ROOT = Path(__file__).parents[2]
KILLS = {"what sweeps made": 100}
"""Of a kind whose every start reads all that lives before it have written; 1,000 of the others."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs processes that fork")


@pytest.mark.parametrize(
    ("kills", "names"),
    [
        pytest.param(5, NAMES, id="5 kills of each"),
        *(pytest.param(KILLS.get(name, 1000), (name,), marks=pytest.mark.slow, id=f"kills, {name}") for name in NAMES),
    ],
)
def test_nothing_promised_is_lost_and_nothing_is_left_over_however_a_process_ended(kills: int, names: tuple[str, ...]):
    command = [sys.executable, "-m", "tools.kills", "--kills", str(kills), "--only", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Of keepers that break their promises: forked from a process with one thread, which the tests do not have."""
    command = [sys.executable, "-m", "tests.tools.faulty_lives", str(tmp_path_factory.mktemp("lives")), "24"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True)
    return json.loads(done.stdout)


def test_a_keeper_that_holds_its_promises_is_good(outcomes: dict[str, dict[str, Any]]):
    careful = outcomes["Careful"]
    assert careful["good"]
    assert careful["kills"] == 24
    assert careful["promised"] >= 24 // SURE


@pytest.mark.parametrize(
    ("kind", "fault"), [("Torn", "damaged"), ("Late", "lost"), ("Untidy", "left"), ("Crashing", "damaged")]
)
def test_a_broken_promise_is_found(outcomes: dict[str, dict[str, Any]], kind: str, fault: str):
    assert outcomes[kind][fault] > 0
    assert not outcomes[kind]["good"]


def test_kills_of_processes_that_got_nothing_done_say_nothing():
    assert not Outcome("idle", kills=100, promised=10).good
    assert Outcome("busy", kills=100, promised=11).good


def test_the_table_has_a_row_for_every_kind():
    rows = table([Outcome("busy", kills=1000, promised=12345), Outcome("idle")]).splitlines()
    assert rows[2] == "| busy | 1,000 | 12,345 | 0 | 0 | 0 | 0 | 0 |"
    assert len(rows) == 4

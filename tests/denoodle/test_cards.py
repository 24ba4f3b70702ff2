"""Sweeps on all cards of this machine, which are processes that compute on the CPU: one engine for each."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from denoodle.cluster.cards import Cards, usable
from denoodle.cluster.driver import Driver
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Port
from nodegraph.running.messages import Device
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.here import Came
from nodegraph.sweeping.ledger import opened
from nodegraph.sweeping.sweep import Cell, Sweep
from tests.denoodle.test_cli import ROOT, TOYS
from tests.denoodle.test_cluster import by_value, ended, graph_of, levels
from tests.examples import each

PACKAGE = "tests.toy_nodes"
CARDS = [Device("cuda:0", "A card"), Device("cuda:1", "Old", "it is too old"), Device("cuda:2", "A card")]
PROCESSOR = Device("cpu", "the processor")


@each(
    ("devices", "wish", "found"),
    [
        ([*CARDS, PROCESSOR], "auto", ["cuda:0", "cuda:2"]),
        ([CARDS[1], PROCESSOR], "auto", ["cpu"]),
        ([PROCESSOR], "auto", ["cpu"]),
        ([*CARDS, PROCESSOR], "cuda:2", ["cuda:2"]),
        ([], "auto", ["auto"]),
    ],
)
def test_all_gpus_are_those_that_compute_and_the_processor_where_there_is_none(devices, wish, found):
    assert usable(devices, wish) == found


@pytest.mark.slow
def test_engines_of_two_cards_share_the_cells_though_one_of_them_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOY_CARDS", "toy:0 toy:2")
    sweep = Sweep((Axis(Port("box", "value"), tuple(map(float, range(12)))),))
    cards = Cards({"package": PACKAGE, "cache": None}, ["toy:0", "toy:2"])
    said, told, came = list[str](), list[Cell](), list[Came]()
    try:
        driver = Driver(cards, discover(PACKAGE), discover(PACKAGE), said.append)
        hired = driver.hire(2)
        assert [engine.device for engine in cards._engines.values()] == ["toy:0", "toy:2"]
        with opened(tmp_path) as ledger:
            coming = driver.came(
                graph_of(3), ("print",), sweep, sweep.cells(), ledger, hired, lambda cell, event: told.append(cell)
            )
            for one in coming:
                came.append(one)
                if len(came) == 4:
                    cards._engines[1].process.kill()
            assert [engine.device for engine in cards._engines.values()] == ["toy:2", "toy:0"]
    finally:
        cards.close()
    assert levels([one.images[0] for one in sorted(came)], tmp_path) == list(range(1, 13))
    assert len(list(tmp_path.glob("print_*.png"))) == 12
    assert said == ["worker 1 on toy:0 is gone; another takes its place, and its cell is done again"]
    assert set(told) == set(sweep.cells())


def engines(of: int) -> list[int]:
    """The processes that compute for a command."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == of and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (OSError, IndexError):
            pass
    return found


@pytest.mark.slow
def test_ctrl_c_frees_the_cards_within_two_seconds_and_the_next_run_goes_on(tmp_path: Path):
    workflow.save(graph_of(200), tmp_path / "w.json")
    env = os.environ | {"PYTHONPATH": str(ROOT), "DENOODLE_CACHE": str(tmp_path / "cache"), "TOY_CARDS": "toy:0 toy:2"}

    def started() -> subprocess.Popen[str]:
        told = ["sweep", "w.json", "--vary", "box.value=0..5", "--on", "all", "--json"]
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", TOYS, *told]
        return subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )

    process = started()
    while process.poll() is None and not engines(process.pid):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, while the engines are importing
    code, _, err = ended(process)
    assert (code, "Traceback" in err) == (130, False), err
    process = started()
    while process.poll() is None and len(list((tmp_path / "output").glob("print_*.png"))) < 2:
        time.sleep(0.02)
    there = engines(process.pid)
    assert len(there) == 2
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    while any(Path(f"/proc/{pid}").exists() for pid in there) and time.monotonic() - start < 10:
        time.sleep(0.02)
    taken = time.monotonic() - start
    code, said, err = ended(process)
    assert code == 130, err
    assert taken < 2
    assert 2 <= len(said["images"]) < 6
    code, said, err = ended(started())
    assert (code, len(said["images"])) == (0, 6), err
    assert "2 of them are made" in err
    assert by_value(tmp_path, said["csv"]) == {float(value): value + 1 for value in range(6)}

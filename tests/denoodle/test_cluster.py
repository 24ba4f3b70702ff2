"""Sweeps on a Ray cluster on this machine, with real processes of which some are killed."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from denoodle.cluster import worker as module
from denoodle.cluster.worker import Worker, digest_of
from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node, Port, connect
from tests.denoodle.test_cli import ROOT, TOYS, toys

TIMEOUT = 240


def graph_of(parts: int = 5, **nodes: Node) -> Graph:
    """box -> slow -> step -> print."""
    graph = Graph(
        {
            "box": Node("toy.box", {"value": 10.0}),
            "slow": Node("toy.slow", {"parts": parts}),
            "step": Node("toy.step"),
            "print": Node("toy.print"),
            **nodes,
        }
    )
    for src, dst in [("box", "slow"), ("slow", "step"), ("step", "print")]:
        graph = connect(graph, Port(src, "box"), Port(dst, "box"))
    return graph


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workflow.save(graph_of(), tmp_path / "w.json")
    return tmp_path


def started(folder: Path, *args: str) -> subprocess.Popen[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "DENOODLE_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", TOYS, "sweep", "w.json", *args, "--json"]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    out, err = process.communicate(timeout=TIMEOUT)
    assert out, err
    return process.returncode, json.loads(out.splitlines()[-1]), err


def workers(of: int) -> list[int]:
    """The processes of Ray's that run a worker of a command, which all descend from it."""
    parents: dict[int, int] = {}
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            parents[pid] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if (entry / "cmdline").read_bytes().startswith(b"ray::Worker"):
                found.append(pid)

    def descends(pid: int) -> bool:
        while pid in parents and pid != of:
            pid = parents[pid]
        return pid == of

    return [pid for pid in found if descends(pid)]


def levels(paths: Sequence[str], folder: Path) -> list[int]:
    found: list[int] = []
    for path in paths:
        with Image.open(folder / path) as picture:
            found.append(picture.convert("L").getpixel((2, 2)))  # type: ignore[arg-type]
    return found


def by_value(folder: Path, table: str) -> dict[float, int]:
    with open(folder / table, newline="") as file:
        rows = list(csv.DictReader(file))
    return {float(row["box.value"]): levels([row["images"]], folder)[0] for row in rows}


@pytest.mark.cluster
def test_of_64_jobs_by_two_workers_of_which_one_is_killed_every_picture_is_right_and_none_is_there_twice(folder: Path):
    process = started(folder, "--vary", "box.value=0..63", "--on", "ray", "--workers", "2")
    out = folder / "output"
    while process.poll() is None and len(list(out.glob("print_*.png"))) < 16:
        time.sleep(0.02)
    victims = workers(process.pid)
    assert len(victims) == 2
    os.kill(victims[0], signal.SIGKILL)
    code, said, err = ended(process)
    assert code == 0, err
    assert (said["cells"], len(said["images"]), len(set(said["images"])), said["failed"]) == (64, 64, 64, [])
    assert len(list(out.glob("print_*.png"))) == 64
    assert by_value(folder, said["csv"]) == {float(value): value + 1 for value in range(64)}
    assert "another takes its place" in err
    again = started(folder, "--vary", "box.value=0..63")  # in this process, with what the cluster made
    code, said, _ = ended(again)
    assert (code, said["calls"]["run"]) == (0, 0)


@pytest.mark.cluster
def test_a_cell_that_ends_its_worker_is_given_up_after_two_and_the_others_are_made(folder: Path):
    graph = graph_of(1, slow=Node("toy.leave"))
    workflow.save(graph, folder / "w.json")
    code, said, err = ended(started(folder, "--vary", "box.value=1|2", "--on", "ray", "--workers", "1"))
    assert code == 1, err
    assert [failed["message"] for failed in said["failed"]] == ["2 workers died while they computed it"] * 2
    assert said["images"] == []


@pytest.mark.cluster
def test_ctrl_c_frees_the_cluster_within_two_seconds_and_the_next_run_goes_on(folder: Path):
    workflow.save(graph_of(100), folder / "w.json")
    process = started(folder, "--vary", "box.value=0..9", "--on", "ray", "--workers", "2")
    while process.poll() is None and len(list((folder / "output").glob("print_*.png"))) < 2:
        time.sleep(0.02)
    there = workers(process.pid)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    while any(Path(f"/proc/{pid}").exists() for pid in there) and time.monotonic() - start < 10:
        time.sleep(0.05)
    taken = time.monotonic() - start
    code, said, err = ended(process)
    assert code == 130, err
    assert taken < 4  # two seconds, on a machine that has other things to do
    made = len(said["images"])
    assert 2 <= made < 10
    code, said, _ = ended(started(folder, "--vary", "box.value=0..9"))
    assert (code, len(said["images"])) == (0, 10)


@pytest.mark.cluster
def test_a_node_that_fails_says_so_as_on_this_machine(folder: Path):
    workflow.save(graph_of(1, slow=Node("toy.refuse")), folder / "w.json")
    code, said, _ = ended(started(folder, "--vary", "box.value=1|2", "--on", "ray", "--workers", "1"))
    assert code == 1
    assert {(failed["node"], failed["message"]) for failed in said["failed"]} == {("slow", "the box must be red")}


# What can be known without a cluster ------------------------------------------------------------------------


def test_an_address_at_which_nobody_answers_is_one_sentence(folder: Path):
    if not _has_ray():
        pytest.skip("Ray is not installed")
    done = toys(folder, "sweep", "w.json", "--vary", "box.value=1|2", "--on", "ray://127.0.0.1:9", "--json")
    assert done.returncode == 2
    assert (
        "nobody answers at ray://127.0.0.1:9: Connection refused" in json.loads(done.stdout)["problems"][0]["message"]
    )


def test_without_ray_it_is_said_how_it_is_installed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    done = toys(folder, "sweep", "w.json", "--vary", "box.value=1|2", "--on", "ray", "--json")
    assert done.returncode == 2
    assert "pip install denoodle[cluster]" in json.loads(done.stdout)["problems"][0]["message"]


def _has_ray() -> bool:
    try:
        import ray  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.chdir(tmp_path)
    return Worker(json.dumps({"package": "tests.toy_nodes", "cache": None, "folder": str(tmp_path)}))


def job(worker: Worker, graph: Graph, **others: Any) -> str:
    told = {"workflow": workflow.dumps(graph), "targets": ["print"], "files": {}, "places": {}}
    return json.dumps(told | {"expects": json.loads(worker.hello())["environment"]} | others)


def test_a_worker_gives_back_the_bytes_of_what_was_saved_and_keeps_none(worker: Worker):
    about, data = worker.compute(job(worker, graph_of(1)))
    told = json.loads(about)
    assert told["saved"] == {"print": ["print_00001.png"]}
    assert (told["run"], told["failures"]) == (3, [])
    assert data[0].startswith(b"\x89PNG")
    assert not Path("output").exists()
    names = [type(event).__name__ for event in worker.news()]
    assert names[:2] == ["Planned", "Started"]
    assert "Saved" in names
    assert worker.news() == []


def test_a_worker_that_computes_otherwise_refuses(worker: Worker):
    about, data = worker.compute(job(worker, graph_of(1), expects="toy on another card"))
    assert "computes otherwise" in json.loads(about)["refused"]
    assert data == []


def test_a_file_that_a_worker_lacks_is_sent_whole_and_used_in_its_place(worker: Worker, tmp_path: Path):
    graph = graph_of(1, settings=Node("toy.settings", {"path": "elsewhere/words.txt"}))
    about, _ = worker.compute(job(worker, graph, files={"elsewhere/words.txt": 10}))
    assert json.loads(about) == {"lacking": ["elsewhere/words.txt"]}
    here = tmp_path / "words.txt"
    here.write_bytes(b"0123456789")
    assert worker.receive(digest_of(here), "words.txt", b"01234", False) == ""
    place = worker.receive(digest_of(here), "words.txt", b"56789", True)
    assert Path(place).read_bytes() == b"0123456789"
    assert module._elsewhere(graph, {"elsewhere/words.txt": place}).nodes["settings"].params["path"] == place
    with pytest.raises(ValueError, match="did not arrive as it was sent"):
        worker.receive("0" * 64, "words.txt", b"other", True)


def test_a_file_of_another_size_is_another_file(worker: Worker, tmp_path: Path):
    (tmp_path / "words.txt").write_bytes(b"0123")
    files = {"words.txt": 10}
    assert json.loads(worker.compute(job(worker, graph_of(1), files=files))[0]) == {"lacking": ["words.txt"]}
    assert "lacking" not in json.loads(worker.compute(job(worker, graph_of(1), files={"words.txt": 4}))[0])

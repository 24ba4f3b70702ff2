"""Sweeps on a Ray cluster on this machine, with real processes of which some are killed."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from denoodle.cluster import cluster as cluster_module
from denoodle.cluster import worker as module
from denoodle.cluster.cluster import checked, joined
from denoodle.cluster.driver import Driver
from denoodle.cluster.files import Wanted, tree_at, wanted_at
from denoodle.cluster.worker import Worker
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, connect
from nodegraph.library.library import Library
from nodegraph.library.store import library_folder
from nodegraph.running.engine import cache_folder
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.ledger import opened
from nodegraph.sweeping.sweep import Sweep
from tests.denoodle.test_cli import ROOT, TOYS, toys
from tests.examples import each

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
    assert taken < 2
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


@pytest.mark.cluster
def test_a_file_and_a_folder_that_workers_lack_are_sent_once_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Workers look from another folder, as on another machine."""
    (tmp_path / "here" / "pipe" / "unet").mkdir(parents=True)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DENOODLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    Path("words.txt").write_bytes(b"0" * 20)
    Path("pipe/model_index.json").write_bytes(b"{}")
    Path("pipe/unet/w.bin").write_bytes(b"1" * 80)
    graph = graph_of(1, file=Node("toy.weigh", {"path": "words.txt"}), pipe=Node("toy.weigh", {"path": "pipe"}),
                     both=Node("toy.add"), all=Node("toy.add"))  # fmt: skip
    for src, dst in [("file", ("both", "a")), ("pipe", ("both", "b")), ("both", ("all", "a")), ("slow", ("all", "b"))]:
        graph = connect(graph, Port(src, "box"), Port(*dst))
    graph = connect(graph, Port("all", "box"), Port("step", "box"))
    varied = Sweep((Axis(Port("box", "value"), tuple(map(float, range(6)))),))
    toys, said = discover("tests.toy_nodes"), list[str]()
    settings = {"package": "tests.toy_nodes", "cache": None, "folder": str(tmp_path / "there")}
    with joined("ray", 2, None, settings) as (cluster, _), opened(tmp_path / "out") as ledger:
        driver = Driver(cluster, toys, toys, said.append)
        came = list(driver.came(graph, ("print",), varied, varied.cells(), ledger, driver.hire(2)))
    assert [one.failures for one in came] == [()] * 6
    assert levels([one.images[0] for one in sorted(came)], tmp_path) == [103 + value for value in range(6)]
    assert sorted(text.split(" to ")[0] for text in said) == ["sending pipe", "sending words.txt"]


@pytest.mark.cluster
def test_two_workers_may_share_a_gpu_and_more_than_there_is_room_for_is_refused(tmp_path: Path):
    """Ray is told that there is a GPU, which nobody uses."""
    settings = {"package": "tests.toy_nodes", "cache": None, "folder": ""}
    import ray

    real = ray.init
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "init", lambda **options: real(num_gpus=1, **options))
        with joined("ray", None, 0.5, settings) as (cluster, count):
            assert count == 2
            driver = Driver(cluster, {}, {}, print)
            assert len(driver.hire(count)) == 2
            with pytest.raises(ValueError, match=r"3 workers with 0\.5 GPUs each need 1\.5 GPUs; the cluster has 1"):
                checked(3, 0.5, ray.cluster_resources())


# What can be known without a cluster ------------------------------------------------------------------------


def test_an_address_at_which_nobody_answers_is_one_sentence(folder: Path):
    if not _has_ray():
        pytest.skip("Ray is not installed")
    done = toys(folder, "sweep", "w.json", "--vary", "box.value=1|2", "--on", "ray://127.0.0.1:9", "--json")
    assert done.returncode == 2
    assert (
        "nobody answers at ray://127.0.0.1:9: Connection refused" in json.loads(done.stdout)["problems"][0]["message"]
    )


@pytest.mark.parametrize(("address", "mode"), [("ray://far:10001", "token"), ("ray", None)])
def test_a_cluster_that_asks_for_a_token_is_shown_the_one_that_ray_keeps(
    address: str, mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ray does not by itself where it goes through a client port, and then waits half a minute for nothing."""
    monkeypatch.setenv("RAY_AUTH_MODE", "")
    monkeypatch.delenv("RAY_AUTH_MODE")
    monkeypatch.setattr(cluster_module, "TOKEN", tmp_path / "auth_token")
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "auth_token").touch()
    with pytest.raises(ValueError, match="needs Ray"), joined(address, None, None, {}):
        pass
    assert os.environ.get("RAY_AUTH_MODE") == mode


@each(
    ("workers", "share", "there", "found"),
    [
        (None, None, {"CPU": 8.0}, (1, 0.0, 1.0)),
        (None, None, {"CPU": 8.0, "GPU": 4.0}, (4, 1.0, 1.0)),
        (None, 0.25, {"CPU": 8.0, "GPU": 2.0}, (8, 0.25, 1.0)),
        (16, 0.0, {"CPU": 8.0, "GPU": 2.0}, (16, 0.0, 0.5)),
        (None, 2.0, {"CPU": 8.0, "GPU": 4.0}, (2, 2.0, 1.0)),
    ],
)
def test_there_are_as_many_workers_as_gpus_have_room_for(workers, share, there, found):
    assert checked(workers, share, there) == found


@each(
    ("workers", "share", "said"),
    [
        (None, -0.5, "--worker-gpus must be a share such as 0.5, or 0, 1, 2, ..., got -0.5"),
        (None, 1.5, "--worker-gpus must be a share such as 0.5, or 0, 1, 2, ..., got 1.5"),
        (None, float("nan"), "--worker-gpus must be"),
        (3, None, "3 workers with 1 GPU each need 3 GPUs; the cluster has 2"),
        (5, 0.5, "5 workers with 0.5 GPUs each need 2.5 GPUs; the cluster has 2"),
        (None, 4.0, "1 worker with 4 GPUs each needs 4 GPUs; the cluster has 2"),
    ],
)
def test_what_no_cluster_has_room_for_is_one_sentence_in_place_of_a_long_wait(workers, share, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        checked(workers, share, {"CPU": 8.0, "GPU": 2.0})


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
    monkeypatch.setenv("DENOODLE_CACHE", str(tmp_path / "cache"))
    return Worker(json.dumps({"package": "tests.toy_nodes", "cache": None, "folder": str(tmp_path)}))


def job(worker: Worker, graph: Graph, **others: Any) -> str:
    told = {"cell": [0], "workflow": workflow.dumps(graph), "targets": ["print"], "files": {}, "places": {}}
    return json.dumps(told | {"expects": json.loads(worker.hello())["environment"]} | others)


def test_a_worker_gives_back_the_bytes_of_what_was_saved_and_keeps_none(worker: Worker):
    about, data = worker.compute(job(worker, graph_of(1)))
    told = json.loads(about)
    assert told["saved"] == {"print": ["print_00001.png"]}
    assert (told["run"], told["failures"]) == (3, [])
    assert data[0].startswith(b"\x89PNG")
    assert not Path("output").exists()
    events = [json.loads(text) for text in told["news"]]
    assert [event["event"] for event in events][:2] == ["Planned", "Started"]
    assert [event["event"] for event in events][-3:] == ["Saved", "Finished", "Idle"]
    assert {tuple(event["cell"]) for event in events} == {(0,)}
    assert worker.news() == []


def test_a_worker_that_computes_otherwise_refuses(worker: Worker):
    about, data = worker.compute(job(worker, graph_of(1), expects="toy on another card"))
    assert "computes otherwise" in json.loads(about)["refused"]
    assert data == []


def test_what_goes_wrong_beside_the_nodes_is_told_and_the_worker_goes_on(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(worker._engine, "plan", lambda graph, targets: os.stat("/no/such/file"))
        (failure,) = json.loads(worker.compute(job(worker, graph_of(1)))[0])["failures"]
    assert failure[1] == "No such file or directory: /no/such/file"
    assert json.loads(worker.compute(job(worker, graph_of(1)))[0])["failures"] == []


def test_a_worker_that_is_told_to_stop_gives_up_what_it_computes(worker: Worker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", 1e6)
    threading.Timer(0.1, worker.stop).start()
    told = json.loads(worker.compute(job(worker, graph_of(100_000)))[0])
    assert (told["stopped"], told["run"], told["failures"]) == (True, 1, [])


# Files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder as a pipeline's is."""
    folder = tmp_path / "here" / "pipe"
    for name, data in {
        "model_index.json": b"{}",
        "unet/config.json": b"{}",
        "unet/w.bin": b"0123456789" * 9000,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / ".cache").mkdir()
    (folder / ".cache" / "lock").touch()
    return folder


def sent(worker: Worker, wanted: Wanted, source: Path, piece: int = 40_000) -> str:
    told = json.dumps(wanted._asdict())
    for name in wanted.tree:
        data = (source / name if name else source).read_bytes()
        pieces = [data[at : at + piece] for at in range(0, len(data), piece)] or [b""]
        for number, part in enumerate(pieces, 1):
            worker.receive(told, name, part, number == len(pieces))
    return worker.keep(told)


def named(graph: Graph, path: Path | str) -> Graph:
    return Graph({**graph.nodes, "settings": Node("toy.settings", {"path": str(path)})}, graph.links)


@pytest.mark.parametrize("name", ["", "unet/w.bin"])
def test_what_a_worker_lacks_is_sent_whole_and_used_in_its_place(worker: Worker, weights: Path, name: str):
    """A folder, or one file."""
    source = weights / name if name else weights
    files = {"elsewhere/it": tree_at(str(source))}
    graph = named(graph_of(1), "elsewhere/it")
    assert json.loads(worker.compute(job(worker, graph, files=files))[0]) == {"lacking": ["elsewhere/it"]}
    wanted = wanted_at(str(source))
    assert worker.find(json.dumps(wanted._asdict())) == ""
    place = sent(worker, wanted, source)
    assert tree_at(place) == tree_at(str(source))
    assert Path(place).name == source.name
    assert module._elsewhere(graph, {"elsewhere/it": place}).nodes["settings"].params["path"] == place
    told = json.loads(worker.compute(job(worker, graph, files=files, places={"elsewhere/it": place}))[0])
    assert told["failures"] == []
    other = Worker(json.dumps({"package": "tests.toy_nodes", "cache": None}))  # of the same machine
    assert other.find(json.dumps(wanted._asdict())) == place


@pytest.mark.parametrize("name", ["", "unet/w.bin"])
def test_what_a_worker_has_under_another_name_is_found_by_its_hash(
    worker: Worker, weights: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    shutil.copytree(weights, tmp_path / "models" / "deep" / "mine")
    (tmp_path / "models" / "deep" / "mine" / "unet" / "w.bin").rename(tmp_path / "models" / "aside.bin")
    if not name:
        shutil.copytree(weights, tmp_path / "models" / "deep" / "whole")
    library = Library(library_folder())
    library.set_roots([str(tmp_path / "models")])
    library.close()
    wanted = wanted_at(str(weights / name) if name else str(weights))
    there = tmp_path / "models" / ("aside.bin" if name else "deep/whole")
    assert worker.find(json.dumps(wanted._asdict())) == str(there)
    large = there if name else there / "unet" / "w.bin"
    large.write_bytes(b"9" + large.read_bytes()[1:])
    assert worker.find(json.dumps(wanted._asdict())) == ""


def test_what_did_not_arrive_as_it_was_sent_is_refused(worker: Worker, weights: Path):
    wanted = wanted_at(str(weights))
    (weights / "unet" / "w.bin").write_bytes(b"other")
    with pytest.raises(ValueError, match="pipe did not arrive as it was sent"):
        sent(worker, wanted, weights)


@pytest.mark.parametrize("name", ["../out", "/etc/out", "unet/../../out"])
def test_what_is_sent_stays_in_its_folder(worker: Worker, name: str):
    wanted = {"name": "pipe", "tree": {name: [1, "a"]}, "hashes": {name: "a"}}
    for told in (wanted, wanted | {"name": name, "hashes": {}}):
        with pytest.raises(ValueError, match="no name of a file"):
            worker.receive(json.dumps(told), name, b"x", True)


def test_a_file_of_other_content_is_another_file_though_it_is_as_large(worker: Worker, tmp_path: Path):
    (tmp_path / "words.txt").write_bytes(b"0123")
    files = {"words.txt": tree_at(str(tmp_path / "words.txt"))}
    assert "lacking" not in json.loads(worker.compute(job(worker, graph_of(1), files=files))[0])
    (tmp_path / "words.txt").write_bytes(b"0124")
    assert json.loads(worker.compute(job(worker, graph_of(1), files=files))[0]) == {"lacking": ["words.txt"]}


def test_a_cache_that_a_machine_cannot_have_is_where_it_is_by_default_there(tmp_path: Path):
    (tmp_path / "file").touch()
    made = Worker(json.dumps({"package": "tests.toy_nodes", "cache": str(tmp_path / "file" / "cache")}))
    assert made._engine.cache.disk is not None
    assert str(made._engine.cache.disk.folder) == cache_folder()

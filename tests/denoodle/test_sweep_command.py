"""`denoodle sweep` as a shell script sees it."""

import csv
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from denoodle.sweep_ahead import Ahead, spoken
from nodegraph.formats import png, workflow
from nodegraph.graph import Graph, Node, Port, add_node, connect, set_param
from nodegraph.running.messages import Finished
from nodegraph.sweeping.axes import Axis
from nodegraph.sweeping.sweep import Sweep, with_sweep
from tests.denoodle.test_cli import ROOT, Done, toys
from tests.examples import each

GUIDANCE = "late.amount=10:30:10"
SEEDS = "early.amount=1|2"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))  # what calls took
    graph = Graph(
        {
            "box": Node("toy.box", {"value": 1.0}),
            "early": Node("toy.step"),
            "late": Node("toy.step"),
            "save": Node("toy.save"),
        }
    )
    for src, dst in [("box", "early"), ("early", "late"), ("late", "save")]:
        graph = connect(graph, Port(src, "box"), Port(dst, "box"))
    workflow.save(graph, tmp_path / "w.json")
    return tmp_path


def told(done: Done) -> dict[str, Any]:
    return json.loads(done.stdout.splitlines()[-1])


def test_the_last_line_says_what_came_of_it(folder: Path):
    done = toys(folder, "sweep", "w.json", "--vary", SEEDS, "--vary", GUIDANCE, "--json", "--out", "there")
    said = told(done)
    assert done.returncode == 0
    assert said["cells"] == len(said["images"]) == 6
    assert said["calls"] == {"run": 9, "cached": 9}
    assert (said["failed"], said["grid"]) == ([], None)  # toys have no sheet
    assert said["seconds"] >= 0
    with open(folder / said["csv"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["early.amount"], row["late.amount"]) for row in rows][:4] == [
        ("1.0", "10.0"), ("1.0", "20.0"), ("1.0", "30.0"), ("2.0", "10.0"),
    ]  # fmt: skip
    assert [row["box.value"] for row in rows] == ["1.0"] * 6
    found = [float((folder / row["images"]).read_text().split("\n")[0]) for row in rows]
    assert found == [12.0, 22.0, 32.0, 13.0, 23.0, 33.0]
    assert "6 pictures, 9 results in all: 50% of the 18" in done.stderr


def test_the_same_command_again_computes_nothing_and_more_values_only_what_is_new(folder: Path):
    command = ["sweep", "w.json", "--vary", GUIDANCE, "--json"]
    first, again = told(toys(folder, *command)), told(toys(folder, *command))
    assert again["calls"] == {"run": 0, "cached": first["calls"]["run"] + first["calls"]["cached"]}
    assert again["images"] == first["images"]
    more = told(toys(folder, "sweep", "w.json", "--vary", "late.amount=10:40:10", "--json"))
    assert set(first["images"]) < set(more["images"])
    assert len(more["images"]) == 4


def test_a_workflow_may_bring_its_sweep(folder: Path):
    graph = workflow.load(folder / "w.json")
    workflow.save(with_sweep(graph, Sweep((Axis(Port("box", "value"), (1.0, 5.0)),))), folder / "w.json")
    assert told(toys(folder, "sweep", "w.json", "--json"))["cells"] == 2
    assert told(toys(folder, "sweep", "w.json", "--vary", GUIDANCE, "--json"))["cells"] == 3


def test_zip_and_sample_take_fewer_cells(folder: Path):
    boxes = ["--vary", "box.value=1|2|3"]
    assert told(toys(folder, "sweep", "w.json", *boxes, "--vary", GUIDANCE, "--mode", "zip", "--json"))["cells"] == 3
    assert told(toys(folder, "sweep", "w.json", *boxes, "--vary", GUIDANCE, "--sample", "5", "--json"))["cells"] == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing varies"),
        (["--vary", "late.amount=a:b"], "--vary late.amount=a:b: node 'late': amount: 'a' is no number"),
        (["--vary", "box.value=0..9999", "--vary", "late.amount=0:999"], "10,000,000 pictures; 100,000 is the most"),
        (["--vary", GUIDANCE, "--vary", SEEDS, "--mode", "zip"], "must be as many each"),
        (["--vary", GUIDANCE, "--sample", "0"], "--sample must be at least 1"),
        (["--vary", "load.count=3"], "there is no node 'load'"),
        (["--vary", GUIDANCE, "--set", "late.amount=x"], "amount takes a number"),
        (["--vary", GUIDANCE, "--on", "all", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["--vary", GUIDANCE, "--made", "none.jsonl"], "--made none.jsonl cannot be read: No such file or directory"),
        (["--vary", GUIDANCE, "--made", "w.json"], "--made w.json: line 1 is none that --lines prints"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_nothing_runs(folder: Path, arguments: list[str], said: str):
    done = toys(folder, "sweep", "w.json", *arguments, "--json")
    assert done.returncode == 2
    (problem,) = told(done)["problems"]
    assert said in problem["message"]
    assert done.stderr.count("\n") == 1
    assert not (folder / "output").exists()


def test_a_value_out_of_its_range_is_one_sentence_and_nothing_runs(folder: Path):
    graph = workflow.load(folder / "w.json")
    workflow.save(add_node(graph, "held", Node("toy.slow", {"parts": 2})), folder / "w.json")
    done = toys(folder, "sweep", "w.json", "--vary", "held.parts=1|2|200000", "--json")
    assert done.returncode == 2
    (problem,) = told(done)["problems"]
    assert problem["message"] == (
        "--vary held.parts=1|2|200000: node 'held': parts must be between 1 and 100000, got 200000"
    )
    assert not (folder / "output").exists()


def test_a_cell_that_fails_is_told_and_the_others_are_made(folder: Path):
    graph = workflow.load(folder / "w.json")
    graph = Graph({**graph.nodes, "late": Node("toy.refuse")}, graph.links)
    workflow.save(graph, folder / "w.json")
    done = toys(folder, "sweep", "w.json", "--vary", "box.value=1|2", "--json")
    assert done.returncode == 1
    assert told(done)["failed"] == [
        {"values": {"box.value": value}, "node": "late", "message": "the box must be red"} for value in "12"
    ]
    assert told(done)["images"] == []


# With the starter model -------------------------------------------------------------------------------------


def started(folder: Path, graph: Graph, *arguments: str) -> subprocess.Popen[str]:
    workflow.save(graph, folder / "starter.json")
    places = ("--out", str(folder / "out"), "--cache", str(folder / "cache"), "--json")
    command = [sys.executable, str(ROOT / "main.py"), "sweep", str(folder / "starter.json"), *arguments, *places]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


@pytest.mark.slow
def test_a_sweep_of_the_starter_makes_a_labelled_sheet_that_brings_its_workflow(folder: Path):
    graph = set_param(workflow.load(ROOT / "workflows" / "text_to_image.json"), "scheduler", "steps", 2)
    said = finished(started(folder, graph, "--vary", "denoise.guidance_scale=1:9:4", "--vary", "noise.seed=0..1"))
    with Image.open(said["grid"]) as sheet:
        assert sheet.width > 3 * 128
        assert sheet.height > 2 * 128
    brought = workflow.loads(png.read_text(said["grid"], png.KEYWORD) or "")
    assert brought.extra["sweep"]["axes"][1] == ("noise", "seed", (0, 1))


def guided_from_step_ten() -> Graph:
    """The starter's steps in the open, with another guidance scale from step 10 on."""
    graph = workflow.load(ROOT / "workflows" / "text_to_image_steps.json")
    graph = add_node(graph, "guidance", Node("schedule.change_at", {"at": 10, "before": 4.0}))
    graph = connect(graph, Port("steps", "index"), Port("guidance", "index"))
    return connect(graph, Port("guidance", "value"), Port("step", "guidance_scale"))


@pytest.mark.slow
def test_a_sweep_that_is_killed_twice_comes_to_the_pictures_of_separate_runs_and_computes_nothing_twice(folder: Path):
    """36 cells, of which six at a time share their first ten steps."""
    graph, vary = guided_from_step_ten(), ("--vary", "guidance.after=1:6", "--vary", "noise.seed=0..5")
    chance, computed, killed = random.Random(6), 0, list[int]()
    for _ in range(2):
        process = started(folder, graph, *vary)
        there, more = len(pictures(folder)), chance.randint(4, 12)
        while len(pictures(folder)) < there + more and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed.append(len(pictures(folder)))
    assert 0 < killed[0] < killed[1] < 36
    said = finished(started(folder, graph, *vary))
    assert said["cells"] == len(said["images"]) == len(pictures(folder)) == 36
    computed = said["calls"]["run"]
    assert computed <= (36 - killed[1]) * 25  # none of the cells that were there
    by_cell = {tuple(map(float, row[:2])): row[2] for row in rows(said["csv"])}
    for scale, seed in [(1.0, 0.0), (4.0, 3.0), (6.0, 5.0)]:
        alone = set_param(set_param(graph, "guidance", "after", scale), "noise", "seed", int(seed))
        assert pixels(by_cell[scale, seed]) == pixels(made_alone(folder, alone))


@pytest.mark.slow
def test_cells_that_share_their_first_steps_take_no_more_than_three_fifths_of_the_calls(folder: Path):
    vary = ("--vary", "guidance.after=1:6", "--vary", "noise.seed=0..5")
    said = finished(started(folder, guided_from_step_ten(), *vary))
    calls = said["calls"]
    assert calls["run"] <= 0.6 * (calls["run"] + calls["cached"])  # which 36 separate runs compute


def pictures(folder: Path) -> list[Path]:
    return list((folder / "out").glob("denoodle_*.png"))


def rows(table: str) -> list[list[str]]:
    with open(table, newline="") as file:
        return list(csv.reader(file))[1:]


def made_alone(folder: Path, graph: Graph) -> str:
    """The picture of a run of its own, without the cache of the sweep."""
    workflow.save(graph, folder / "alone.json")
    alone = folder / f"alone_{len(list(folder.glob('alone_*')))}"
    places = ("--out", str(alone), "--cache", str(alone / "cache"))
    command = [sys.executable, str(ROOT / "main.py"), "run", str(folder / "alone.json"), *places]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def pixels(path: str) -> bytes:
    with Image.open(path) as picture:
        return picture.convert("RGB").tobytes()


# What is told before it runs --------------------------------------------------------------------------------


def test_before_it_runs_it_says_how_much_is_made_and_kept_and_about_how_long_the_rest_takes(folder: Path):
    command = ["sweep", "w.json", "--json"]
    first = toys(folder, *command, "--vary", SEEDS)
    assert "about" not in first.stderr  # nothing was measured
    more = toys(folder, *command, "--vary", "early.amount=1|2|3")
    assert more.stderr.startswith(
        "3 pictures; 2 of them are made, 3 results for the others: 100% of the 3 that separate runs compute; "
        "0 (0%) are in the cache; about 1 s\n"
    )
    assert len(more.stdout.splitlines()) == 1  # which --json promises


TIMES = [(0.2, "1 s"), (59, "59 s"), (61, "1 min"), (3600, "60 min"), (9000, "2.5 h")]


@each(("seconds", "said"), TIMES)
def test_a_time_that_is_about_right_is_said_in_few_words(seconds: float, said: str):
    assert spoken(seconds) == said


def test_what_a_run_took_is_said_of_the_next_by_its_latest_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path))
    ahead = Ahead()
    ahead._kinds = {str(number): "kind" for number in range(5)}
    for number, seconds in enumerate((9.0, 1.0, 2.0, 1.5)):  # the first had a model to load
        ahead.take(Finished("node", str(number), (), seconds, False))
    ahead.take(Finished("node", "4", (), 0.0, True))
    ahead.keep()
    assert Ahead()._pace.seconds("kind") == 1.5


def test_cells_that_are_made_elsewhere_are_not_made_again_and_are_in_the_table(folder: Path):
    there = folder / "there.txt"
    there.write_text("7.0")
    gone = {"cell": [1], "images": [str(folder / "gone.txt")]}
    lines = [{"cell": [0], "images": [str(there)]}, {"cell": [2], "event": "Planned", "calls": 1, "cached": 0}, gone]
    (folder / "made.jsonl").write_text("\n".join(map(json.dumps, lines)))
    said = told(toys(folder, "sweep", "w.json", "--vary", GUIDANCE, "--made", "made.jsonl", "--json"))
    assert said["cells"] == 3
    assert (len(said["images"]), said["images"][0]) == (3, str(there))
    with open(folder / said["csv"], newline="") as file:
        assert [row["images"] for row in csv.DictReader(file)] == said["images"]
    assert len(list((folder / "output").glob("*.txt"))) == 2


def test_what_happens_in_a_cell_is_a_line_of_its_own_before_what_came_of_it(folder: Path):
    lines = toys(folder, "sweep", "w.json", "--vary", SEEDS, "--lines", "--json").stdout.splitlines()
    cells = [json.loads(text) for text in lines[:-1]]
    first = [one for one in cells if one["cell"] == [0]]
    assert [one.get("event", "") for one in first][:2] == ["Planned", "Started"]
    saved = next(one for one in first if one.get("event") == "Saved")
    assert first[-1]["images"] == [saved["path"]]
    assert Path(folder / saved["path"]).exists()

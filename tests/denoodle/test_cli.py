"""The command line as a shell script sees it: exit codes, standard output, one sentence for each mistake.

A few commands are processes of their own, for what only a process has: signals, the streams of the shell, the end of
the interpreter. The others are called in this process, in which starting costs nothing.
"""

import contextlib
import io
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from denoodle import headless
from denoodle.__main__ import main
from nodegraph.formats import png, workflow
from nodegraph.graph import Graph, Node, Port, connect
from tests.nodegraph.formats.test_png import PICTURE, chunk
from tests.nodegraph.test_text import NASTY

ROOT = Path(__file__).parents[2]
TOYS = "import sys; from denoodle import headless; sys.exit(headless.main(sys.argv[1:], 'tests.toy_nodes'))"
TIMEOUT = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    graph = Graph(
        {
            "box": Node("toy.box", {"value": 3.0}),
            "set": Node("toy.settings"),
            "sum": Node("toy.add"),
            "save": Node("toy.save"),
        }
    )
    for src, dst in [("box", ("sum", "a")), ("set", ("sum", "b")), ("sum", ("save", "box"))]:
        graph = connect(graph, Port(src, "box"), Port(*dst))
    workflow.save(graph, tmp_path / "w.json")
    return tmp_path


Done = subprocess.CompletedProcess[str]


def called(act: Callable[[], int], folder: Path, encoding: str = "utf-8") -> Done:
    """What a command leaves behind that is called in this process, in a folder."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2))
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = act()
        except SystemExit as end:
            code = int(str(end.code))
    for stream in (out, err):
        stream.seek(0)
    return subprocess.CompletedProcess([], code, out.read(), err.read())


def toys(folder: Path, *args: str, encoding: str = "utf-8") -> Done:
    """The command line with the toy nodes, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENOODLE_CACHE", str(folder / "cache"))
        return called(lambda: headless.main([*args], "tests.toy_nodes"), folder, encoding)


def toys_process(folder: Path, *args: str) -> Done:
    """The same, in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "DENOODLE_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", TOYS, *args]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, errors="replace", timeout=TIMEOUT
    )


def write(folder: Path, text: str | bytes) -> None:
    (folder / "w.json").write_bytes(text if isinstance(text, bytes) else text.encode())


def test_a_run_prints_what_it_wrote(folder: Path):
    done = toys_process(folder, "run", "w.json")
    assert (done.returncode, done.stdout) == (0, f"{Path('output/box.txt')}\n")
    assert (folder / "output" / "box.txt").read_text().startswith("11.0\n")  # 3 + (3 * 0.5 + len("a cat") + 1.0 + 0.5)


def test_json_ends_with_one_object_on_standard_output(folder: Path):
    done = toys(folder, "run", "w.json", "--json", "--out", "there", "--set", "box.value=5")
    result = json.loads(done.stdout)
    assert result["images"] == [str(Path("there/box.txt"))]
    assert result["calls"] == {"run": 3, "cached": 0}
    assert result["problems"] == []
    assert result["peaks"] == {}  # nobody looks after the memory of toys
    assert result["seconds"] >= 0
    assert (folder / "there" / "box.txt").read_text().startswith("13.0\n")


def test_the_saved_workflow_has_the_parameters_that_were_set(folder: Path):
    toys(folder, "run", "w.json", "--set", "box.value=5")
    _, text = (folder / "output" / "box.txt").read_text().split("\n", 1)
    assert workflow.loads(text).nodes["box"].params == {"value": 5.0}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_no_character_costs_the_picture_or_the_exit_code(folder: Path, encoding: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    graph = workflow.load(folder / "w.json")
    notes = {f"note {text}": Node("canvas.note", {"text": text}, title=text) for text in NASTY}
    workflow.save(replace(graph, nodes={**graph.nodes, **notes}), folder / "w.json")
    done = toys_process(folder, "run", "w.json", "--out", "猫 é", "--cache", "猫")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert (folder / "猫 é" / "box.txt").exists()
    assert [toys(folder, *words, encoding=encoding).returncode for words in (["nodes"], ["check", "w.json"])] == [0, 0]


def test_a_log_gets_plain_lines(folder: Path):
    done = toys(folder, "run", "w.json")
    assert "\r" not in done.stderr
    assert "computed" in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["run", "nowhere.json"], 2, "cannot read nowhere.json: No such file or directory"),
        (["check", "nowhere.json"], 2, "cannot read nowhere.json: No such file or directory"),
        (["export", "nowhere.json"], 2, "cannot read nowhere.json: No such file or directory"),
        (["run", "."], 2, "cannot read .: Is a directory"),
        (
            ["run", "w.json", "--set", "bxo.value=1"],
            2,
            "--set bxo.value=1: there is no node 'bxo'; did you mean 'box'?",
        ),
        (["check", "w.json", "--set", "set.count=99"], 2, "node 'set': count must be between 1 and 10, got 99"),
        (["run", "w.json", "--set", "set.kind=x"], 2, "node 'set': kind must be one of linear, cosine; got 'x'"),
        (["run", "w.json", "--set", "box.value=x"], 2, "node 'box': value takes a number, not 'x'"),
        (["run", "w.json", "--device", "cuda"], 2, "device cuda is not there"),
        (
            ["run", "w.json", "--device", "abacus"],
            2,
            "or cuda or xpu with a number, cuda:1; got 'abacus'",
        ),
        (["run", "w.json", "--device", "cuda:x"], 2, "got 'cuda:x'"),
        (["run", "w.json", "--precision", "int4"], 2, "invalid choice: 'int4'"),
        (["run"], 2, "required: FILE"),
        (["fly"], 2, "invalid choice: 'fly'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(folder: Path, args: list[str], code: int, message: str):
    done = toys(folder, *args)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "output").exists()


BOX = '"box": {"type": "toy.box", "params": {"value": 1.0}}'
BAD_FILES = {
    "not JSON": ("hello", 2, "w.json: not JSON: Expecting value, line 1, column 1"),
    "truncated": ('{"version": 1, "nodes": {"a"', 2, "w.json: not JSON: Expecting ':' delimiter"),
    "no text": (b"\xff\xfe", 2, "w.json: not a workflow: it is text in UTF-16; save it as UTF-8"),
    "newer": ('{"version": 99}', 2, "w.json: a workflow of version 99, newer than this program"),
    "not finite": ('{"version": 1, "nodes": {"a": {"type": "x", "params": {"p": NaN}}}}', 2, "node 'a': parameter 'p'"),
    "cycle": (
        '{"version": 1, "nodes": {"a": {"type": "toy.slow"}, "b": {"type": "toy.slow"}, "c": {"type": "toy.show"}},'
        '"links": [[["a", "box"], ["b", "box"]], [["b", "box"], ["a", "box"]], [["b", "box"], ["c", "box"]]]}',
        1,
        "cycle",
    ),
    "missing type": (
        f'{{"version": 1, "nodes": {{{BOX}, "m": {{"type": "acme.mystery"}}, "s": {{"type": "toy.show"}}}},'
        '"links": [[["m", "box"], ["s", "box"]]]}',
        1,
        "node 'm': ",
    ),
    "wrong parameter type": (
        '{"version": 1, "nodes": {"set": {"type": "toy.settings", "params": {"count": "many"}},'
        '"s": {"type": "toy.show"}}, "links": [[["set", "box"], ["s", "box"]]]}',
        1,
        "node 'set': count takes Integer, not 'many'",
    ),
    "wrong parameter range": (
        '{"version": 1, "nodes": {"set": {"type": "toy.settings", "params": {"count": 11}},'
        '"s": {"type": "toy.show"}}, "links": [[["set", "box"], ["s", "box"]]]}',
        1,
        "node 'set': count must be between 1 and 10, got 11",
    ),
    "wrong type on a link": (
        f'{{"version": 1, "nodes": {{{BOX}, "b": {{"type": "toy.slow"}}, "s": {{"type": "toy.show"}}}},'
        '"links": [[["box", "box"], ["b", "parts"]], [["box", "box"], ["b", "box"]], [["b", "box"], ["s", "box"]]]}',
        1,
        "node 'b': parts takes Integer, not Box",
    ),
    "open input": ('{"version": 1, "nodes": {"s": {"type": "toy.show"}}}', 1, "node 's': box"),
    "nothing to run": (f'{{"version": 1, "nodes": {{{BOX}}}}}', 2, "there is nothing to run"),
}


@pytest.mark.parametrize(("text", "code", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_is_named_with_node_and_parameter_and_stays_as_it_is(
    folder: Path, text: str | bytes, code: int, message: str
):
    write(folder, text)
    before = (folder / "w.json").read_bytes()
    done = toys(folder, "run", "w.json", "--json")
    assert done.returncode == code
    assert message in done.stderr
    assert message in json.loads(done.stdout)["problems"][0]["message"] or "node" in message
    assert "Traceback" not in done.stderr
    assert (folder / "w.json").read_bytes() == before


def test_check_finds_problems_without_running(folder: Path):
    write(folder, BAD_FILES["wrong parameter range"][0])
    done = toys(folder, "check", "w.json", "--json")
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem == {"node": "set", "socket": "count", "message": "count must be between 1 and 10, got 11"}


def test_check_says_when_all_is_well(folder: Path):
    done = toys(folder, "check", "w.json")
    assert (done.returncode, done.stderr) == (0, "w.json: no problems\n")


def test_a_failed_node_is_named_and_the_exit_code_is_1(folder: Path):
    graph = Graph({"box": Node("toy.box"), "no": Node("toy.refuse"), "show": Node("toy.show")})
    graph = connect(connect(graph, Port("box", "box"), Port("no", "box")), Port("no", "box"), Port("show", "box"))
    workflow.save(graph, folder / "w.json")
    done = toys(folder, "run", "w.json", "--json")
    assert done.returncode == 1
    assert "w.json: node 'no': the box must be red" in done.stderr
    assert json.loads(done.stdout)["problems"] == [{"node": "no", "socket": None, "message": "the box must be red"}]
    assert "Traceback" not in done.stderr


def test_a_second_run_takes_results_from_disk(folder: Path):
    graph = Graph({"box": Node("toy.box"), "slow": Node("toy.slow", {"parts": 5}), "show": Node("toy.show")})
    graph = connect(connect(graph, Port("box", "box"), Port("slow", "box")), Port("slow", "box"), Port("show", "box"))
    workflow.save(graph, folder / "w.json")
    done = [command(folder, "run", "w.json", "--json") for command in (toys, toys_process)]
    assert [json.loads(run.stdout)["calls"]["run"] for run in done] == [2, 0]


def test_interrupting_keeps_what_is_finished(folder: Path):
    from tests.nodegraph.running.test_engine import loop

    workflow.save(loop(400), folder / "w.json")
    env = os.environ | {"PYTHONPATH": str(ROOT), "DENOODLE_CACHE": str(folder / "cache")}
    command = [sys.executable, "-u", "-c", TOYS, "run", "w.json", "--json"]
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert process.stdout
        assert b"box" in process.stderr.readline()  # it is under way
        process.send_signal(signal.SIGINT)
        result = json.loads(process.stdout.read())
        assert b"interrupted" in process.stderr.read()
    assert process.returncode == 130
    assert 0 < result["calls"]["run"] < 800


def breaking(folder: Path, times: int) -> Graph:
    """Save a box that took a while, and once more behind a node that breaks what all runs on, so often."""
    nodes = {
        "box": Node("toy.box", {"value": 3.0}),
        "slow": Node("toy.slow", {"parts": 5}),
        "first": Node("toy.save", {"filename": "first"}),
        "break": Node("toy.break", {"times": times, "counter": str(folder / "counter")}),
        "second": Node("toy.save", {"filename": "second"}),
    }
    graph = Graph(nodes)
    for src, dst in [("box", "slow"), ("slow", "first"), ("slow", "break"), ("break", "second")]:
        graph = connect(graph, Port(src, "box"), Port(dst, "box"))
    return graph


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a process does not take the place of another")
def test_a_command_whose_device_gave_up_begins_anew_and_goes_on_from_what_it_had(folder: Path):
    workflow.save(breaking(folder, 1), folder / "w.json")
    done = toys_process(folder, "run", "w.json", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["problems"]) == (0, [])
    assert [Path(path).name for path in said["images"]] == ["first.txt", "second.txt"]
    assert said["calls"] == {"run": 1, "cached": 2}  # what took a while is there, so its box is not needed
    assert (
        "The device gave up while it was running 'break' (an illegal memory access). The command begins anew, and goes "
        "on from what it had."
    ) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a process does not take the place of another")
def test_a_device_that_gives_up_at_the_same_node_again_is_reported(folder: Path):
    workflow.save(breaking(folder, 100), folder / "w.json")
    done = toys_process(folder, "run", "w.json", "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert [Path(path).name for path in said["images"]] == ["first.txt"]
    assert [problem["node"] for problem in said["problems"]] == ["break"]
    assert "It did so before in this run, so the run ends here" in said["problems"][0]["message"]
    assert (folder / "counter").read_text() == "xx"


def test_export_prints_the_workflow_inside_a_picture(folder: Path):
    text = (folder / "w.json").read_text()
    (folder / "p.png").write_bytes(png.with_texts(PICTURE, {png.KEYWORD: text}))
    assert toys_process(folder, "export", "p.png").stdout == text
    toys(folder, "export", "p.png", "--out", "again.json")
    assert (folder / "again.json").read_text() == text


def test_a_workflow_is_checked_and_exported_with_the_files_beside_it(tmp_path: Path):
    """Which it names from its own folder, wherever the command is run."""
    folder = tmp_path / "given"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "p.png").write_bytes(PICTURE)
    text = workflow.dumps(Graph({"load": Node("image.load", {"path": "./pictures/p.png"})}))
    (folder / "w.json").write_text(text)
    assert denoodle("check", folder / "w.json").returncode == 0
    assert json.loads(denoodle("export", folder / "w.json").stdout)["nodes"]["load"]["params"] == {
        "path": str(folder / "pictures" / "p.png")
    }
    assert denoodle("export", folder / "w.json", "--out", folder / "again.json").returncode == 0
    assert (folder / "again.json").read_text() == text


def test_a_picture_runs_like_the_workflow_inside(folder: Path):
    (folder / "p.png").write_bytes(png.with_texts(PICTURE, {png.KEYWORD: (folder / "w.json").read_text()}))
    assert toys(folder, "run", "p.png").returncode == 0


def test_a_picture_without_a_workflow_is_refused(folder: Path):
    (folder / "p.png").write_bytes(PICTURE)
    done = toys(folder, "run", "p.png")
    assert done.returncode == 2
    assert done.stderr == "p.png is a picture without a workflow inside (no 'denoodle' text)\n"


def test_nodes_are_listed_with_their_documentation(folder: Path):
    done = toys(folder, "nodes", "--json")
    listed = {entry["id"]: entry for entry in json.loads(done.stdout)}
    assert listed["toy.add"]["doc"] == "The sum of two boxes."
    assert listed["toy.settings"]["inputs"][2] == {
        "name": "count", "type": "Integer", "required": False, "default": 3, "min": 1, "max": 10,
    }  # fmt: skip
    assert "repeat.begin" in listed
    assert "    The sum of two boxes." in toys(folder, "nodes").stdout


SHIPPED = sorted(path.name for path in (ROOT / "workflows").glob("text_to_image*.json"))
CHECKED = (
    "import sys; from denoodle import headless; "
    "codes = [headless.main(['check', f'workflows/{name}']) for name in sys.argv[1:]];"
    "print(*codes, {'torch', 'diffusers', 'PySide6'} & set(sys.modules))"
)


def test_devices_are_listed_by_the_names_that_are_asked_for(folder: Path):
    done = toys(folder, "devices")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "toy:0    A toy card",
        "toy:1    An old toy card: it is too old",
        "cpu      the processor",
    ]


def test_checking_the_shipped_workflows_finds_no_problem_and_loads_no_torch():
    command = [sys.executable, "-c", CHECKED, *SHIPPED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0 " * len(SHIPPED) + "set()\n"


def denoodle(*args: str | Path) -> Done:
    """The program as it ships."""
    return called(lambda: main([*map(str, args)]), ROOT)


def cut_short() -> bytes:
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(10)


BAD_CHECKPOINTS = {
    "pickle.safetensors": (pickle.dumps({"weight": 1}), "is a pickle under another name"),
    "truncated.safetensors": (cut_short(), "is cut short"),
    "missing.safetensors": (None, "there is no file or folder"),
}


@pytest.mark.parametrize("name", BAD_CHECKPOINTS)
def test_a_bad_checkpoint_is_named_before_anything_is_loaded(tmp_path: Path, name: str):
    data, message = BAD_CHECKPOINTS[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    assignment = f"checkpoint.path={tmp_path / name}"
    done = denoodle("check", "workflows/text_to_image.json", "--set", assignment)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("workflows/text_to_image.json: node 'checkpoint': ")
    assert str(tmp_path / name) in line
    assert message in line
    assert "Traceback" not in done.stderr


def test_an_image_bomb_is_refused_unopened(tmp_path: Path):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(png.SIGNATURE + body)
    picture = Node("image.load", {"path": str(tmp_path / "bomb.png")})
    graph = connect(
        Graph({"picture": picture, "show": Node("output.preview")}), Port("picture", "image"), Port("show", "image")
    )
    workflow.save(graph, tmp_path / "w.json")
    done = denoodle("run", tmp_path / "w.json", "--cache", tmp_path / "cache", "--device", "cpu")
    assert done.returncode == 1
    assert f"node 'picture': {tmp_path / 'bomb.png'} has more than" in done.stderr
    assert "Traceback" not in done.stderr

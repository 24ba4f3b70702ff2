"""The command line refuses in few words, and before anything is computed."""

from pathlib import Path

import pytest

from denoodle import headless
from nodegraph.formats import workflow
from nodegraph.graph import Graph, Node, Port, connect
from nodegraph.text import MAX_QUOTED

LONG = "x" * 20_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    graph = Graph({"box": Node("toy.box"), "save": Node("toy.save")})
    workflow.save(connect(graph, Port("box", "box"), Port("save", "box")), tmp_path / "w.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    try:
        code = headless.main([*args], "tests.toy_nodes")
    except SystemExit as exit:
        code = int(str(exit.code))
    return code, capsys.readouterr().err


def no_folder(folder: Path) -> str:
    (folder / "file").write_text("")
    return "file"


def inside_a_file(folder: Path) -> str:
    (folder / "file").write_text("")
    return "file/out"


def dangling(folder: Path) -> str:
    (folder / "link").symlink_to(folder / "nowhere")
    return "link"


def circle(folder: Path) -> str:
    (folder / "link").symlink_to(folder / "link")
    return "link/out"


def too_long(folder: Path) -> str:
    return "x" * 5000


def of_the_system(folder: Path) -> str:
    return "/proc/out"


WAYS = [no_folder, inside_a_file, dangling, circle, too_long, of_the_system]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_output_folder_that_cannot_be_written_is_found_before_computing(folder: Path, capsys, monkeypatch, way):
    monkeypatch.setattr(headless, "_execute", None)
    code, said = told(capsys, "run", "w.json", "--out", way(folder), "--cache", str(folder / "cache"))
    assert code == headless.UNUSABLE
    assert said.startswith("--out ")
    assert "cannot be written" in said
    assert len(said.splitlines()) == 1
    assert len(said) < 2 * MAX_QUOTED + len(str(folder))


def test_an_output_folder_is_not_made_before_there_are_pictures(folder: Path):
    headless.check_writable("a/b")
    assert not (folder / "a").exists()
    assert [path.name for path in folder.iterdir()] == ["w.json"]


@pytest.mark.parametrize(
    "args",
    [
        [LONG],
        ["run", "w.json", "--device", LONG],
        ["check", "w.json", "--set", LONG],
        ["check", "w.json", "--set", f"{LONG}.value=1"],
        ["check", "w.json", "--set", f"box.{LONG}=1"],
        ["check", "w.json", "--set", f"box.value={LONG}"],
        ["check", "w.json", "--set", "box.value=" + "9" * 5000 + "e"],
        ["check", "w.json", "--set", "save.box=" + "9" * 5000],
        ["check", LONG],
        ["check", "w.json", f"--{LONG}"],
    ],
    ids=range(10),
)
def test_a_refusal_quotes_little_of_what_was_typed(folder: Path, capsys, args: list[str]):
    code, said = told(capsys, *args)
    assert code == headless.UNUSABLE
    assert len(said.splitlines()[-1]) < 3 * MAX_QUOTED
    assert "set_int_max_str_digits" not in said

"""The folder of a sweep: nothing is lost in it, nothing is there twice, whenever a process is killed."""

import json
import os
from pathlib import Path

import pytest

from nodegraph.sweeping import ledger as module
from nodegraph.sweeping.ledger import BESIDE, LEDGER, Ledger, opened


def written(ledger: Ledger, name: str, text: str = "") -> str:
    path = ledger.beside() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or name)
    return str(path)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_files_are_numbered_on_and_found_again_by_another_process(tmp_path: Path):
    with opened(tmp_path) as ledger:
        for key in "ab":
            ledger.keep({key: [written(ledger, "cat_00001.png", key)]})
        assert ledger.files("a") == (tmp_path / "cat_00001.png",)
    with opened(tmp_path) as ledger:
        assert ledger.files("b") == (tmp_path / "cat_00002.png",)
        assert ledger.files("c") is None
        ledger.keep({"c": [written(ledger, "inner/cat_00001.png")], "nothing": []})
        assert ledger.files("nothing") == ()
    assert names(tmp_path) == ["cat_00001.png", "cat_00002.png", "inner/cat_00001.png", LEDGER]


def test_no_file_of_somebody_else_is_overwritten(tmp_path: Path):
    (tmp_path / "cat_00001.png").write_text("mine")
    with opened(tmp_path) as ledger:
        ledger.keep({"a": [written(ledger, "cat_00001.png")]})
        assert ledger.files("a") == (tmp_path / "cat_00002.png",)
    assert (tmp_path / "cat_00001.png").read_text() == "mine"


def test_a_name_that_is_taken_at_the_last_moment_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    move = module.move_new

    def taken_once(path: Path, to: Path) -> bool:
        if not (tmp_path / "cat_00001.png").exists():
            (tmp_path / "cat_00001.png").write_text("faster")
        return move(path, to)

    monkeypatch.setattr(module, "move_new", taken_once)
    with opened(tmp_path) as ledger:
        ledger.keep({"a": [written(ledger, "cat_00001.png", "slower")]})
        (path,) = ledger.files("a") or ()
    assert path.read_text() == "slower"
    with opened(tmp_path) as ledger:
        assert ledger.files("a") == (path,)


def test_a_picture_that_was_deleted_is_made_again(tmp_path: Path):
    with opened(tmp_path) as ledger:
        ledger.keep({"a": [written(ledger, "cat_00001.png")]})
        (tmp_path / "cat_00001.png").unlink()
        assert ledger.files("a") is None


@pytest.mark.parametrize("at", ["before the ledger", "after the ledger", "after the move"])
def test_a_process_that_is_killed_while_it_keeps_leaves_no_picture_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
):
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    move = module.move_new
    if at == "before the ledger":
        monkeypatch.setattr(Ledger, "_note", killed)
    elif at == "after the ledger":
        monkeypatch.setattr(module, "move_new", killed)
    else:
        monkeypatch.setattr(module, "move_new", lambda path, to: (move(path, to), killed()))
    with pytest.raises(Killed), opened(tmp_path) as ledger:
        ledger.keep({"a": [written(ledger, "cat_00001.png")]})
    monkeypatch.undo()
    with opened(tmp_path) as ledger:
        assert (ledger.files("a") is not None) == (at == "after the move")
        if ledger.files("a") is None:
            ledger.keep({"a": [written(ledger, "cat_00001.png")]})
    assert names(tmp_path) == ["cat_00001.png", LEDGER]


def test_a_line_that_was_cut_off_or_is_none_of_ours_costs_only_itself(tmp_path: Path):
    with opened(tmp_path) as ledger:
        ledger.keep({"a": [written(ledger, "cat_00001.png")]})
    with open(tmp_path / LEDGER, "a") as file:
        for entry in ({"key": "up", "files": ["../up.png"]}, {"key": 7}, [], {"key": "abs", "files": ["/etc/passwd"]}):
            file.write(json.dumps(entry) + "\n")
        file.write('{"key": "cut", "fi')
    with opened(tmp_path) as ledger:
        assert ledger.files("a") == (tmp_path / "cat_00001.png",)
        assert [ledger.files(key) for key in ("up", "abs", "cut")] == [None, None, None]
        ledger.keep({"b": [written(ledger, "cat_00001.png")]})  # after a line without an end
    with opened(tmp_path) as ledger:
        assert ledger.files("b") == (tmp_path / "cat_00002.png",)


def test_one_process_at_a_time_writes_into_a_folder(tmp_path: Path):
    with opened(tmp_path), pytest.raises(ValueError, match="another sweep is writing into"), opened(tmp_path):
        pass
    with opened(tmp_path) as ledger:
        assert ledger.beside() == tmp_path / BESIDE
    assert names(tmp_path) == []


def test_what_the_caller_raises_is_not_taken_for_a_folder_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(OSError, match="mine"), opened(tmp_path):
        raise OSError("mine")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="everything can be written by root")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match=str(tmp_path)), opened(tmp_path / "inner"):
        pass


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ValueError, match="out cannot be written"), opened(tmp_path / "out"):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_the_ledger_is_a_sentence_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / LEDGER)
    with pytest.raises(ValueError, match=r"sweep\.jsonl is not a file"), opened(tmp_path):
        pass

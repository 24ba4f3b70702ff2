"""Where the program keeps what it uses again."""

import sys
from pathlib import Path

import pytest

from nodegraph import program
from nodegraph.program import data_folder

HOME = Path.home()
PLACES = [
    ("linux", {}, HOME / ".local" / "share" / "denoodle"),
    ("linux", {"XDG_DATA_HOME": "/somewhere"}, Path("/somewhere/denoodle")),
    ("darwin", {}, HOME / "Library" / "Application Support" / "denoodle"),
    ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/denoodle/data")),
    ("linux", {"DENOODLE_DATA": "/mine"}, Path("/mine")),
]


@pytest.mark.parametrize(("platform", "said", "place"), PLACES)
def test_the_data_folder_is_the_platforms_unless_another_is_said(
    monkeypatch: pytest.MonkeyPatch, platform: str, said: dict[str, str], place: Path
):
    for name in ("DENOODLE_DATA", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert data_folder() == place


@pytest.mark.parametrize("name", ["DENOODLE_OFFLINE", "HF_HUB_OFFLINE"])
def test_the_machine_can_forbid_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str):
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for value, forbidden in (("1", True), ("TRUE", True), ("0", False), ("", False)):
        monkeypatch.setenv(name, value)
        assert bool(program.offline()) == forbidden


def test_a_person_can_forbid_the_network_to_all_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    program.allow_network(False)
    program.allow_network(False)
    assert "switched off in the settings" in program.offline()
    program.allow_network(True)
    program.allow_network(True)
    assert program.offline() == ""

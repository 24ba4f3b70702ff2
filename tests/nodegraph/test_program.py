"""Where the program keeps what it uses again."""

import sys
from pathlib import Path

import pytest

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

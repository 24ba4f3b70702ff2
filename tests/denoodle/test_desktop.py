"""`denoodle install-desktop` puts the program into the desktop's menu, and takes nothing of others away."""

import configparser
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from denoodle import desktop
from denoodle.__main__ import main

ENTRY = "applications/denoodle.desktop"
NASTY = '/opt/a "b" $HOME `x` 100% back\\slash/denoodle'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


def entry(folder: Path) -> configparser.SectionProxy:
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment]
    read.read(folder / ENTRY, "utf-8")
    return read["Desktop Entry"]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_menu_entry_type_and_icon_are_put_in_place(home: Path):
    assert main(["install-desktop"]) == 0
    assert entry(home)["Name"] == "Denoodle"
    assert entry(home)["MimeType"] == f"{desktop.MIME};"
    icon = xml.parse(home / "icons/hicolor/scalable/apps" / f"{entry(home)['Icon']}.svg").getroot()
    assert icon.tag.endswith("svg")
    kind = xml.parse(home / "mime/packages/denoodle.xml").getroot()[0]
    assert kind.get("type") == desktop.MIME
    assert kind.find("{*}glob").get("pattern") == "*.denoodle"  # type: ignore[union-attr]


def test_the_entry_starts_this_program_whatever_its_path_looks_like(home: Path):
    desktop.install(home, (NASTY, "main.py"))
    # A value has its backslashes doubled; then the command is quoted as for a shell; %% is a per cent sign.
    value = entry(home)["Exec"].replace("\\\\", "\\")
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {value}"], check=True, capture_output=True, text=True).stdout
    assert [word.replace("%%", "%") for word in words.splitlines()] == [NASTY, "main.py", "%f"]


def test_what_starts_in_the_menu_can_be_started():
    command = desktop.command_line()
    assert shutil.which(command[0])


def test_removing_takes_away_what_was_installed_and_nothing_else(home: Path, capsys: pytest.CaptureFixture[str]):
    other = home / "applications" / "other.desktop"
    other.parent.mkdir()
    other.write_text("[Desktop Entry]\n")
    assert main(["install-desktop"]) == 0
    installed = {line for line in capsys.readouterr().out.splitlines() if line}
    assert {str(home / name) for name in files(home)} > installed
    assert main(["remove-desktop"]) == 0
    assert other.exists()
    assert not any(Path(name).exists() for name in installed)


def test_a_folder_that_cannot_be_written_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]):
    (home / "applications").write_text("no folder")
    assert main(["install-desktop"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(not shutil.which("update-mime-database"), reason="shared-mime-info is not installed")
def test_the_desktop_knows_the_type_of_a_denoodle_file(home: Path):
    desktop.install(home, ("denoodle",))
    globs = (home / "mime" / "globs2").read_text()
    assert f":{desktop.MIME}:*.denoodle" in globs
    subprocess.run(["update-mime-database", str(home / "mime")], check=True, capture_output=True)

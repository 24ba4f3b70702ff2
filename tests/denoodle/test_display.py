"""Where no display answers, the program says so in a sentence, and no library ends it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from denoodle import display

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
NOBODY = ":54321"  # servers are numbered from 0 or 99 on
posix = pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="other systems have one display")


@posix
@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({"DISPLAY": NOBODY}, f"no display answers at DISPLAY={NOBODY}"),
        ({}, "there is no display: DISPLAY is not set"),
    ],
)
def test_the_program_ends_with_a_sentence(tmp_path: Path, where: dict[str, str], sentence: str):
    surroundings = {name: value for name, value in os.environ.items() if name not in DISPLAYS} | where
    command = [sys.executable, "-c", "import sys; from denoodle.__main__ import main; sys.exit(main([]))"]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == f"Denoodle cannot open a window: {sentence}; `denoodle run FILE` makes pictures without one\n"


@posix
def test_a_display_that_answers_is_taken(tmp_path: Path):
    place = tmp_path / "wayland-7"
    where = {"WAYLAND_DISPLAY": "wayland-7", "XDG_RUNTIME_DIR": str(tmp_path), "DISPLAY": NOBODY}
    assert display.complaint(where) == (
        f"no display answers at WAYLAND_DISPLAY=wayland-7 or DISPLAY={NOBODY}; "
        "`denoodle run FILE` makes pictures without one"
    )
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(place))
        there.listen()
        assert display.complaint(where) is None


@posix
@pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs Xvfb")
def test_an_x_server_that_answers_is_taken():
    with subprocess.Popen(["Xvfb", "-displayfd", "1"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            where = {"DISPLAY": f":{int(server.stdout.readline())}"}
            assert display.complaint(where) is None
        finally:
            server.terminate()
    assert display.complaint(where)


def test_where_the_platform_is_chosen_by_hand_it_is_for_qt_to_say():
    assert display.complaint({"QT_QPA_PLATFORM": "offscreen"}) is None

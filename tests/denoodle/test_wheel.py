"""Installed from its wheel, outside the checkout, the program makes its first picture and opens its window."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PACKAGES = Path(sys.prefix, "lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
TIMEOUT = 240

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="looks for commands in bin")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True, timeout=TIMEOUT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the commands of a new environment: the wheel, and the libraries of this one."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=True)
    own = next(home.glob("lib/*/site-packages"))
    subprocess.run([home / "bin" / "pip", "install", "-q", "--no-deps", str(wheel)], check=True, timeout=TIMEOUT)
    (own / "libraries.pth").write_text(f"{PACKAGES}\n")
    return home / "bin"


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a process that keeps everything in this folder."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    own = {"HOME": folder, "DENOODLE_CACHE": folder / "cache", "DENOODLE_STATE": folder / "state"}
    return clean | {name: str(path) for name, path in own.items()} | more


def run(installed: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [installed / "denoodle", *args]
    return subprocess.run(
        command, cwd=folder, env=surroundings(folder), text=True, capture_output=True, timeout=TIMEOUT
    )


def test_the_wheel_holds_the_program_and_nothing_of_its_workshop(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"denoodle", "nodegraph", "nodes", "ui"}
    assert "denoodle/share/workflows/text_to_image.json" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_program_is_not_the_checkout(installed: Path, tmp_path: Path):
    code = "import nodegraph.program as p; print(p.FOLDER, p.INSTALLED)"
    said = subprocess.run(
        [installed / "python", "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.split()
    assert said[1] == "True"
    assert ROOT not in Path(said[0]).parents


def test_its_version_is_that_of_the_wheel(installed: Path, wheel: Path, tmp_path: Path):
    assert run(installed, tmp_path, "--version").stdout.split() == ["Denoodle", wheel.name.split("-")[1]]


def test_it_makes_the_picture_of_a_shipped_workflow(installed: Path, tmp_path: Path):
    done = run(installed, tmp_path, "run", "workflows/text_to_image.json", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    picture = Image.open(tmp_path / done.stdout.split()[-1])
    assert picture.size == (128, 128)
    assert len(picture.convert("L").getcolors(256) or ()) > 32


@pytest.mark.skipif(not shutil.which("Xvfb"), reason="there is no display to open a window on")
def test_it_opens_its_window(installed: Path, tmp_path: Path):
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1400x900x24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            shows_its_window(installed, tmp_path, f":{int(server.stdout.readline())}")
        finally:
            server.terminate()


def shows_its_window(installed: Path, folder: Path, display: str) -> None:
    environment = surroundings(folder, DISPLAY=display, QT_QPA_PLATFORM="xcb")
    window = subprocess.Popen([installed / "denoodle"], cwd=folder, env=environment)
    try:
        find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "Denoodle"]
        subprocess.run(find, env=environment, check=True, timeout=60, capture_output=True)
        assert window.poll() is None
    finally:
        window.terminate()
        window.wait(20)

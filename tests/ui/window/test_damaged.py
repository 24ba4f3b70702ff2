"""Whatever lies in the folders of the program, the window starts, and says at its foot what it could not read."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from nodegraph.graph import Graph
from nodegraph.registry import Registry
from nodegraph.running.engine import Settings as EngineSettings
from tests.examples import some_slow
from tests.ui.lived_in import kept, live_in, spoil
from ui.base import theme
from ui.base.settings import Preferences, Settings
from ui.documents.session import Session
from ui.window.main_window import MainWindow


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    folder = tmp_path_factory.mktemp("left")
    live_in(folder, registry)
    return folder


@pytest.fixture
def folder(left: Path, tmp_path: Path) -> Path:
    shutil.copytree(left, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def start(qtbot, registry: Registry, qapp: QApplication):
    """Start a window on a folder, as the program does."""

    def made(folder: Path) -> MainWindow:
        settings = Settings(folder / "config" / "settings.json")
        session = Session(registry, folder / "state")
        window = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None), settings, session)
        qtbot.addWidget(window, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
        window.restore()
        window.show()
        for panel in ("Gallery", "Queue", "History"):
            window.docks.show(panel)
            qapp.processEvents()
        return window

    yield made
    theme.apply(qapp, theme.DARK)


def foot(window: MainWindow) -> str:
    return window.status_bar.text.toolTip()


def logged(window: MainWindow) -> str:
    return "\n".join(entry.text for entry in window.log.entries)


def test_what_is_whole_comes_back_and_nothing_is_complained_about(start, folder: Path):
    window = start(folder)
    assert len(window.tabs.workspaces) == 2
    assert window.settings.now.theme == "Light"
    assert [job.title for job in window.queue.jobs] == ["waits"]
    assert len(window.gallery.pictures) == len(window.session.recent) == 1
    assert logged(window) == ""


def folder_instead(file: Path) -> None:
    file.unlink()
    (file / "inside").mkdir(parents=True)


def pipe_instead(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def unreadable(file: Path) -> None:
    """Opens, and fails to read, whoever reads it."""
    file.unlink()
    file.symlink_to("/proc/self/mem")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty objects": lambda file: file.write_text("{}\n"),
    "half": lambda file: file.write_bytes(file.read_bytes()[: max(file.stat().st_size // 3, 10)] + b"\n\n"),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "nested": lambda file: file.write_bytes(b"[" * 100_000 + b"\n"),
    "no UTF-8": lambda file: file.write_bytes(file.read_bytes().replace(b'"', b"\xff") + b"\n"),
    "half a pair": lambda file: file.write_bytes(b'["\\ud800"]\n'),
    "a long number": lambda file: file.write_bytes(b'{"text_scale": %s}\n' % (b"9" * 5000)),
    "a list": lambda file: file.write_bytes(b"[[[1]]]\n"),
    "folder": folder_instead,
    "pipe": pipe_instead,
    "link to itself": link_to_itself,
    "unreadable": unreadable,
}


@pytest.mark.parametrize("how", some_slow(DAMAGE, DAMAGE.keys() - {"zeros", "a list", "link to itself"}))
def test_the_window_starts_whatever_was_damaged_and_names_it(start, folder: Path, how: str):
    files = kept(folder)
    for file in files:
        DAMAGE[how](file.file)
    if how == "empty objects":  # settings that say nothing are whole
        files = files[1:]
    window = start(folder)
    for file in files:
        assert file.file.name in foot(window)
        assert file.file.name in logged(window)
        assert os.path.lexists(file.file.with_name(file.aside))
    assert window.settings.now == Preferences()
    assert window.workspace.pristine


@pytest.mark.parametrize("seed", some_slow(range(6), (0,)))
def test_the_window_starts_whatever_the_files_say(start, folder: Path, seed: int):
    draw = random.Random(seed)
    for file in kept(folder):
        for _ in range(draw.choice((1, 1, 2, 5))):
            spoil(file.file, draw)
    window = start(folder)
    for workspace in window.tabs.workspaces:
        window.tabs.setCurrentWidget(workspace.page)
        workspace.canvas.fit()
        workspace.canvas.grab()
    window.grab()
    window._fill_recent()
    window._keep_layout()
    window.session.flush()


def test_a_damaged_layout_is_never_given_to_qt(start, folder: Path):
    first = start(folder)
    first._keep_layout()
    path = folder / "config" / "settings.json"
    path.write_text(path.read_text().replace('"window": "', '"window": "A'))
    assert "settings.damaged" in foot(start(folder))


@pytest.mark.parametrize("name", some_slow(["journals", "versions"], ("journals",)))
def test_a_file_in_the_place_of_a_folder_is_set_aside(start, folder: Path, name: str):
    shutil.rmtree(folder / "state" / name)
    (folder / "state" / name).write_text("in the way")
    window = start(folder)
    assert f"{name}.damaged" in foot(window)
    assert (folder / "state" / f"{name}.damaged").read_text() == "in the way"
    assert window.session.safe


@pytest.mark.parametrize("content", some_slow([b"", b"?\n", None], (b"", None)))
def test_a_lock_that_does_not_say_whose_it_is_keeps_nothing_from_coming_back(
    start, folder: Path, content: bytes | None
):
    """A power failure leaves an empty file."""
    journals = [file.file for file in kept(folder) if file.file.suffix == ".journal"]
    for lock in (folder / "state" / "queue.lock", *(Path(f"{journal}.lock") for journal in journals)):
        if content is None:
            lock.mkdir()
        else:
            lock.write_bytes(content)
        os.utime(lock, (1e9, 1e9))
    window = start(folder)
    assert len(window.tabs.workspaces) == 2
    assert len(window.queue.jobs) == 1


def test_a_state_folder_that_cannot_be_written_to_is_said_and_the_window_works(start, folder: Path):
    shutil.rmtree(folder / "state")
    (folder / "state").write_text("a file in the way")
    window = start(folder)
    assert "edits are not safe against a crash" in foot(window)
    window.tabs.new(Graph(), "Another")
    window.document.edit("Nothing lost", lambda graph: graph)
    window.session.flush()
    assert len(window.tabs.workspaces) == 1


def test_what_is_said_at_the_start_stays_while_nodes_run(start, folder: Path):
    (folder / "config" / "settings.json").write_text("{")
    window = start(folder)
    window.say("Something else")
    assert foot(window).endswith("Something else")
    window.runs.running = True
    window.status_bar.refresh()
    assert foot(window).startswith("The settings in ")
    window.runs.running = False

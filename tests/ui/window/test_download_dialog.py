"""A file is fetched: what it is and where it goes first; stopped, gone on with, listed when it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from nodegraph.running.engine import Settings as EngineSettings
from tests.nodegraph.library.shelf import jar
from ui.panels.models import ModelsPanel
from ui.window.download_dialog import DownloadDialog
from ui.window.main_window import MainWindow

LEFT, LONG = Qt.MouseButton.LeftButton, 60_000


@pytest.fixture
def hub(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("TOY_HUB", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    jar(tmp_path / "hub" / "quince.jar", "jam:fig:tart")
    jar(tmp_path / "hub" / "quinces.jar", "jam:plum:")
    return tmp_path / "hub"


@pytest.fixture
def window(qtbot, registry, hub: Path, tmp_path: Path, monkeypatch) -> MainWindow:
    """With one folder of models, in which there is one for jams."""
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    jar(tmp_path / "cellar" / "jams" / "damson.jar", "jam:plum:")
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)))
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.resize(1300, 900)
    made.show()
    qtbot.waitExposed(made)
    made.docks.show("Models")
    made.shelves.choose((str(tmp_path / "cellar"),))
    qtbot.waitUntil(lambda: shown(made) == ["damson"], timeout=LONG)
    return made


def shown(window: MainWindow) -> list[str]:
    panel = window.docks.panel("Models")
    assert isinstance(panel, ModelsPanel)
    return [Path(panel.rows.path(row)).stem for row in range(panel.rows.rowCount())]


def looked(window: MainWindow, qtbot, address: str) -> DownloadDialog:
    """As a person does: the button of the panel, the address, Return."""
    panel = window.docks.panel("Models")
    QTest.mouseClick(panel.fetch, LEFT)
    (dialog,) = window.findChildren(DownloadDialog)
    QTest.keyClicks(dialog.address, address)
    QTest.keyClick(dialog.address, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not window.shelves.downloads.doing, timeout=LONG)
    return dialog


def test_what_it_is_comes_first_then_it_is_fetched_into_its_folder_and_listed(window, qtbot, tmp_path):
    dialog = looked(window, qtbot, "jar:quince")
    assert [dialog.list.item(row).text() for row in range(2)] == ["quince.jar  ·  12 B", "quinces.jar  ·  9 B"]
    assert dialog.about.text() == "quince.jar\nJam · Figs · 12 B\nLicence: CC0"
    assert dialog.to.text() == str(tmp_path / "cellar" / "jams" / "quince.jar")
    assert not Path(dialog.to.text()).exists()
    QTest.mouseClick(dialog.get, LEFT)
    qtbot.waitUntil(lambda: shown(window) == ["damson", "quince"], timeout=LONG)
    assert dialog.path == str(tmp_path / "cellar" / "jams" / "quince.jar")
    assert dialog.said.text() == f"It is in {dialog.path}"
    assert not dialog.get.isEnabled()  # it is there already
    panel = window.docks.panel("Models")
    panel.list.setCurrentIndex(panel.rows.index(1))
    assert "Licence: CC0" in panel.details.facts.text().split("\n")


def test_it_is_stopped_nothing_half_is_listed_and_it_is_gone_on_with(window, hub, qtbot, tmp_path):
    dialog = looked(window, qtbot, "jar:quince")
    (hub / "slow").touch()
    QTest.mouseClick(dialog.get, LEFT)
    downloads, bar = window.shelves.downloads, window.docks.panel("Models").fetching
    qtbot.waitUntil(lambda: downloads.here == 3, timeout=LONG)
    assert bar.isVisible()
    assert bar.said.text().startswith("quince.jar: 3 B of 12 B are here")
    QTest.mouseClick(dialog.end, LEFT)
    assert not bar.isVisible()
    assert dialog.get.text() == "Go on"
    assert dialog.rest.text() == "3 B of it are there from before."
    (hub / "slow").unlink()
    QTest.mouseClick(dialog.get, LEFT)
    qtbot.waitUntil(lambda: shown(window) == ["damson", "quince"], timeout=LONG)
    assert (tmp_path / "cellar" / "jams" / "quince.jar").read_text() == "jam:fig:tart"


def test_what_cannot_be_had_is_said(window, qtbot):
    dialog = looked(window, qtbot, "jar:durian")
    assert dialog.said.text() == "The grocer has no durian"
    assert not dialog.get.isVisible()
    assert window.log.entries[-1].text == "The grocer has no durian"


def test_a_folder_that_is_not_listed_yet_is_said_and_listed_then(window, qtbot, tmp_path):
    dialog = looked(window, qtbot, "jar:quinces")
    dialog.to.setText(str(tmp_path / "shed" / "q.jar"))
    assert dialog.rest.text() == f"{tmp_path / 'shed'} is listed with your model folders then."
    QTest.mouseClick(dialog.get, LEFT)
    qtbot.waitUntil(lambda: shown(window) == ["damson", "q"], timeout=LONG)


def test_without_the_network_nothing_is_asked_or_fetched_and_what_is_under_way_stops(window, hub, qtbot):
    dialog = looked(window, qtbot, "jar:quince")
    (hub / "slow").touch()
    QTest.mouseClick(dialog.get, LEFT)
    qtbot.waitUntil(lambda: window.shelves.downloads.here == 3, timeout=LONG)
    window.settings.change(network=False)
    assert window.shelves.downloads.doing == ""
    assert not dialog.look.isEnabled()
    assert not dialog.get.isEnabled()
    assert dialog.said.text() == "Nothing is fetched over the network: that is switched off in the settings"
    window.shelves.downloads.ask("jar:quince")
    assert window.shelves.downloads.doing == ""

"""Where models are looked for: chosen in the settings, offered once at a first start, never taken by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog

from nodegraph.library.offers import Offer
from nodegraph.running.engine import Settings as EngineSettings
from tests.nodegraph.library.shelf import jar
from ui.panels.models import ModelsPanel
from ui.window.first_folders import FirstFolders, offer_folders
from ui.window.folders_page import TITLE, FoldersPage
from ui.window.main_window import MainWindow
from ui.window.settings_dialog import SettingsDialog

LONG = 60_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(qtbot, registry, tmp_path: Path, monkeypatch) -> MainWindow:
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)))
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.resize(1300, 900)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def cellars(tmp_path: Path) -> tuple[str, str]:
    for cellar, name in (("a", "damson"), ("b", "gherkin")):
        jar(tmp_path / cellar / f"{name}.jar", "jam:plum:" if name == "damson" else "pickle:fig:")
    return str(tmp_path / "a"), str(tmp_path / "b")


def opened(window: MainWindow) -> tuple[SettingsDialog, FoldersPage]:
    window.edit_settings(TITLE)
    (dialog,) = window.findChildren(SettingsDialog)
    return dialog, dialog.folders


def models(window: MainWindow) -> ModelsPanel:
    window.docks.show("Models")
    panel = window.docks.panel("Models")
    assert isinstance(panel, ModelsPanel)
    return panel


def shown(panel: ModelsPanel) -> list[str]:
    return [Path(panel.rows.path(row)).stem for row in range(panel.rows.rowCount())]


def test_a_folder_is_added_ordered_and_removed_and_its_files_are_counted(window, cellars, qtbot, monkeypatch):
    panel = models(window)
    dialog, page = opened(window)
    for folder in cellars:
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, folder=folder: folder)
        QTest.mouseClick(page.add, LEFT)
    QTest.mouseClick(page.up, LEFT)
    QTest.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Apply), LEFT)
    qtbot.waitUntil(lambda: shown(panel) == ["damson", "gherkin"], timeout=LONG)
    assert window.shelves.folders == cellars[::-1]
    qtbot.waitUntil(lambda: page.list.item(0).text() == f"{cellars[1]}  ·  1 file", timeout=LONG)
    page.list.setCurrentRow(0)
    QTest.mouseClick(page.remove, LEFT)
    QTest.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok), LEFT)
    qtbot.waitUntil(lambda: shown(panel) == ["damson"], timeout=LONG)


def test_what_was_found_is_taken_only_when_it_is_ticked(window, cellars, qtbot):
    dialog, page = opened(window)
    page.finding.found.emit((Offer("Cellar A", cellars[:1], 1), Offer("Cellar B", cellars[1:], 5000)))
    assert [box.text() for box, _ in page.offers.boxes] == ["Cellar A (1 file)", "Cellar B (5,000 files or more)"]
    page.offers.boxes[1][0].click()
    QTest.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok), LEFT)
    qtbot.waitUntil(lambda: window.shelves.folders == cellars[1:], timeout=LONG)


def test_the_switch_for_the_network_is_one_at_two_places(window, cellars):
    dialog, page = opened(window)
    page.network.click()
    assert not dialog.general.network.isChecked()
    QTest.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok), LEFT)
    assert not window.settings.now.network


def first(window: MainWindow, cellars: tuple[str, str]) -> FirstFolders:
    dialog = FirstFolders(window, (Offer("Cellar A", cellars[:1], 3), Offer("Cellar B", cellars[1:], 4)))
    dialog.open()
    return dialog


def test_at_a_first_start_folders_are_offered_and_nothing_is_taken_when_one_refuses(window, cellars, qtbot):
    dialog = first(window, cellars)
    later = next(b for b in dialog.buttons.buttons() if b.text() == "Not now")
    QTest.mouseClick(later, LEFT)
    assert window.shelves.folders == ()
    assert window.settings.now.models_offered
    assert offer_folders(window) is None  # nobody is asked again


def test_folders_that_are_listed_already_stay_when_more_are_offered_or_settings_are_left(window, cellars, qtbot):
    dialog, _ = opened(window)
    window.shelves.choose(cellars[:1])  # as the command of the program may do meanwhile
    qtbot.waitUntil(lambda: window.shelves.folders == cellars[:1], timeout=LONG)
    QTest.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok), LEFT)
    offered = FirstFolders(window, (Offer("Cellar B", cellars[1:], 4),))
    offered.open()
    offered.accept()
    qtbot.waitUntil(lambda: window.shelves.folders == cellars, timeout=LONG)


def test_where_nothing_was_found_at_a_first_start_nobody_looks_again(window, qtbot):
    finding = offer_folders(window)
    assert finding is not None
    finding.found.emit(())
    assert window.settings.now.models_offered
    assert offer_folders(window) is None


def test_at_a_first_start_what_is_ticked_is_listed(window, cellars, qtbot):
    dialog = first(window, cellars)
    dialog.offers.boxes[1][0].click()
    taken = next(b for b in dialog.buttons.buttons() if b.text() == "List these models")
    QTest.mouseClick(taken, LEFT)
    panel = models(window)
    assert panel.isVisible()
    qtbot.waitUntil(lambda: shown(panel) == ["damson"], timeout=LONG)

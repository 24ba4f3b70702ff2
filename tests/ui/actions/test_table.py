"""The table of actions: menus, keys that can be changed, and the search."""

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMenu

from tests.ui.kept_window import KeptWindow
from ui.actions.keys import PRESETS, bound, conflicts
from ui.actions.keys_dialog import KeysDialog
from ui.actions.search import ActionSearch, search
from ui.actions.table import Action, sequences
from ui.window.main_window import MainWindow
from ui.window.templates import TemplatePicker


@pytest.fixture
def window(kept_window: KeptWindow) -> MainWindow:
    """Not started: no engine."""
    return kept_window.open()


def nothing() -> None:
    pass


def test_own_keys_go_before_the_preset_and_the_preset_before_the_default(monkeypatch):
    monkeypatch.setitem(PRESETS, "Other", {"a.one": "F1", "a.two": "F2"})
    actions = [Action(f"a.{name}", name, nothing, "Ctrl+A") for name in ("one", "two", "three")]
    assert bound(actions, "Other", {"a.two": "F9"}) == {"a.one": "F1", "a.two": "F9", "a.three": "Ctrl+A"}
    assert bound(actions, "no such preset", {})["a.one"] == "Ctrl+A"


@pytest.mark.parametrize("id", ["edit.keys", "help.guide", "file.template"])
def test_a_dialog_that_was_closed_is_gone(window, monkeypatch, id):
    monkeypatch.setattr(TemplatePicker, "exec", lambda picker: picker.reject())
    window.actions_by_id[id].trigger()
    for dialog in window.findChildren(QDialog):
        dialog.reject()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not window.findChildren(QDialog)


def test_a_conflict_names_the_others():
    keys = {"a": "Ctrl+S; F2", "b": "F2", "c": "Ctrl+C", "d": ""}
    assert conflicts(keys) == {"a": ("b",), "b": ("a",)}


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_has_conflicts_or_names_an_action_that_does_not_exist(window, preset):
    table = window.actions_table.table
    assert set(PRESETS[preset]) <= set(table)
    assert conflicts(bound(table.values(), preset, {})) == {}


def test_every_key_that_is_written_can_be_read(window):
    for action in window.actions_table.table.values():
        assert len(sequences(action.shortcut)) == len(action.shortcut.split("; ") if action.shortcut else ()), action.id


def in_menus(menu: QMenu) -> set[str]:
    found = {action.objectName() for action in menu.actions()}
    return found.union(*(in_menus(sub) for action in menu.actions() if isinstance(sub := action.menu(), QMenu)))


def test_every_action_is_in_a_menu_and_has_a_tip(window):
    shown = set().union(*(in_menus(a.menu()) for a in window.menus.actions() if isinstance(a.menu(), QMenu)))
    assert set(window.actions_by_id) <= shown
    assert all(action.toolTip() for action in window.actions_by_id.values())


def test_the_search_finds_by_words_in_any_order_and_puts_names_first():
    actions = [
        Action("file.save_as", "Save as…", nothing),
        Action("run.all", "Run", nothing, tip="Compute the graph and save pictures"),
        Action("view.panel_log", "Log", nothing, submenu="Saved words"),
        Action("file.save", "Save", nothing),
    ]
    assert [a.id for a in search(actions, "save")] == ["file.save_as", "file.save", "view.panel_log", "run.all"]
    assert [a.id for a in search(actions, "as save")] == ["file.save_as"]
    assert search(actions, "nothing of it") == []


def test_an_action_is_found_and_done_by_typing(window):
    QTest.keyClick(window, Qt.Key.Key_F3)
    found = QApplication.activePopupWidget()
    assert isinstance(found, ActionSearch)
    QTest.keyClicks(found.box, "light")
    QTest.keyClick(found.box, Qt.Key.Key_Return)
    assert window.settings.now.theme == "Light"
    window.settings.change(theme="Dark")


def test_a_key_is_changed_in_the_dialog_and_works_at_once(window, qtbot):
    window.actions_by_id["edit.keys"].trigger()
    dialog = window.findChild(KeysDialog)
    QTest.keyClicks(dialog.box, "previous document")
    assert dialog.chosen == "view.previous_tab"
    QTest.keyClick(dialog.field, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.settings.now.keys == {"view.previous_tab": "Ctrl+N"})
    assert "File: New" in dialog.conflict.text()
    QTest.keyClick(dialog.field, Qt.Key.Key_F12)
    qtbot.waitUntil(lambda: window.settings.now.keys == {"view.previous_tab": "F12"})
    assert dialog.conflict.text() == ""
    assert window.actions_by_id["view.previous_tab"].shortcut() == QKeySequence("F12")
    QTest.mouseClick(dialog.reset, Qt.MouseButton.LeftButton)
    assert window.settings.now.keys == {}
    assert window.actions_by_id["view.previous_tab"].shortcut() == QKeySequence("Ctrl+Shift+Tab")
    dialog.close()


def test_keys_are_taken_from_the_action_that_has_them(window):
    dialog = KeysDialog(window.actions_table, window.settings, window)
    QTest.keyClicks(dialog.box, "previous document")
    QTest.keyClick(dialog.field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    dialog.show()
    QTest.mouseClick(dialog.take, Qt.MouseButton.LeftButton)
    assert window.settings.now.keys == {"view.previous_tab": "Ctrl+Shift+Z", "edit.redo": "Ctrl+Y"}
    assert not dialog.take.isVisible()
    dialog.close()


def test_escape_leaves_the_keys_as_they_are(window):
    dialog = KeysDialog(window.actions_table, window.settings, window)
    QTest.keyClicks(dialog.box, "previous document")
    QTest.keyClick(dialog.field, Qt.Key.Key_Escape)
    assert window.settings.now.keys == {}


def test_a_preset_changes_the_keys_and_the_own_ones_stay(window):
    window.settings.change(keys={"file.new": "F8"})
    dialog = KeysDialog(window.actions_table, window.settings, window)
    dialog.preset.setCurrentText("Blender-like")
    dialog.preset.textActivated.emit("Blender-like")
    for id, keys in PRESETS["Blender-like"].items():
        assert window.actions_table.keys[id] == keys
    assert window.actions_table.keys["file.new"] == "F8"
    QTest.mouseClick(dialog.reset_all, Qt.MouseButton.LeftButton)
    assert window.actions_table.keys["file.new"] == "Ctrl+N"

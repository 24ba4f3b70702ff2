"""Choosing what computes: the engine goes on there, and its keys with it."""

import pytest
from PySide6.QtCore import Qt

from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Device, Event, Gone, Started
from tests.ui.engines import LONG, slow
from ui.base.settings import Preferences, Settings
from ui.window.device_page import DevicePage, choices
from ui.window.main_window import MainWindow
from ui.window.settings_dialog import SettingsDialog

CARD = Device("toy:0", "A toy card")
OLD = Device("toy:1", "An old toy card", "it is too old")


@pytest.fixture
def window(qtbot, registry, tmp_path) -> MainWindow:
    settings = Settings(tmp_path / "settings.json")
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)), settings)
    qtbot.addWidget(made, before_close_func=lambda w: w.document.undo_stack.setClean())
    return made


def dialog(window: MainWindow) -> SettingsDialog:
    window.actions_by_id["run.device"].trigger()
    (found,) = window.findChildren(SettingsDialog)
    assert found.computing.isVisible()
    return found


def names(shown: DevicePage) -> list[str]:
    return [shown.device.itemData(row) for row in range(shown.device.count())]


def test_what_was_chosen_and_is_gone_can_still_be_seen():
    assert [d.name for d in choices((CARD, Device("cpu", "the processor")), "auto")] == ["auto", "toy:0", "cpu"]
    *_, gone = choices((), "toy:7")
    assert (gone.name, gone.title) == ("toy:7", "toy:7, which is not there now")


def test_before_the_engine_has_started_there_is_the_processor(window):
    assert names(dialog(window).computing) == ["auto", "cpu"]


def test_a_card_that_cannot_compute_is_listed_and_cannot_be_chosen(qtbot):
    shown = DevicePage(Preferences(), (CARD, OLD))
    qtbot.addWidget(shown)
    model = shown.device.model()
    enabled = [bool(model.flags(model.index(row, 0)) & Qt.ItemFlag.ItemIsEnabled) for row in range(4)]
    assert enabled == [True, True, False, True]
    assert shown.device.itemText(2) == "An old toy card (toy:1): cannot compute here"
    assert shown.device.itemData(2, Qt.ItemDataRole.ToolTipRole) == "it is too old"


def test_the_engine_goes_on_with_what_was_chosen_and_so_does_the_next_start(window, qtbot, tmp_path):
    window.start()
    qtbot.waitUntil(lambda: window.engine.ready, timeout=LONG)
    assert window.engine.environment == "toy on auto"
    shown = dialog(window)
    assert names(shown.computing) == ["auto", "toy:0", "toy:1", "cpu"]
    shown.computing.device.setCurrentIndex(1)
    shown.computing.precision.setCurrentIndex(shown.computing.precision.findData("bfloat16"))
    shown.accept()
    qtbot.waitUntil(lambda: window.engine.environment == "toy on toy:0 in bfloat16", timeout=LONG)
    now = Settings(tmp_path / "settings.json").now
    assert (now.device, now.precision) == ("toy:0", "bfloat16")
    assert "was started again with other settings" in "\n".join(entry.text for entry in window.log.entries)


def test_nothing_happens_when_nothing_changes(window, qtbot):
    window.start()
    qtbot.waitUntil(lambda: window.engine.ready, timeout=LONG)
    pid = window.engine.pid
    dialog(window).accept()
    assert window.engine.pid == pid


def test_a_window_begins_on_the_device_that_was_chosen(qtbot, registry):
    settings = Settings()
    settings.now = Preferences(device="toy:0")
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None), settings)
    qtbot.addWidget(made, before_close_func=lambda w: w.document.undo_stack.setClean())
    made.start()
    qtbot.waitUntil(lambda: made.engine.environment == "toy on toy:0", timeout=LONG)


def test_a_device_that_is_gone_is_said_to_be_and_another_can_be_chosen(qtbot, registry):
    settings = Settings()
    settings.now = Preferences(device="cuda")
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None), settings)
    qtbot.addWidget(made, before_close_func=lambda w: w.document.undo_stack.setClean())
    made.start()
    sentence = "The engine cannot start: device cuda is not there"
    qtbot.waitUntil(lambda: any(sentence in entry.text for entry in made.log.entries), timeout=LONG)
    shown = dialog(made)
    assert shown.computing.device.currentText() == "cuda, which is not there now"
    shown.computing.device.setCurrentIndex(0)
    shown.accept()
    qtbot.waitUntil(lambda: made.engine.ready, timeout=LONG)
    assert made.engine.environment == "toy on auto"


def test_a_run_that_is_cut_off_by_another_choice_is_over(window, qtbot):
    window.start()
    qtbot.waitUntil(lambda: window.engine.ready, timeout=LONG)
    heard: list[Event] = []
    window.engine.run(slow(1000), ("save",), heard.append)
    qtbot.waitUntil(lambda: any(isinstance(event, Started) and event.node == "slow" for event in heard), timeout=LONG)
    window.settings.change(device="toy:0")
    qtbot.waitUntil(lambda: not window.engine.running, timeout=LONG)
    assert heard[-1] == Gone(
        heard[-1].exitcode, "slow", "The engine was started again with other settings while it was running 'slow'."
    )
    qtbot.waitUntil(lambda: window.engine.environment == "toy on toy:0", timeout=LONG)

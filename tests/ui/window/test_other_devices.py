"""The cards beside the one of the documents: each has an engine, whose process starts with its first job."""

import pytest

from nodegraph.running.engine import Settings as EngineSettings
from nodegraph.running.messages import Device, Ready
from tests.ui.engines import LONG, slow
from ui.base.settings import Preferences, Settings
from ui.window.main_window import MainWindow

CARDS = tuple(Device(f"toy:{number}", f"Card {number}") for number in range(3))
PROCESSOR = Device("cpu", "the processor")


@pytest.fixture
def window(qtbot, registry, tmp_path) -> MainWindow:
    settings = Settings()
    settings.now = Preferences(device="cpu")
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None, out_dir=str(tmp_path)), settings)
    qtbot.addWidget(made, before_close_func=lambda w: w.document.undo_stack.setClean())
    return made


def test_a_card_that_the_documents_do_not_use_takes_jobs(window, qtbot, tmp_path):
    window.start()
    qtbot.waitUntil(lambda: window.engine.ready, timeout=LONG)
    (other,) = window.other_devices.engines.values()  # the old one cannot compute
    assert window.engine.environment == "toy on cpu"
    assert other.pid is None
    for tag in "ab":
        window.queue.add(slow(20, tag=tag), ("save",), tag)
    qtbot.waitUntil(lambda: [job.state for job in window.queue.jobs] == ["done"] * 2, timeout=LONG)
    assert other.environment == "toy on toy:0"
    lines = [entry.text for entry in window.log.entries]
    assert sum("is ready" in line for line in lines) == 2


def test_the_card_that_the_documents_take_is_theirs_and_the_one_they_leave_takes_jobs(window):
    others, ready = window.other_devices, Ready(1, 0.1, "", (*CARDS, PROCESSOR), "toy:0")
    others._take(ready)
    assert set(others.engines) == {"toy:1", "toy:2"}
    kept = others.engines["toy:2"]
    others._take(Ready(1, 0.1, "", (*CARDS, PROCESSOR), "toy:1"))
    assert set(others.engines) == {"toy:0", "toy:2"}
    assert others.engines["toy:2"] is kept
    others._take(Ready(1, 0.1, "", (PROCESSOR,), "cpu"))
    assert not others.engines


def test_with_one_card_or_none_there_is_one_engine(window):
    window.other_devices._take(Ready(1, 0.1, "", (CARDS[0], PROCESSOR), "toy:0"))
    window.other_devices._take(Ready(1, 0.1, "", (PROCESSOR,), "cpu"))
    assert not window.other_devices.engines


def test_another_precision_is_that_of_every_engine(window):
    window.other_devices._take(Ready(1, 0.1, "", (*CARDS, PROCESSOR), "toy:0"))
    window.settings.change(precision="bfloat16")
    for name, engine in window.other_devices.engines.items():
        assert (engine._settings.device, engine._settings.precision) == (name, "bfloat16")

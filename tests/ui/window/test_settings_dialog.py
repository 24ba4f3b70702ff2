"""The settings as a dialog: each of them does what it says at once, and again after a restart."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QWidget

from nodegraph.formats import png
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.node import NAMING
from nodegraph.program import data_folder
from nodegraph.running.engine import DISK_BYTES, Engine
from nodegraph.running.engine import Settings as EngineSettings
from tests.toy_nodes.pit import pit
from tests.ui.engines import LONG
from ui.base.settings import Preferences, Settings
from ui.base.text import duration, value_text
from ui.panels.remedy_bar import RemedyBar
from ui.widgets.fields import NumberBox
from ui.widgets.numbers import set_decimal
from ui.window.engine_settings import engine_settings
from ui.window.main_window import MainWindow
from ui.window.settings_dialog import SettingsDialog

CTRL, LEFT = Qt.KeyboardModifier.ControlModifier, Qt.MouseButton.LeftButton
SAVES = Graph(
    {"box": Node("toy.box", {}, (0, 0)), "save": Node("toy.save", {}, (300, 0))},
    {Port("save", "box"): Port("box", "box")},
)
DIG = Graph(
    {"dig": Node("toy.dig", {}, (0, 0)), "pot": Node("toy.pot", {}, (300, 0)), "show": Node("toy.show", {}, (600, 0))},
    {Port("pot", "clay"): Port("dig", "clay"), Port("show", "box"): Port("pot", "box")},
)


@pytest.fixture
def window(qtbot, registry, tmp_path, monkeypatch):
    monkeypatch.delenv("DENOODLE_CACHE", raising=False)
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    engine = EngineSettings("tests.toy_nodes", cache=str(tmp_path / "cache"), out_dir=str(tmp_path / "out"))
    made = MainWindow(registry, engine, Settings(tmp_path / "settings.json"))
    qtbot.addWidget(made, before_close_func=lambda w: [d.undo_stack.setClean() for d in w.session.documents])
    made.show()
    qtbot.waitExposed(made)
    yield made
    set_decimal("")


def active(widget: QWidget) -> None:
    """The keyboard is its: a dialog that was closed gives it back a little later."""
    widget.activateWindow()
    assert QTest.qWaitForWindowActive(widget)
    QApplication.processEvents()


def opened(window: MainWindow, page: str = "Pictures") -> SettingsDialog:
    """As one gets there: by the key, and by a click on the name of the page."""
    active(window)
    QTest.keyClick(window, Qt.Key.Key_Comma, CTRL)
    (shown,) = (d for d in window.findChildren(SettingsDialog) if d.isVisible())
    active(shown)
    row = [p.title for p in shown.pages].index(page)
    QTest.mouseClick(shown.list.viewport(), LEFT, pos=shown.list.visualItemRect(shown.list.item(row)).center())
    assert shown.pages[row].isVisible()
    return shown


def press(shown: SettingsDialog, which: QDialogButtonBox.StandardButton = QDialogButtonBox.StandardButton.Ok) -> None:
    QTest.mouseClick(shown.buttons.button(which), LEFT)


def fill(box, text: str) -> None:
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_A, CTRL)
    QTest.keyClicks(box, text) if text else QTest.keyClick(box, Qt.Key.Key_Delete)


def run(window: MainWindow, qtbot) -> None:
    active(window)
    before = len(window.log.entries)
    QTest.keyClick(window, Qt.Key.Key_Return, CTRL)
    qtbot.waitUntil(lambda: any("computed in" in e.text for e in [*window.log.entries][before:]), timeout=LONG)


def test_what_is_saved_goes_into_the_chosen_folder_and_carries_what_was_chosen(window, qtbot, tmp_path):
    window.tabs.show_document(window.session.new(SAVES))
    window.start()
    run(window, qtbot)
    assert '"toy.box"' in (tmp_path / "out" / "box.txt").read_text()
    shown = opened(window)
    fill(shown.pictures.folder.box, str(tmp_path / "elsewhere"))
    QTest.keyClick(shown.pictures.carries, Qt.Key.Key_Space)
    press(shown)
    run(window, qtbot)
    assert "toy.box" not in (tmp_path / "elsewhere" / "box.txt").read_text()
    now = Settings(tmp_path / "settings.json").now
    assert (now.output_folder, now.carries_workflow) == (str(tmp_path / "elsewhere"), False)
    assert not window.preview.carries_workflow
    assert not window.tabs.show_document(window.session.new(SAVES)).preview.carries_workflow


def test_a_picture_that_is_saved_from_the_preview_carries_what_was_chosen(window, tmp_path):
    window.tabs.show_document(window.session.new(SAVES))
    picture = QImage(8, 8, QImage.Format.Format_RGB32)
    picture.fill(0)
    for carries in (True, False):
        window.settings.change(carries_workflow=carries)
        window.preview.view.show_one(QPixmap.fromImage(picture))
        window.preview.save_to(tmp_path / "picture.png")
        assert bool(png.keywords(tmp_path / "picture.png")) == carries


def test_a_cache_that_is_gone_is_said_to_be_and_another_can_be_chosen(window, qtbot, tmp_path):
    (tmp_path / "file").touch()
    window.settings.change(cache_folder=str(tmp_path / "file" / "cache"))
    window.start()
    why = f"cannot keep results in {tmp_path / 'file' / 'cache'}"
    qtbot.waitUntil(lambda: any(why in entry.text for entry in window.log.entries), timeout=LONG)
    shown = opened(window, "Results")
    fill(shown.results.folder.box, "")
    press(shown)
    qtbot.waitUntil(lambda: window.engine.ready, timeout=LONG)


def test_results_are_kept_where_and_as_far_as_was_chosen(window, tmp_path, monkeypatch):
    used: list[dict] = []
    monkeypatch.setattr(window.engine, "use", lambda **settings: used.append(settings))
    shown = opened(window, "Results")
    fill(shown.results.folder.box, str(tmp_path / "kept"))
    fill(shown.results.disk.lineEdit(), "9")
    fill(shown.results.memory.lineEdit(), "3")
    press(shown)
    assert (used[-1]["cache"], used[-1]["disk_bytes"], used[-1]["memory_bytes"]) == (
        str(tmp_path / "kept"),
        9 << 30,
        3 << 30,
    )
    shown = opened(window, "Results")
    fill(shown.results.folder.box, "")
    fill(shown.results.memory.lineEdit(), "0")
    press(shown)
    assert used[-1]["cache"] == str(tmp_path / "cache")
    assert used[-1]["memory_bytes"] == window.engine.began_with.memory_bytes


def test_a_window_without_choices_computes_as_it_was_started():
    began_with = EngineSettings()
    said = engine_settings(Preferences(), began_with)
    assert said == {name: getattr(began_with, name) for name in said}
    assert said["disk_bytes"] == DISK_BYTES


def test_the_disk_has_as_much_as_was_chosen(tmp_path):
    engine = Engine(EngineSettings("tests.toy_nodes", cache=str(tmp_path), disk_bytes=5 << 30))
    assert engine.cache.disk is not None
    assert engine.cache.disk.limit_bytes == 5 << 30


def test_the_environment_says_where_the_cache_is_before_the_settings_do(monkeypatch, tmp_path):
    monkeypatch.setenv("DENOODLE_CACHE", str(tmp_path))
    assert engine_settings(Preferences(cache_folder="/elsewhere"), EngineSettings())["cache"] == str(tmp_path)


def test_a_folder_that_cannot_be_is_said_on_its_page_and_nothing_is_changed(window, tmp_path):
    (tmp_path / "file").touch()
    for wrong, why in (("here", "must be a whole path"), (str(tmp_path / "file"), "cannot be used")):
        shown = opened(window, "Pictures")
        fill(shown.pictures.folder.box, wrong)
        shown.turn_to("General")
        press(shown)
        assert shown.isVisible()
        assert shown.pictures.isVisible()
        assert why in shown.error.text()
        assert wrong in shown.error.text()
        press(shown, QDialogButtonBox.StandardButton.Cancel)
        QApplication.processEvents()
    assert window.settings.now.output_folder == ""


def test_a_folder_is_looked_for(window, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    shown = opened(window)
    QTest.mouseClick(shown.pictures.folder.browse, LEFT)
    assert shown.pictures.chosen()["output_folder"] == str(tmp_path)


def test_with_the_network_off_nothing_is_fetched_by_any_way(window, qtbot):
    window.tabs.show_document(window.session.new(DIG))
    with qtbot.waitSignal(window.plan.planned, timeout=LONG):
        window.plan.start()
    window.docks.show("Problems")
    shown = opened(window, "General")
    shown.general.network.setFocus()
    QTest.keyClick(shown.general.network, Qt.Key.Key_Space)
    press(shown)
    (bar,) = window.docks["Problems"].widget().findChildren(RemedyBar)
    assert (bar.choose.isEnabled(), bar.fetch.isEnabled()) == (True, False)
    window.remedies.begin("clay")  # as the menu of a node does
    assert not window.remedies.doing
    assert "switched off" in window.remedies.said["clay"]
    assert (data_folder() / "offline").exists()  # where every process of the program looks
    assert not pit().exists()
    shown = opened(window, "General")
    shown.general.network.setFocus()
    QTest.keyClick(shown.general.network, Qt.Key.Key_Space)
    press(shown)
    assert not (data_folder() / "offline").exists()
    window.remedies.begin("clay")
    qtbot.waitUntil(lambda: pit().exists(), timeout=LONG)


@pytest.mark.parametrize(("sign", "value"), [("", "1,500"), (".", 1500.0), (",", 1.5)])
def test_numbers_are_read_in_the_language_that_was_chosen(window, sign, value):
    shown = opened(window, "General")
    shown.general.decimal.setFocus()
    QTest.keyClick(shown.general.decimal, Qt.Key.Key_Home)
    for _ in range(shown.general.decimal.findData(sign)):
        QTest.keyClick(shown.general.decimal, Qt.Key.Key_Down)
    press(shown)
    box = NumberBox(float, 1.0)
    fill(box.lineEdit(), "1,500")
    assert box.read() == value


def test_the_names_of_pictures_are_shown_as_they_are_typed(qtbot, tmp_path):
    """And a template that cannot be used is not taken."""
    found = discover("nodes")
    engine = EngineSettings("nodes", cache=None, out_dir=str(tmp_path / "out"))
    window = MainWindow(found, engine, Settings(tmp_path / "settings.json"))
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    shown = opened(window)
    page = shown.pictures
    assert page.example.text() == "As in denoodle_00001.png"
    fill(page.name, "%seed% %name%")
    assert page.example.text() == "As in 42 denoodle.png"
    fill(page.name, "%sed%")
    assert page.example.text().startswith("There is no %sed%; there are %name%, ")
    press(shown)
    assert shown.isVisible()
    assert window.settings.now.name_template == NAMING
    fill(page.name, "%seed% %name%")
    press(shown)
    assert window.settings.now.name_template == "%seed% %name%"
    assert engine_settings(window.settings.now, engine)["naming"] == "%seed% %name%"


def test_numbers_are_shown_and_typed_with_a_comma_and_saved_with_a_point(window, tmp_path, qtbot):
    """Typing takes both signs; what is open is written anew at once."""
    window.tabs.show_document(window.session.new(Graph({"settings": Node("toy.settings", {"ratio": 1.5}, (0, 0))})))
    window.canvas.state.select({"settings"})
    inspector = window.docks.panel("Inspector")
    qtbot.waitUntil(lambda: inspector.complete)
    box = inspector.rows["ratio"].editor.box
    assert box.text() == "1.5"
    try:
        shown = opened(window, "General")
        shown.general.decimal.setFocus()
        QTest.keyClick(shown.general.decimal, Qt.Key.Key_End)
        press(shown)
        assert box.text() == "1,5"
        item = window.canvas.scene.nodes["settings"]
        assert value_text(item.type.input_by_name["ratio"], item.node.params["ratio"]) == "1,5"
        for typed in ("0,25", "0.75"):
            fill(box.lineEdit(), typed)
            QTest.keyClick(box, Qt.Key.Key_Return)
            assert window.document.graph.nodes["settings"].params["ratio"] == float(typed.replace(",", "."))
        assert box.text() == "0,75"
        assert duration(3.2) == "3,2 s"
        window.tabs.save_to(tmp_path / "w.json")
        assert '"ratio": 0.75' in (tmp_path / "w.json").read_text()
    finally:
        window.settings.change(decimal="")
    assert box.text() == "0.75"


def test_apply_keeps_the_dialog_and_escape_changes_nothing(window):
    shown = opened(window, "Results")
    fill(shown.results.disk.lineEdit(), "7")
    press(shown, QDialogButtonBox.StandardButton.Apply)
    assert shown.isVisible()
    assert window.settings.now.cache_gigabytes == 7
    fill(shown.results.disk.lineEdit(), "8")
    QTest.keyClick(shown, Qt.Key.Key_Escape)
    assert not shown.isVisible()
    assert window.settings.now.cache_gigabytes == 7


def test_the_key_shows_the_dialog_that_is_open_already(window):
    shown = opened(window)
    window.edit_settings("Computing")
    assert [d for d in window.findChildren(SettingsDialog) if d.isVisible()] == [shown]
    assert shown.computing.isVisible()


def test_settings_out_of_their_limits_are_put_aside(tmp_path: Path):
    for number, text in enumerate(('{"cache_gigabytes": 0}', '{"decimal": ";"}', '{"network": 1}')):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        assert Settings(path).complaints

"""Everything that can be pressed or typed into says what it is: to the pointer, or at least to a screen reader."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDialogButtonBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)

from nodegraph.running.engine import Settings as EngineSettings
from ui.actions.keys_dialog import KeysDialog
from ui.app_view.chooser import ChooseDialog
from ui.app_view.form import AppView
from ui.window.main_window import MainWindow
from ui.window.templates import TemplatePicker
from ui.window.tour import take_tour

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
)


@pytest.fixture
def window(qtbot, registry, graph) -> MainWindow:
    made = MainWindow(registry, EngineSettings("tests.toy_nodes", cache=None))
    qtbot.addWidget(made, before_close_func=lambda w: w.document.undo_stack.setClean())
    made.tabs.show_document(made.session.new(graph))
    made.show()
    return made


def parts_of_qt(widget: QWidget) -> bool:
    """What a widget of Qt brings along inside, and speaks for; the buttons of a dialog say what they do."""
    inside = (QAbstractSpinBox, QComboBox, QAbstractItemView, QDialogButtonBox, QLineEdit)
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, inside) or (isinstance(parent, QAbstractScrollArea) and isinstance(widget, QScrollBar)):
            return True
        parent = parent.parentWidget()
    return widget.objectName().startswith("qt_")


def silent(root: QWidget) -> list[str]:
    """The controls without a tooltip or a name."""

    def found() -> Iterator[QWidget]:
        for kind in CONTROLS:
            yield from root.findChildren(kind)

    nameless = (w for w in found() if not w.toolTip() and not w.accessibleName() and not parts_of_qt(w))
    return [f"{type(w).__name__} {w.objectName()} in {type(w.parentWidget()).__name__}" for w in nameless]


def test_every_control_of_the_window_says_what_it_is(window: MainWindow):
    window.canvas.state.select({"settings"})
    for title in window.docks.titles:
        window.docks.show(title)
    assert silent(window) == []


def test_every_action_has_a_tooltip(window: MainWindow):
    assert [id for id, action in window.actions_by_id.items() if not action.toolTip()] == []


def test_every_control_of_the_dialogs_says_what_it_is(qtbot, window: MainWindow):
    dialogs = (
        KeysDialog(window.actions_table, window.settings),
        TemplatePicker(()),
        ChooseDialog(window.document, AppView(window.document, window.runs).app),
        window.find_action(),
        take_tour(window).card,
    )
    for dialog in dialogs:
        qtbot.addWidget(dialog)
    assert [found for dialog in dialogs for found in silent(dialog)] == []


def test_the_app_view_says_what_its_controls_are(qtbot, window: MainWindow):
    view = AppView(window.document, window.runs)
    qtbot.addWidget(view)
    assert silent(view) == []

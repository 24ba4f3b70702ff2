"""What Qt notes of parts that have no style of their own is forgotten with them: it listens to their end."""

import pytest
from PySide6.QtCore import SIGNAL, QEvent, QObject
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QListWidget,
    QPlainTextEdit,
    QTreeWidget,
    QVBoxLayout,
    QWidget,
)

from ui.base.unstyled import let_go
from ui.documents.scope import Scope
from ui.panels.inspector import Inspector
from ui.widgets.fields import ComboBox, NumberBox
from ui.widgets.finder import Entry, Finder


class Styled(QObject):
    """times: how often a widget was given a style since."""

    def __init__(self, part: QWidget) -> None:
        super().__init__()
        self.times = 0
        part.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.times += event.type() == QEvent.Type.StyleChange
        return False


@pytest.fixture
def page(qtbot) -> QWidget:
    qtbot.addWidget(made := QWidget())
    column = QVBoxLayout(made)
    column.addWidget(number := NumberBox(int, 1))
    number.show_value(7)
    column.addWidget(choice := ComboBox())
    choice.addItems(["one", "two"])
    column.addWidget(QPlainTextEdit("text"))
    tree = QTreeWidget()
    tree.setHeaderLabels(["name", "value"])
    column.addWidget(tree)
    made.show()
    qtbot.waitExposed(made)
    return made


def listeners(page: QWidget) -> list[int]:
    """To the end of each part: the lines of numbers, the list of choices, and what is scrolled."""
    parts: list[QWidget] = [area.viewport() for area in page.findChildren(QAbstractScrollArea)]
    parts += [number.lineEdit() for number in page.findChildren(QAbstractSpinBox)]
    parts += [choice.view().window() for choice in page.findChildren(ComboBox)]
    return [part.receivers(SIGNAL("destroyed(QObject*)")) for part in parts]


def test_the_end_of_every_part_is_waited_for_once_a_page_is_let_go(page):
    assert listeners(page) == [0] * 6  # the text, the tree and its header, the list of choices, the number, the choice
    let_go(page)
    assert listeners(page) == [1] * 6


def test_a_page_that_is_let_go_looks_as_before(page, qtbot):
    QApplication.processEvents()
    before = page.grab().toImage()
    let_go(page)
    QApplication.processEvents()
    assert page.grab().toImage() == before


def test_a_page_of_the_inspector_is_let_go_when_another_takes_its_place(qtbot, document):
    inspector = Inspector(Scope(document))
    qtbot.addWidget(inspector)
    inspector.show()
    inspector.show_nodes(("left",))
    number = inspector.rows["value"].editor.findChild(NumberBox)
    styled = Styled(number.lineEdit())
    inspector.show_nodes(())
    assert styled.times >= 2


def test_a_list_of_what_was_found_is_let_go_when_it_closes(qtbot):
    qtbot.addWidget(around := QWidget())
    finder = Finder("Find", lambda typed: [Entry("one", "", "", "red", 1)], around)
    finder.show()
    styled = Styled(finder.findChild(QListWidget).viewport())
    finder.close()
    assert styled.times >= 2

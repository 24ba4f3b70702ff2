"""What can be done about something that is missing, as it is laid out."""

import pytest
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from tests.toy_nodes.pit import REMEDY
from ui.panels.remedy_bar import RemedyBar
from ui.runs.remedies import Remedies


@pytest.mark.parametrize("width", [180, 320, 900])
def test_nothing_overlaps_where_there_is_little_room(qtbot, width: int):
    remedies = Remedies({"clay": REMEDY})
    bar, page = RemedyBar(remedies, "clay"), QWidget()
    qtbot.addWidget(page)
    column = QVBoxLayout(page)
    column.addWidget(QLabel("a problem"))
    column.addWidget(bar)
    page.resize(width, 40)
    page.show()
    remedies.said["clay"] = "The ground is too hard, and the pit could not be dug. " * 3
    remedies.changed.emit()
    qtbot.wait(1)
    page.resize(page.minimumSizeHint().expandedTo(page.size()))
    qtbot.wait(1)
    found = (part for kind in (QLabel, QPushButton, QProgressBar) for part in bar.findChildren(kind))
    parts = [part for part in found if part.isVisible()]
    assert len(parts) == 4
    for part in parts:
        assert bar.rect().contains(part.geometry()), part
        assert not any(part.geometry().intersects(other.geometry()) for other in parts if other is not part)
    assert bar.said.height() >= bar.said.heightForWidth(bar.said.width())

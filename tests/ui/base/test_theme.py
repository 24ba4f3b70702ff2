"""Every theme can be read, and the theme and the size of the text change while the window is open."""

import itertools

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QToolTip,
    QWidget,
)

from nodegraph.types import STYLES
from ui.base import theme
from ui.base.restyle import restyle
from ui.base.theme import CONTRAST, DARK, LEGIBLE, LIGHT, THEMES, color, colors, contrast, tinted

SURFACES = ("canvas", "panel", "raised", "field")
TEXTS = ("text", "dim", "faint", "accent", "running", "done", "failed", "stale")


@pytest.fixture(autouse=True)
def dark_again(qapp):
    yield
    theme.apply(qapp, DARK)


def test_the_contrast_ratio_is_that_of_the_guideline():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the guideline's own example of too little


@pytest.mark.parametrize("name", THEMES)
def test_text_is_legible_on_every_surface(name):
    used = THEMES[name]
    pairs = [*itertools.product(TEXTS, SURFACES), ("text", "selected"), ("accent", "selected"), ("on_accent", "accent")]
    unreadable = {(a, b): contrast(getattr(used, a), getattr(used, b)) for a, b in pairs}
    assert {pair: ratio for pair, ratio in unreadable.items() if ratio < LEGIBLE} == {}


@pytest.mark.parametrize("name", THEMES)
def test_what_is_written_on_a_header_is_legible_whatever_its_colour(name, qapp):
    theme.apply(qapp, THEMES[name])
    used = colors()
    for style in STYLES.values():
        header = tinted(style.color).name()
        ratios = [contrast(text, header) for text in (used.text, used.dim, used.running, used.done, used.failed)]
        assert min(ratios) >= LEGIBLE, style.label


def test_high_contrast_is_three_times_as_much_as_needed():
    assert all(contrast(CONTRAST.text, getattr(CONTRAST, surface)) > 3 * LEGIBLE for surface in SURFACES)


def test_another_theme_is_shown_on_the_canvas_at_once(canvas, qapp: QApplication):
    corner = canvas.rect().bottomRight()
    empty = {canvas.grab().toImage().pixelColor(corner.x() - i, corner.y()).name() for i in range(8)}
    assert DARK.canvas in empty
    theme.apply(qapp, LIGHT)
    empty = {canvas.grab().toImage().pixelColor(corner.x() - i, corner.y()).name() for i in range(8)}
    assert LIGHT.canvas in empty
    assert color(colors().text) == QColor(LIGHT.text)


def test_the_text_of_panels_grows_with_the_scale(qtbot, qapp: QApplication):
    shown = QLabel("Steps")
    qtbot.addWidget(shown)
    shown.show()
    before = shown.sizeHint().height()
    theme.apply(qapp, DARK, 2.0)
    assert shown.sizeHint().height() >= 1.8 * before


class Nested(QWidget):
    """Notes each time that its look is changed."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.changes = 0

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        self.changes += event.type() == QEvent.Type.StyleChange


def test_no_text_that_is_shown_is_taken_for_markup(qtbot, qapp: QApplication):
    """Names of files, prompts and what errors say are as they are; what is meant as markup says so."""
    theme.apply(qapp, DARK)
    name, rich = QLabel("<b>cat</b>.png"), QLabel("<b>Denoodle</b>", textFormat=Qt.TextFormat.RichText)
    box = QMessageBox(QMessageBox.Icon.Question, "Write over", "<b>cat</b>.png is there already")
    for made in (name, rich, box):
        qtbot.addWidget(made)
        made.show()
    QToolTip.showText(QPoint(10, 10), "<img src='cat.png'>", name)
    (tip,) = (made for made in qapp.topLevelWidgets() if made.inherits("QTipLabel"))
    texts = [name, tip, *box.findChildren(QLabel)]
    assert {text.textFormat() for text in texts if text.text()} == {Qt.TextFormat.PlainText}
    assert rich.textFormat() == Qt.TextFormat.RichText
    QToolTip.hideText()


def test_a_widget_has_its_look_changed_as_often_however_many_are_around_it(qtbot, qapp: QApplication):
    outer = inner = Nested(None)
    qtbot.addWidget(outer)
    for _ in range(8):
        inner = Nested(inner)
    outer.show()
    qtbot.waitExposed(outer)
    theme.apply(qapp, LIGHT)
    assert inner.changes == outer.changes == 1


def test_what_is_hidden_hears_of_a_changed_look_once_when_it_is_shown(qtbot, qapp: QApplication):
    outer = Nested(None)
    qtbot.addWidget(outer)
    inner = Nested(outer)
    hidden = Nested(inner)
    inner.hide()
    outer.show()
    qtbot.waitExposed(outer)
    for look in (LIGHT, CONTRAST):
        theme.apply(qapp, look)
    assert (outer.changes, inner.changes, hidden.changes) == (2, 0, 0)
    inner.show()
    assert (outer.changes, inner.changes, hidden.changes) == (2, 1, 1)


def test_the_look_changes_in_pieces_of_a_few_widgets_of_which_some_may_go_meanwhile(qtbot, qapp: QApplication):
    outer = Nested(None)
    qtbot.addWidget(outer)
    parts = [Nested(outer) for _ in range(5 * theme.SOME)]
    outer.show()
    qtbot.waitExposed(outer)
    pieces = theme.applying(qapp, LIGHT)
    next(pieces)
    assert not any(part.changes for part in parts)
    parts.pop().deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    changed: list[int] = []
    for _ in pieces:
        changed.append(sum(part.changes for part in parts) - sum(changed))
    assert sum(changed) == len(parts)
    assert max(changed) <= theme.SOME


def test_a_widget_that_was_unseen_looks_like_the_others_once_it_is_styled(qtbot, qapp: QApplication):
    def form() -> QWidget:
        made = QWidget()
        qtbot.addWidget(made)
        row = QHBoxLayout(made)
        for part in (QPushButton("Run"), QLineEdit("steps"), QLabel("20")):
            row.addWidget(part)
        made.show()
        qtbot.waitExposed(made)
        return made

    seen, unseen = form(), form()
    theme.apply(qapp, LIGHT, 1.3, [unseen])
    restyle(unseen)
    for made in (seen, unseen):
        made.resize(400, 80)
    assert unseen.grab().toImage() == seen.grab().toImage()

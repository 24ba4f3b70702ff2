"""One set of drawings, in the ink of the theme."""

import ast

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QImage

from ui.actions.icons import ICONS
from ui.base import theme
from ui.base.icons import icon
from ui.base.theme import ICON_FOLDER

SHIPPED = {path.stem for path in (ICON_FOLDER / "lucide").glob("*.svg")}
SIZE = QSize(64, 64)


def literals() -> set[str]:
    trees = (ast.parse(path.read_text("utf-8")) for path in ICON_FOLDER.parent.rglob("*.py"))
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def drawn_in(shown: QIcon, ink: str, mode: QIcon.Mode = QIcon.Mode.Normal) -> bool:
    """Whether all that is not transparent has this colour: to two levels, for alpha is multiplied into it and out."""
    image = shown.pixmap(SIZE, mode).toImage().convertToFormat(QImage.Format.Format_ARGB32)
    pixels = (QColor.fromRgba(image.pixel(x, y)) for x in range(image.width()) for y in range(image.height()))
    opaque = [pixel.getRgb() for pixel in pixels if pixel.alpha() > 250]
    wanted = QColor(ink).getRgb()
    return bool(opaque) and all(abs(a - b) <= 2 for found in opaque for a, b in zip(found[:3], wanted[:3], strict=True))


def test_every_action_s_drawing_is_there():
    assert set(ICONS.values()) <= SHIPPED


def test_no_drawing_is_shipped_that_nothing_shows():
    assert literals() >= SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_drawing_has_the_ink_of_the_theme_and_no_other(qapp, name: str):
    assert drawn_in(icon(name), theme.colors().text)


def test_the_same_icon_follows_the_theme(qapp):
    shown, before = icon("play"), theme.colors()
    try:
        for other in theme.THEMES.values():
            theme.apply(qapp, other)
            assert drawn_in(shown, other.text)
            assert drawn_in(shown, other.faint, QIcon.Mode.Disabled)
    finally:
        theme.apply(qapp, before)


def test_a_drawing_that_does_not_exist_is_no_empty_icon(qapp):
    with pytest.raises(FileNotFoundError):
        icon("no-such-drawing")

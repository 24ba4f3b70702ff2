"""Colours, fonts and the style sheet: the one place that says how the program looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from string import Template

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from nodegraph.pieces import Pieces, finish, in_parts
from ui.base.restyle import dress, in_sight, leave_for_later, out_of_sight, undress, unheard

FONT_FOLDER = Path(__file__).parents[1] / "fonts"
ICON_FOLDER = Path(__file__).parents[1] / "icons"
FONT_SIZE = 13  # pixels at scale 1
MIN_SCALE, MAX_SCALE = 0.8, 2.0
LEGIBLE = 4.5  # contrast ratio of text that WCAG 2.2 calls AA
VISIBLE = 3.0  # the same of graphics
SOME = 10  # widgets that are dressed in one piece


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as "#rrggbb", named after what they colour.

    canvas, panel, raised, field and selected are surfaces, seam is between panels; text, dim, faint, accent and the
    states are written on them.
    """

    canvas: str
    seam: str
    grid: str
    panel: str
    raised: str
    field: str
    border: str
    selected: str
    text: str
    dim: str
    faint: str
    accent: str
    on_accent: str
    running: str
    done: str
    failed: str
    stale: str


DARK = Theme(
    canvas="#1a1b1e",
    seam="#17181b",
    grid="#2b2d32",
    panel="#202125",
    raised="#2a2c31",
    field="#17181b",
    border="#383b42",
    selected="#383b42",
    text="#e4e6ea",
    dim="#a6abb5",
    faint="#8e939d",
    accent="#f0b95a",
    on_accent="#20180a",
    running="#7db1ff",
    done="#6fc28d",
    failed="#f58a91",
    stale="#d0ab66",
)
LIGHT = Theme(
    canvas="#eceef1",
    seam="#dfe2e7",
    grid="#d5d8de",
    panel="#f6f7f9",
    raised="#ffffff",
    field="#eff1f4",
    border="#cbd0d8",
    selected="#d3dff2",
    text="#1c1f24",
    dim="#4c525c",
    faint="#626873",
    accent="#8a5200",
    on_accent="#ffffff",
    running="#1256b8",
    done="#1d6b3c",
    failed="#b3242f",
    stale="#7a5200",
)
CONTRAST = Theme(
    canvas="#000000",
    seam="#6a6a6a",
    grid="#3a3a3a",
    panel="#000000",
    raised="#0d0d0d",
    field="#000000",
    border="#b8b8b8",
    selected="#0b3f86",
    text="#ffffff",
    dim="#f0f0f0",
    faint="#c8c8c8",
    accent="#ffd633",
    on_accent="#000000",
    running="#7cc4ff",
    done="#5cff9d",
    failed="#ff8f8f",
    stale="#ffc766",
)
THEMES: Mapping[str, Theme] = {"Dark": DARK, "Light": LIGHT, "High contrast": CONTRAST}

_current = DARK
_scale = 1.0


def colors() -> Theme:
    """The theme in use. Ask for it when painting: it may change while the program runs."""
    return _current


def scale() -> float:
    """Of the panels' text."""
    return _scale


def scaled(pixels: float) -> int:
    """A length of the panels that grows with their text, in pixels. The canvas has its own zoom."""
    return round(pixels * _scale)


STYLE = Template("""
* { font-family: "Inter"; font-size: ${px13}px; color: $text; }
QMainWindow, QDialog, QDockWidget, QMenu, QMessageBox { background: $panel; }
QMainWindow::separator { background: $seam; width: 4px; height: 4px; }
#top { background: $panel; border-bottom: 1px solid $seam; }
QToolBar { background: $panel; border: 0; padding: 5px 8px; spacing: 4px; }
QToolBar::separator { background: $border; width: 1px; margin: 5px 6px; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 5px 11px; }
QToolButton:hover { background: $raised; }
QToolButton:pressed, QToolButton:checked { background: $raised; border-color: $border; }
QToolButton:checked { color: $accent; border-color: $accent; }
QToolButton:disabled { color: $faint; }
QToolBar:left { border: 0; border-right: 1px solid $seam; padding: 6px 3px; spacing: 5px; }
QToolButton#side { padding: 6px; }
QMenuBar { background: $panel; padding: 2px 6px; }
QMenuBar::item { padding: 5px 9px; border-radius: 5px; background: transparent; }
QMenuBar::item:selected { background: $raised; }
QMenu { border: 1px solid $border; padding: 5px; }
QMenu::item { padding: 6px 26px 6px 14px; border-radius: 5px; }
QMenu::item:selected { background: $selected; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $border; margin: 5px 8px; }
QLabel#title { color: $dim; font-size: ${px11}px; font-weight: 600; padding: 9px 14px 4px 14px; }
QStatusBar { background: $panel; border-top: 1px solid $seam; }
QStatusBar QLabel { color: $dim; padding: 2px 8px; }
QStatusBar::item { border: 0; }
QProgressBar { background: $border; border: 0; border-radius: 3px; max-height: 6px; }
QProgressBar::chunk { background: $running; border-radius: 3px; }
QScrollArea, QScrollArea > QWidget > QWidget { background: $panel; border: 0; }
QLineEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox {
    background: $field; border: 1px solid $border; border-radius: 6px; padding: 4px 7px;
    selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:focus, QPlainTextEdit:focus, QAbstractSpinBox:focus, QComboBox:focus { border-color: $accent; }
QLineEdit:disabled, QPlainTextEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled { color: $faint; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: 0; }
QComboBox::drop-down { border: 0; width: 22px; }
QComboBox::down-arrow { image: none; }
QComboBox QAbstractItemView, QListWidget { background: $field; border: 1px solid $border; outline: 0; padding: 3px; }
QListWidget { border: 0; background: $panel; }
QListWidget::item { padding: 5px 8px; border-radius: 5px; }
QListWidget::item:selected, QComboBox QAbstractItemView::item:selected { background: $selected; }
QListWidget#strip::item:selected { border: 1px solid $accent; }
QAbstractItemView { background: $panel; border: 0; outline: 0; selection-background-color: $selected;
    selection-color: $text; }
QTreeView::item, QUndoView::item { padding: 4px 5px; }
QTreeView::item:selected, QUndoView::item:selected { background: $selected; color: $text; }
QHeaderView { background: $panel; }
QHeaderView::section { background: $panel; color: $dim; border: 0; border-bottom: 1px solid $border; padding: 4px 6px; }
QTextBrowser, QTextEdit { background: $field; border: 1px solid $border; border-radius: 6px; padding: 6px; }
QTabWidget::pane { border: 0; }
QTabBar { background: $panel; qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: $dim; border: 0; border-bottom: 2px solid transparent;
    padding: 6px 12px; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:hover:!selected { background: $raised; }
QToolButton#close { color: $dim; padding: 1px 6px; border-radius: 4px; }
QToolButton#close:hover { background: $selected; color: $text; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QSlider::groove:horizontal { background: $border; height: 4px; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::sub-page:horizontal:disabled { background: $border; }
QSlider::handle:horizontal { background: $text; width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; }
QSlider::handle:horizontal:disabled { background: $faint; }
QPushButton { background: $raised; border: 1px solid $border; border-radius: 6px; padding: 5px 14px; }
QPushButton:hover { background: $selected; }
QPushButton:checked { color: $accent; border-color: $accent; }
QPushButton:disabled { color: $faint; background: transparent; }
QPushButton:default { border-color: $accent; }
#run { background: $accent; color: $on_accent; font-weight: 600; padding: 5px 18px; }
#run:hover { background: $hover; }
#run:disabled { background: $raised; color: $faint; }
QPushButton#small { padding: 4px 9px; }
QPushButton#quiet { background: transparent; border: 0; padding: 0 2px; color: $accent; font-size: ${px12}px; }
QPushButton#quiet:hover { color: $text; }
QPushButton#quiet:focus { text-decoration: underline; }
QFrame#rule { color: $border; margin: 4px 0; }
QCheckBox::indicator, QTreeView::indicator {
  width: 15px; height: 15px; border: 1px solid $faint; border-radius: 4px; background: $field;
}
QCheckBox::indicator:checked, QTreeView::indicator:checked {
  background: $accent; border-color: $accent; image: url($check);
}
QFileDialog QToolButton { background: $faint; padding: 3px; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: $border; border-radius: 3px; min-height: 24px; min-width: 24px; }
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {
    background: none; border: 0; width: 0; height: 0; }
QLabel[textFormat="AutoText"], QToolTip { qproperty-textFormat: PlainText; }
QToolTip { background: $raised; border: 1px solid $border; padding: 5px 7px; }
QFrame#palette { background: $panel; border: 1px solid $border; border-radius: 9px; }
QLabel#heading { font-size: ${px16}px; font-weight: 600; }
QLabel#strong { font-weight: 600; }
QLabel#dim { color: $dim; }
QLabel#badge { background: $field; border: 1px solid $faint; border-radius: 4px; padding: 1px 6px;
    font-size: ${px11}px; }
QLabel#small { color: $faint; font-size: ${px12}px; }
QToolButton#problems { color: $failed; padding: 1px 8px; }
QLabel#error { color: $failed; }
QLabel#length { color: $dim; background: $raised; border: 1px solid $border; padding: 2px 6px;
    font-size: ${px12}px; }
QLabel#complaint { color: $failed; background: $raised; border: 1px solid $border; padding: 5px 7px; }
""")


def install(app: QApplication, theme: Theme = DARK, scale: float = 1.0) -> None:
    """Load the fonts and give the application its look. Raises ValueError when a font file is missing."""
    for name in ("Inter-Regular.otf", "Inter-SemiBold.otf"):
        if QFontDatabase.addApplicationFont(str(FONT_FOLDER / name)) < 0:
            raise ValueError(f"the font {FONT_FOLDER / name} cannot be read; reinstall the program")
    app.setStyle("Fusion")
    apply(app, theme, scale)


def apply(app: QApplication, theme: Theme, scale: float = 1.0, unseen: Collection[QWidget] = ()) -> None:
    """`applying`, all at once."""
    finish(applying(app, theme, scale, unseen))


def applying(app: QApplication, theme: Theme, scale: float = 1.0, unseen: Collection[QWidget] = ()) -> Pieces[None]:
    """Change the look: every widget gets a StyleChange event, in which it drops what it has painted.

    What is in sight has the look one after the other. What is hidden has it when it is shown: it takes time that nobody
    needs to wait for.

    scale: of the panels' text, MIN_SCALE..MAX_SCALE. unseen: widgets that Qt calls visible, though they are behind
    others: they, and what is in them, have the look after `restyle.restyle`.
    """
    global _current, _scale
    _current, _scale = theme, min(max(scale, MIN_SCALE), MAX_SCALE)
    for widget in [widget for top in app.topLevelWidgets() for widget in out_of_sight(top, unseen)]:
        leave_for_later(widget)
    # Asked anew: a menu bar may have exchanged its menu of what has no room.
    seen = [widget for top in app.topLevelWidgets() for widget in in_sight(top, unseen)]
    undress(seen)
    with unheard(app):
        _dress_the_program(app, theme)
    yield
    for part in in_parts(seen, SOME):
        for widget in part:
            dress(widget)
        yield


def _dress_the_program(app: QApplication, theme: Theme) -> None:
    # A sheet in place of another is applied to a widget once for each widget around it; in place of none, once.
    app.setStyleSheet("")
    app.setFont(panel_font())
    palette = QPalette(QColor(theme.panel))
    for role, name in _palette(theme).items():
        palette.setColor(role, QColor(name))
    app.setPalette(palette)
    sizes = {f"px{size}": str(scaled(size)) for size in (11, 12, FONT_SIZE, 16)}
    check = ICON_FOLDER / f"check_{'dark' if _luminance(theme.on_accent) < 0.5 else 'light'}.svg"
    hover = mixed(theme.accent, theme.text, 0.2).name()
    app.setStyleSheet(STYLE.substitute(asdict(theme), **sizes, hover=hover, check=check.as_posix()))


def _palette(theme: Theme) -> dict[QPalette.ColorRole, str]:
    """For what a style sheet does not reach, such as links in a text."""
    roles = QPalette.ColorRole
    return {
        roles.Base: theme.panel,
        roles.Text: theme.text,
        roles.WindowText: theme.text,
        roles.ButtonText: theme.text,
        roles.Highlight: theme.selected,
        roles.HighlightedText: theme.text,
        roles.Link: theme.accent,
        roles.LinkVisited: theme.accent,
        roles.PlaceholderText: theme.faint,
    }


def dialog_size(width: int, height: int) -> QSize:
    """Of a dialog that grows with its text, as far as the screen has room. width, height: in pixels, at scale 1."""
    screen = QApplication.primaryScreen().availableSize()
    return QSize(scaled(width), scaled(height)).boundedTo(screen * 0.9)


@lru_cache
def font(size: int = FONT_SIZE, *, strong: bool = False) -> QFont:
    """For the canvas. size: in world units."""
    made = QFont("Inter")
    made.setPixelSize(size)
    made.setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)  # the canvas scales continuously
    return made


def panel_font(size: int = FONT_SIZE, *, strong: bool = False) -> QFont:
    """For what is painted outside the canvas. size: in pixels, before the user's scale."""
    return font(scaled(size), strong=strong)


@lru_cache(maxsize=512)
def color(name: str, alpha: int = 255) -> QColor:
    """name: "#rrggbb"; alpha: 0..255. Shared: do not change it."""
    made = QColor(name)
    made.setAlpha(alpha)
    return made


@lru_cache(maxsize=1024)
def mixed(a: str, b: str, share: float) -> QColor:
    """The colour `share` (0..1) of the way from a to b."""
    parts = zip(_rgb(a), _rgb(b), strict=True)
    return QColor(*(round(x + (y - x) * share) for x, y in parts))


def tinted(name: str) -> QColor:
    """The raised surface with a touch of this colour: as much of it as what is written there can bear."""
    return _tinted(_current, name)


@lru_cache(maxsize=512)
def _tinted(theme: Theme, name: str) -> QColor:
    written = (theme.text, theme.dim, theme.running, theme.done, theme.failed, theme.stale)
    shares = (0.26, 0.22, 0.18, 0.14, 0.1)
    tints = [mixed(theme.raised, name, share) for share in shares]
    legible = (tint for tint in tints if all(contrast(text, tint.name()) >= LEGIBLE for text in written))
    return next(legible, tints[-1])


def inked(name: str) -> str:
    """This colour, mixed with the text's until it stands out from the canvas: for sockets and wires."""
    return _inked(_current, name)


@lru_cache(maxsize=512)
def _inked(theme: Theme, name: str) -> str:
    inks = [mixed(name, theme.text, share).name() for share in (0.0, 0.15, 0.3, 0.45, 0.6)]
    return next((ink for ink in inks if contrast(ink, theme.canvas) >= VISIBLE), inks[-1])


def contrast(a: str, b: str) -> float:
    """The contrast ratio of two colours, 1..21 (WCAG 2.2, "contrast ratio")."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(name: str) -> float:
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in _rgb(name)))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _rgb(name: str) -> tuple[int, int, int]:
    made = QColor(name)
    return made.red(), made.green(), made.blue()

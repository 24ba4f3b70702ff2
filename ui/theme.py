"""Colours, fonts and the style sheet: the one place that says how the program looks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

FONT_FOLDER = Path(__file__).parent / "fonts"
FONT_SIZE = 13  # pixels at scale 1


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as "#rrggbb", named after what they colour."""

    canvas: str = "#1a1b1e"
    grid: str = "#2b2d32"
    panel: str = "#202125"
    raised: str = "#2a2c31"
    field: str = "#17181b"
    border: str = "#383b42"
    text: str = "#e4e6ea"
    dim: str = "#9da2ac"
    faint: str = "#6d727c"
    accent: str = "#f0b95a"
    on_accent: str = "#20180a"
    running: str = "#6ea8fe"
    done: str = "#6fc28d"
    failed: str = "#f07178"
    stale: str = "#c9a25a"


DARK = Theme()

STYLE = Template("""
* { font-family: "Inter"; font-size: ${size}px; color: $text; }
QMainWindow, QDialog, QDockWidget, QMenu, QMessageBox { background: $panel; }
QMainWindow::separator { background: $canvas; width: 4px; height: 4px; }
QToolBar { background: $panel; border: 0; border-bottom: 1px solid $canvas; padding: 5px 8px; spacing: 4px; }
QToolBar::separator { background: $border; width: 1px; margin: 5px 6px; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 5px 11px; }
QToolButton:hover { background: $raised; }
QToolButton:pressed, QToolButton:checked { background: $raised; border-color: $border; }
QToolButton:disabled { color: $faint; }
QToolButton#run { background: $accent; color: $on_accent; font-weight: 600; padding: 5px 18px; }
QToolButton#run:hover { background: #f6cb80; }
QToolButton#run:disabled { background: $raised; color: $faint; }
QMenuBar { background: $panel; padding: 2px 6px; }
QMenuBar::item { padding: 5px 9px; border-radius: 5px; background: transparent; }
QMenuBar::item:selected { background: $raised; }
QMenu { border: 1px solid $border; padding: 5px; }
QMenu::item { padding: 6px 26px 6px 14px; border-radius: 5px; }
QMenu::item:selected { background: $border; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $border; margin: 5px 8px; }
QLabel#title { color: $faint; font-size: 11px; font-weight: 600; padding: 9px 14px 4px 14px; }
QStatusBar { background: $panel; border-top: 1px solid $canvas; }
QStatusBar QLabel { color: $dim; padding: 2px 8px; }
QStatusBar::item { border: 0; }
QProgressBar { background: $field; border: 0; border-radius: 3px; max-height: 6px; }
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
QListWidget::item:selected, QComboBox QAbstractItemView::item:selected { background: $border; }
QSlider::groove:horizontal { background: $field; height: 4px; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::sub-page:horizontal:disabled { background: $border; }
QSlider::handle:horizontal { background: $text; width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; }
QSlider::handle:horizontal:disabled { background: $faint; }
QPushButton { background: $raised; border: 1px solid $border; border-radius: 6px; padding: 5px 14px; }
QPushButton:hover { background: $border; }
QPushButton:default { border-color: $accent; }
QPushButton#small { padding: 4px 9px; }
QPushButton#quiet { background: transparent; border: 0; padding: 0 2px; color: $accent; font-size: 12px; }
QPushButton#quiet:hover { color: $text; }
QPushButton#quiet:focus { text-decoration: underline; }
QFrame#rule { color: $border; margin: 4px 0; }
QCheckBox::indicator { width: 15px; height: 15px; border: 1px solid $border; border-radius: 4px; background: $field; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: $border; border-radius: 3px; min-height: 24px; min-width: 24px; }
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {
    background: none; border: 0; width: 0; height: 0; }
QToolTip { background: $raised; border: 1px solid $border; padding: 5px 7px; }
QFrame#palette { background: $panel; border: 1px solid $border; border-radius: 9px; }
QLabel#heading { font-size: 16px; font-weight: 600; }
QLabel#dim { color: $dim; }
QLabel#error { color: $failed; }
""")


def install(app: QApplication) -> None:
    """Load the fonts and give the application the dark theme. Raises ValueError when a font file is missing."""
    for name in ("Inter-Regular.otf", "Inter-SemiBold.otf"):
        if QFontDatabase.addApplicationFont(str(FONT_FOLDER / name)) < 0:
            raise ValueError(f"the font {FONT_FOLDER / name} cannot be read; reinstall the program")
    app.setStyle("Fusion")
    app.setFont(font())
    palette = QPalette(QColor(DARK.panel))
    palette.setColor(QPalette.ColorRole.Link, QColor(DARK.accent))
    palette.setColor(QPalette.ColorRole.PlaceholderText, QColor(DARK.faint))
    app.setPalette(palette)
    fields = {name: getattr(DARK, name) for name in DARK.__slots__}
    app.setStyleSheet(STYLE.substitute(fields, size=FONT_SIZE))


@lru_cache
def font(size: int = FONT_SIZE, *, strong: bool = False) -> QFont:
    """size: in pixels."""
    made = QFont("Inter")
    made.setPixelSize(size)
    made.setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)  # the canvas scales continuously
    return made


@lru_cache(maxsize=512)
def color(name: str, alpha: int = 255) -> QColor:
    """name: "#rrggbb"; alpha: 0..255. Shared: do not change it."""
    made = QColor(name)
    made.setAlpha(alpha)
    return made


@lru_cache(maxsize=512)
def mixed(a: str, b: str, share: float) -> QColor:
    """The colour `share` (0..1) of the way from a to b."""
    parts = zip(_rgb(a), _rgb(b), strict=True)
    return QColor(*(round(x + (y - x) * share) for x, y in parts))


def _rgb(name: str) -> tuple[int, int, int]:
    made = QColor(name)
    return made.red(), made.green(), made.blue()

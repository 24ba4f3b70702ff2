"""What the queue did while nobody looked, above its list: until a person has read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ui.base.text import amount, duration
from ui.base.theme import colors
from ui.runs.night import Night, Report, Tally
from ui.widgets.buttons import small_button

MOST_LINES = 12


class NightView(QFrame):
    """The newest report that nobody has read; nothing is seen without one."""

    pictures_wanted = Signal(object)  # paths
    failures_wanted = Signal(str, str)  # a document, and why its jobs failed

    def __init__(self, night: Night, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.night = night
        self.setObjectName("palette")
        self.title, self.text = QLabel(wordWrap=True), QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.text.setAccessibleName("What the queue did")
        self.text.linkActivated.connect(self._follow)
        self.dismiss = small_button("Dismiss", night.dismiss, "It is read")
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 6, 8, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.text)
        night.changed.connect(self.show_report)
        self.show_report()

    def show_report(self) -> None:
        reports = self.night.reports
        self.setVisible(bool(reports))
        if reports:
            self.title.setText(heading(reports[-1]))
            lines = [line for number, tally in enumerate(reports[-1].tallies) for line in _lines(number, tally)]
            more = [f"and {amount(len(lines) - MOST_LINES)} more lines"] if len(lines) > MOST_LINES else []
            shown = "<br>".join([*lines[:MOST_LINES], *more])
            self.text.setText(f"<style>a {{ color: {colors().accent}; }}</style>{shown}")

    def changeEvent(self, event: QEvent) -> None:
        """Links have the colour of the theme, which a text does not take by itself."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self.night.reports:
            self.show_report()

    def _follow(self, link: str) -> None:
        what, number, *rest = link.split(":")
        tally = self.night.reports[-1].tallies[int(number)]
        if what == "pictures":
            self.pictures_wanted.emit(tally.pictures)
        else:
            self.failures_wanted.emit(tally.document, tally.reasons[int(rest[0])][0])


def heading(report: Report) -> str:
    """When it was, and whether the queue came to its end."""
    began, ended = map(datetime.fromtimestamp, (report.began, report.ended))
    days = f"{began:%A} {began:%H:%M}" if began.date() != ended.date() else f"{began:%H:%M}"
    when = f"{days} to {ended:%H:%M}, {duration(report.ended - report.began)}"
    if report.whole:
        return f"The queue is done: {sums(report)} ({when})"
    return f"The program ended before the queue was done: {sums(report)} ({when})"


def sums(report: Report) -> str:
    """How many were made, and how many failed."""
    made = f"{amount(report.made)} made"
    return f"{made}, {amount(report.failed)} failed" if report.failed else made


def _lines(number: int, tally: Tally) -> Iterator[str]:
    count = len(tally.pictures)
    made = f"{amount(tally.made)} made in {escape(duration(tally.seconds))}" if tally.made else ""
    shown = "picture" if count == 1 else f"{amount(count)} pictures"
    pictures = f'<a href="pictures:{number}">show the {shown}</a>' if count else ""
    failed = f"{amount(tally.failed)} failed" if tally.failed else ""
    name = escape(tally.document or "Others")
    yield f"<b>{name}</b>: {' · '.join(filter(None, (made, pictures, failed)))}"
    for place, (why, jobs) in enumerate(tally.reasons):
        times = f"{amount(jobs)} × " if jobs > 1 else ""
        yield f'&nbsp;&nbsp;{times}<a href="failed:{number}:{place}">{escape(why)}</a>'

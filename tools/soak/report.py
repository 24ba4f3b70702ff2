"""The samples as a verdict, a table and a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen, QPolygonF

from tools.soak.watch import Sample, Wait

SETTLING = 5.0  # minutes in which pools and caches fill
SHORT = 8.0  # minutes below which a slope says nothing
WAIT = 0.05  # seconds that one event in a hundred may wait
SLOPES = {"uss": 0.1, "files": 0.1, "threads": 0.1, "python": 100.0, "qt": 1.0}
"""What may be added in a minute once it has settled: MB, or a number."""

NAMES = {
    "uss": ("memory of the window's own, MB", 1), "rss": ("with what it shares, MB", 1), "files": ("open files", 0),
    "threads": ("threads", 0), "python": ("Python objects", 0), "qt": ("widgets", 0), "engine": ("engine, MB", 0),
}  # fmt: skip
INKS = ("#2d7ff9", "#12a594", "#e5484d")


@dataclass(frozen=True, slots=True)
class Outcome:
    """evenings: samples of the cleared desk, after each day. faults: exceptions, as text."""

    minutes: float
    evenings: Sequence[Sample]
    waits: Sequence[Wait]
    faults: Sequence[str]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line with the least squares through (x, y); 0 through less than two."""
    count = len(points)
    if count < 2:
        return 0.0
    middle_x, middle_y = (sum(values) / count for values in zip(*points, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def quantile(values: Sequence[float], part: float) -> float:
    """0 of nothing."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def slopes(outcome: Outcome) -> dict[str, float]:
    """By the name of the figure, a minute, since it has settled; in a short run, since the first evening."""
    settled = [s for s in outcome.evenings if s.minute >= SETTLING or outcome.minutes < SHORT]
    return {name: slope([(s.minute, getattr(s, name)) for s in settled]) for name in NAMES}


def broken(outcome: Outcome) -> list[str]:
    """The limits that do not hold, as sentences. The slopes of a short run are not judged."""
    found = [f"an exception: {fault.splitlines()[-1]}" for fault in outcome.faults[:5]]
    late = quantile([wait.seconds for wait in outcome.waits], 0.99)
    if late > WAIT:
        found.append(f"one event in a hundred waits {late * 1000:.0f} ms; {WAIT * 1000:.0f} at most")
    if outcome.minutes >= SHORT:
        for name, value in slopes(outcome).items():
            if value > SLOPES.get(name, float("inf")):
                found.append(f"{NAMES[name][0]}: {value:.3g} more each minute; {SLOPES[name]:g} at most")
    return found


def table(outcome: Outcome) -> str:
    """Markdown: a row for each figure, at the first settled evening and at the last."""
    rows = ["| what | settled | at the end | each minute | at most |", "| --- | --- | --- | --- | --- |"]
    first = next((s for s in outcome.evenings if s.minute >= SETTLING), outcome.evenings[0])
    last, rates = outcome.evenings[-1], slopes(outcome)
    for name, (title, digits) in NAMES.items():
        limit = f"{SLOPES[name]:g}" if name in SLOPES else ""
        values = (f"{getattr(at, name):,.{digits}f}" for at in (first, last))
        rows.append(f"| {title} | {' | '.join(values)} | {rates[name]:+.2f} | {limit} |")
    rows += [
        "",
        "| an event waits, ms | half of them | 99 of 100 | the last | at most |",
        "| --- | --- | --- | --- | --- |",
    ]
    for title, limit, waits in (
        ("in all", f"99 of 100: {WAIT * 1000:.0f}", [wait.seconds for wait in outcome.waits]),
        ("for the window's own computing", "", [wait.busy for wait in outcome.waits]),
    ):
        values = (f"{quantile(waits, part) * 1000:,.1f}" for part in (0.5, 0.99, 1.0))
        rows.append(f"| {title} | {' | '.join(values)} | {limit} |")
    return "\n".join(rows)


def chart(outcome: Outcome, path: Path) -> None:
    """Memory, objects and the longest waits over the minutes, one below the other, as a PNG file."""
    image = QImage(900, 560, QImage.Format.Format_RGB32)
    image.fill(QColor("#ffffff"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(QFont("Inter", 9))
    evenings = outcome.evenings
    lines = (
        ("Memory of the window on a cleared desk, MB", [(s.minute, s.uss) for s in evenings]),
        ("Python objects on a cleared desk, thousands", [(s.minute, s.python / 1000) for s in evenings]),
        ("An event waits, 99 of 100 in a quarter of a minute, ms", _late(outcome)),
    )
    for number, (title, points) in enumerate(lines):
        _draw(painter, QRectF(60, 34 + 180 * number, 820, 130), title, points, outcome.minutes, INKS[number])
    painter.end()
    image.save(str(path))


def _late(outcome: Outcome) -> list[tuple[float, float]]:
    quarters: dict[int, list[float]] = {}
    for wait in outcome.waits:
        quarters.setdefault(int(wait.at // 15), []).append(wait.seconds * 1000)
    places = ((min((quarter + 0.5) / 4, outcome.minutes), values) for quarter, values in quarters.items())
    return [(minute, quantile(values, 0.99)) for minute, values in places]


def _draw(
    painter: QPainter, box: QRectF, title: str, points: list[tuple[float, float]], minutes: float, ink: str
) -> None:
    top = max((y for _, y in points), default=0) * 1.1 or 1.0
    painter.setPen(QColor("#1f2328"))
    painter.drawText(QPointF(box.left(), box.top() - 8), title)
    painter.setPen(QPen(QColor("#d0d7de"), 1))
    for part in (0.0, 0.5, 1.0):
        y = box.bottom() - part * box.height()
        painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
    painter.setPen(QColor("#59636e"))
    for part in (0.0, 0.5, 1.0):
        place = QRectF(0, box.bottom() - part * box.height() - 8, box.left() - 6, 16)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{top * part:.4g}")
    for part in (0.0, 0.5, 1.0):
        at = QRectF(box.left() + part * box.width() - 40, box.bottom() + 2, 80, 16)
        painter.drawText(at, Qt.AlignmentFlag.AlignHCenter, f"{minutes * part:g} min")
    painter.setPen(QPen(QColor(ink), 1.6))
    places = [QPointF(box.left() + x / minutes * box.width(), box.bottom() - y / top * box.height()) for x, y in points]
    painter.drawPolyline(QPolygonF(places))

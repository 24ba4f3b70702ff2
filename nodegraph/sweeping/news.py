"""What happens in a cell, on its way to whoever follows from outside: less of it, and as a line of JSON."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

from nodegraph.running.messages import Event, Failed, Finished, Idle, Planned, Progress, Saved, Started, Warned
from nodegraph.sweeping.sweep import Cell
from nodegraph.types import Picture

SIDE = 256
"""Pixels of a picture that is shown in a grid."""

MOST_BYTES = 3 * SIDE * SIDE
TOLD = {kind.__name__: kind for kind in (Planned, Started, Progress, Finished, Failed, Warned, Saved, Idle)}
"""What happens in a run; the others are of a window's engine."""


def condensed(events: Iterable[Event]) -> list[Event]:
    """The same for who looks now and then: of what a node reports in a row the last, and no picture but the newest."""
    kept: list[Event] = []
    for event in events:
        before = kept[-1] if kept else None
        if isinstance(event, Progress) and isinstance(before, Progress) and before.node == event.node:
            kept[-1] = event._replace(preview=event.preview or before.preview)
        else:
            kept.append(event)
    pictured = [place for place, event in enumerate(kept) if _picture(event) is not None]
    for place in pictured[:-1]:
        kept[place] = _with(kept[place], None)
    for place in pictured[-1:]:
        kept[place] = _with(kept[place], smaller(cast(Picture, _picture(kept[place]))))
    return kept


def smaller(picture: Picture, side: int = SIDE) -> Picture:
    """Every so many-th pixel, so that it has no more than `side` along a side."""
    step = -(-max(picture.width, picture.height) // side)
    if step <= 1:
        return picture
    rows: list[bytes] = []
    for top in range(0, picture.height, step):
        row = picture.rgb[3 * top * picture.width : 3 * (top + 1) * picture.width]
        thin = bytearray(3 * -(-picture.width // step))
        for channel in range(3):
            thin[channel::3] = row[channel :: 3 * step]
        rows.append(bytes(thin))
    return replace(picture, width=len(rows[0]) // 3, height=len(rows), rgb=b"".join(rows))


def _picture(event: Event) -> Picture | None:
    match event:
        case Progress():
            return event.preview
        case Finished():
            return event.picture
        case _:
            return None


def _with(event: Event, picture: Picture | None) -> Event:
    match event:
        case Progress():
            return event._replace(preview=picture)
        case Finished():
            return event._replace(picture=picture)
        case _:
            return event


def line(cell: Cell, event: Event) -> str:
    """{"cell": [index], "event": its class, and its fields}; empty for what does not happen in a run."""
    kind = type(event).__name__
    if kind not in TOLD:
        return ""
    told = {name: _plain(getattr(event, name)) for name in event.__match_args__}
    return json.dumps({"cell": cell, "event": kind, **told})


def event_of(told: dict[str, Any]) -> Event:
    """What such a line tells. Raises ValueError for another."""
    try:
        kind = TOLD[told["event"]]
        return kind(**{name: _meant(told[name]) for name in kind.__match_args__})
    except (KeyError, TypeError, zlib.error) as error:
        raise ValueError(f"it tells of nothing that happens in a run: {error}") from error


def _plain(value: Any) -> Any:
    if not isinstance(value, Picture):
        return value
    rgb = base64.b64encode(zlib.compress(value.rgb, 1)).decode()
    return {"width": value.width, "height": value.height, "rgb": rgb, "count": value.count, "size": value.size}


def _meant(value: Any) -> Any:
    match value:
        case {"width": int(width), "height": int(height), "rgb": str(text), "count": int(count), "size": size}:
            rgb = zlib.decompressobj().decompress(base64.b64decode(text), MOST_BYTES)
            if len(rgb) != 3 * width * height or min(width, height) < 1:
                raise ValueError("it has a picture that is none")
            return Picture(width, height, rgb, max(count, 1), tuple(size) if size else None)
        case list():
            return tuple(cast("list[Any]", value))
        case _:
            return value

"""What happens in a cell, for whoever follows it from another process."""

import json
from dataclasses import replace

import pytest

from nodegraph.running.messages import Failed, Finished, Idle, Planned, Progress, Ready, Saved, Started, Warned
from nodegraph.sweeping.news import MOST_BYTES, SIDE, condensed, event_of, line, smaller
from nodegraph.types import Picture
from tests.examples import each

SMALL = Picture(2, 1, b"abcdef", size=(16, 8))


@each(
    "event",
    [
        Planned(3, 1),
        Started("slow", "k", (0, 2)),
        Progress("slow", 1, 4, SMALL),
        Progress("slow", 2, 4),
        Finished("slow", "k", (), 0.5, False, SMALL, 10, 20),
        Failed("slow", "the box must be red", "box", "Traceback"),
        Warned("it is too old"),
        Saved("print", "a.png", "k"),
        Idle(3, 1, 0.5, True),
    ],
)
def test_an_event_is_the_same_on_the_other_side(event):
    assert event_of(json.loads(line((0, 3), event))) == event


def test_what_happens_in_no_run_is_no_line():
    assert line((0,), Ready(1, 0.5)) == ""


@each(
    "told",
    [
        {},
        {"event": "Ready", "pid": 1, "seconds": 1.0},
        {"event": "Planned", "calls": 1},
        {"event": "Progress", "node": "a", "done": 1, "total": 1,
         "preview": {"width": 9, "height": 9, "rgb": "eJxLBAAAYgBi", "count": 1, "size": None}},
        {"event": "Progress", "node": "a", "done": 1, "total": 1,
         "preview": {"width": 9, "height": 9, "rgb": "YWJj", "count": 1, "size": None}},
    ],
)  # fmt: skip
def test_what_is_none_of_these_lines_is_refused(told):
    with pytest.raises(ValueError, match="it "):
        event_of(told)


def test_of_reports_in_a_row_the_last_is_told_with_the_newest_picture():
    other = replace(SMALL, rgb=b"ghijkl")
    events = [
        Started("slow", "k"),
        Progress("slow", 1, 4, SMALL),
        Progress("slow", 2, 4),
        Finished("slow", "k", (), 0.5, False),
        Started("step", "l"),
        Progress("step", 1, 1, other),
    ]
    assert condensed(events) == [
        events[0],
        Progress("slow", 2, 4),  # its picture is older than that of step
        events[3],
        events[4],
        events[5],
    ]
    assert condensed(events[:3])[-1] == Progress("slow", 2, 4, SMALL)


def test_a_large_picture_keeps_its_colours_at_a_size_for_a_grid():
    rgb = b"".join(bytes([x % 256, y % 256, 7]) for y in range(300) for x in range(600))
    found = smaller(Picture(600, 300, rgb))
    assert (found.width, found.height) == (200, 100)
    assert max(found.width, found.height) <= SIDE
    assert len(found.rgb) == 3 * 200 * 100 <= MOST_BYTES
    assert found.rgb[3 * (200 * 10 + 5) :][:3] == bytes([15, 30, 7])
    assert smaller(SMALL) is SMALL

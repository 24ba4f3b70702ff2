"""Numbers of a large range are dragged as finely as a hand can: on the nodes that ship."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node
from nodegraph.registry import Registry


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover("nodes")


@pytest.fixture
def graph() -> Graph:
    return Graph({"settings": Node("schedule.noise_scheduler", {"steps": 20}, (0, 0))})


def test_from_20_to_6_takes_more_than_the_width_of_a_letter(canvas, hand, row, params):
    """Of 1 to 150, which went by within the row of a node."""
    hand.drag(row("steps"), row("steps") - QPointF(12, 0))
    assert 14 <= params()["steps"] < 20
    hand.drag(row("steps"), row("steps") - QPointF(600, 0))
    assert params()["steps"] == 1


def test_a_range_of_few_steps_goes_by_within_the_row(canvas, hand, row, params):
    hand.drag(row("denoise", 0.9), row("denoise", 0.9) - QPointF(200, 0))
    assert params()["denoise"] == pytest.approx(0.0, abs=0.05)

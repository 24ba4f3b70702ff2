"""Rows of a list that follow each other, which views are told of together."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby


def stretches(rows: Iterable[int]) -> list[tuple[int, int]]:
    """First and last row of each stretch without a gap. rows: rising."""
    found = (list(group) for _, group in groupby(enumerate(rows), lambda place: place[1] - place[0]))
    return [(stretch[0][1], stretch[-1][1]) for stretch in found]

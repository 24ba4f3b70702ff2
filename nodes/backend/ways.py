"""By which way a network is called: the rules, without doing anything, and what was learnt of each card.

eager: every kernel is launched by itself, from Python. graph: all of them are recorded once and launched as one.
compiled: the network's equal blocks are compiled before they are recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from nodegraph.formats.files import read_limited, write_atomic

Way = Literal["eager", "graph", "compiled"]
WAYS: tuple[Way, ...] = get_args(Way)

RECORD_AFTER = 2
"""Calls of a kind that are made eagerly: a first picture does not wait, a shape that is tried once costs nothing."""

TIMED = 3
"""Calls of each way whose time is looked at; the fastest counts."""

GAIN = 0.97
"""A way must take at most this share of another's time to be worth the memory that it holds."""

BUDGET_SECONDS = 10.0
"""What getting ways ready for one kind of call may take in all."""

FILE_BYTES, MOST_KNOWN = 1 << 20, 2000


@dataclass
class Tally:
    """What is known of one kind of call in this process.

    ready: ways that were got ready, or failed to be. seconds: of the timed calls in each way. spent: on getting ready.
    """

    calls: int = 0
    ready: set[Way] = field(default_factory=set[Way])
    failed: set[Way] = field(default_factory=set[Way])
    seconds: dict[Way, list[float]] = field(default_factory=dict[Way, list[float]])
    spent: float = 0.0

    def timed(self, way: Way) -> bool:
        return len(self.seconds.get(way, ())) >= TIMED

    def add(self, way: Way, seconds: float) -> None:
        known = self.seconds.setdefault(way, [])
        if len(known) < TIMED:
            known.append(seconds)


def next_way(tally: Tally, learnt: Way | None, allowed: Iterable[Way]) -> Way:
    """How the next call is made. learnt: what was best in an earlier process; None when nothing is known.

    allowed: ways beside eager that may be tried, in order.
    """
    if tally.calls < RECORD_AFTER:
        return "eager"
    able: list[Way] = [way for way in allowed if way not in tally.failed]
    if learnt is not None and (learnt == "eager" or learnt in able):
        return learnt
    for way in able:
        # What was begun is timed before anything else is tried.
        if way in tally.ready and not tally.timed(way):
            return way
        if way not in tally.ready and tally.spent < BUDGET_SECONDS:
            return way
    return best(tally)


def best(tally: Tally) -> Way:
    """The fastest way by what was timed; one that is not known to be faster is not worth what it holds."""
    found: Way = "eager"
    for way in WAYS:
        if way in tally.ready - tally.failed and _least(tally, way) < GAIN * _least(tally, found):
            found = way
    return found


def _least(tally: Tally, way: Way) -> float:
    return min(tally.seconds.get(way) or (float("inf"),))


def is_settled(tally: Tally, allowed: Iterable[Way]) -> bool:
    """Whether all that may be tried was timed, so that what is best is worth remembering."""
    return bool(tally.seconds.get("eager")) and all(way in tally.failed or tally.timed(way) for way in allowed)


# What was learnt --------------------------------------------------------------------------------------------


class Learnt:
    """The best ways of a card in a file, which other cards have too. A file that cannot be read is as good as none."""

    def __init__(self, place: Path, card: str) -> None:
        self.place, self.card = place, card
        self._known: dict[str, Way] | None = None

    def of(self, call: str) -> Way | None:
        """call: what says of which kind it is."""
        return self._mine().get(call)

    def keep(self, call: str, way: Way) -> None:
        """Remember; when it cannot be written, for this process."""
        mine = self._mine()
        if mine.get(call) == way:
            return
        mine.pop(call, None)
        mine[call] = way
        while len(mine) > MOST_KNOWN:
            del mine[next(iter(mine))]
        try:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.place, json.dumps({**_read(self.place), self.card: mine}, indent=1).encode())
        except OSError:
            return

    def _mine(self) -> dict[str, Way]:
        if self._known is None:
            known = _read(self.place).get(self.card)
            found = cast("Mapping[str, Any]", known).items() if isinstance(known, dict) else ()
            self._known = {call: way for call, way in found if way in WAYS}
        return self._known


def _read(place: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(read_limited(place, FILE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}

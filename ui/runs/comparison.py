"""What there is of a plan's results already, and what they took together. No Qt here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from nodegraph.pieces import Pieces, in_parts
from nodegraph.planning.calls import Call
from nodegraph.types import Picture
from ui.runs.call_records import Known, Records
from ui.runs.node_run import NodeRun, places


@dataclass(slots=True)
class Comparison:
    """By place. outdated: something there was made of other settings, and not of these. lacking: something there was
    not made of these, or failed. there: something was; returned: and of others since. pictures: the last of what is
    there, with its key.
    """

    outdated: set[str] = field(default_factory=set[str])
    lacking: set[str] = field(default_factory=set[str])
    there: set[str] = field(default_factory=set[str])
    returned: set[str] = field(default_factory=set[str])
    pictures: dict[str, tuple[str, Picture]] = field(default_factory=dict[str, tuple[str, Picture]])


def comparing(
    keys: Mapping[str, str], latest: Mapping[str, str], failed: Mapping[str, str], records: Records
) -> Pieces[Comparison]:
    """keys: by node as the engine calls it, of its last call. latest: the same of the last result that was made.

    failed: the same of what failed.
    """
    # What is not planned any more, because of a problem before it, is out of date as well.
    found = Comparison({place for node in latest if node not in keys for place in places(node)})
    for part in in_parts(keys.items()):
        for node, key in part:
            at, before = places(node), latest.get(node)
            if failed.get(node) == key or not (before == key or records.knows(key)):
                found.lacking.update(at)
                if before not in (None, key):
                    found.outdated.update(at)
                continue
            found.there.update(at)
            if before != key:
                found.returned.update(at)
            if picture := records.known(key).picture:
                found.pictures |= dict.fromkeys(at, (key, picture))
        yield
    return found


def returns(run: NodeRun, place: str, found: Comparison) -> bool:
    """Whether all that a place has to show was made before of the settings it has now, and it shows something else."""
    if place not in found.there or run.state == "running":
        return False
    if run.state in ("idle", "failed"):
        return place not in found.lacking
    return place not in found.outdated and (run.stale or place in found.returned)


@dataclass(slots=True)
class Sums:
    """By place: how many calls there are, what computing their results took, in seconds, and the bytes these hold."""

    calls: Counter[str] = field(default_factory=Counter[str])
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict[str, float](float))
    bytes: Counter[str] = field(default_factory=Counter[str])

    def add(self, place: str, known: Known) -> None:
        self.calls[place] += 1
        self.seconds[place] += known.seconds or 0.0
        self.bytes[place] += known.bytes


def summing(calls: Iterable[Call], wanted: Container[str], records: Records) -> Pieces[Sums]:
    """wanted: the places that are asked about."""
    sums = Sums()
    for part in in_parts(calls):
        for call in part:
            for place in places(call.node):
                if place in wanted:
                    sums.add(place, records.known(call.key))
        yield
    return sums

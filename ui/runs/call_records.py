"""What is known of results, by key: how long each took, what it weighs and what it looks like. Bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast, overload

from nodegraph.pieces import Pieces, finish, in_parts
from nodegraph.planning.calls import Call
from nodegraph.planning.keys import has_ref
from nodegraph.types import Picture

PICTURE_BYTES = 64 << 20
"""Pictures kept, so that going back to earlier settings or steps shows them at once."""

MAX_KNOWN = 50_000


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One call of a node, such as one step of a denoising.

    seconds: what computing it took; None when it was not computed since the program started. bytes: what the kept
    result holds. picture: None when there is none (any more).
    """

    call: Call
    seconds: float | None = None
    bytes: int = 0
    picture: Picture | None = None

    @property
    def key(self) -> str:
        return self.call.key

    @property
    def iteration(self) -> tuple[int, ...]:
        """The round of every zone around it, outermost first."""
        return self.call.iteration

    @property
    def values(self) -> dict[str, Any]:
        """Its plain arguments, by parameter."""
        return {name: value for name, value in self.call.args.items() if not has_ref(value)}


class Known(NamedTuple):
    """What the engine said about one result."""

    seconds: float | None = None
    bytes: int = 0
    picture: Picture | None = None


UNKNOWN = Known()


class Records:
    """The calls of each node in the latest run it was in, and what is known of them and of those before."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Call]] = {}  # by engine node id
        self._rounds: dict[str, dict[tuple[int, ...], Call]] = {}  # the same by iteration, of those that were asked for
        self._highest: dict[str, tuple[int, ...]] = {}  # by engine node id, in each zone the last round with a picture
        self._known: OrderedDict[str, Known] = OrderedDict()  # by key, oldest first
        self._pictured: OrderedDict[str, None] = OrderedDict()  # keys of those with a picture, oldest first
        self._used = 0  # bytes of pictures

    def expect(self, calls: Iterable[Call]) -> None:
        """From now on, the steps of their nodes are these, in the order of the plan; other nodes keep theirs."""
        finish(self.expecting(calls))

    def expecting(self, calls: Iterable[Call]) -> Pieces[None]:
        """The same in pieces; known after the last."""
        expected: dict[str, list[Call]] = {}
        for part in in_parts(calls):
            for call in part:
                expected.setdefault(call.node, []).append(call)
            yield
        self._calls |= expected
        for node in expected if self._rounds or self._highest else ():
            self._rounds.pop(node, None)
            self._highest.pop(node, None)
        for part in in_parts(expected.items()):
            for node, calls in part:
                if calls[0].iteration:
                    for call in calls:
                        if self.known(call.key).picture is not None:
                            self.pictured(node, call.iteration)
            yield

    @property
    def loops(self) -> tuple[str, ...]:
        """The nodes that are called inside a zone."""
        return tuple(node for node, calls in self._calls.items() if calls[0].iteration)

    def pictured(self, node: str, iteration: tuple[int, ...]) -> None:
        """There is a picture of a node in a round."""
        before = self._highest.get(node, iteration)
        self._highest[node] = tuple(map(max, before, iteration))

    def highest(self, node: str) -> tuple[int, ...]:
        """In each zone around a node, the last round of which there was a picture; empty when there was none."""
        return self._highest.get(node, ())

    def at(self, node: str, rounds: Sequence[int | None]) -> StepRecord | None:
        """The last call of a node in these rounds of the innermost zones around it; None stands for any round."""
        calls = self._calls.get(node, [])
        if not calls or len(calls[0].iteration) < len(rounds):
            return None
        if None not in rounds and len(rounds) == len(calls[0].iteration):
            if node not in self._rounds:
                self._rounds[node] = {call.iteration: call for call in calls}
            found = self._rounds[node].get(cast("tuple[int, ...]", tuple(rounds)))
        else:
            found = next((call for call in reversed(calls) if _in_rounds(call.iteration, rounds)), None)
        return StepRecord(found, *self.known(found.key)) if found else None

    def known(self, key: str) -> Known:
        return self._known.get(key, UNKNOWN)

    def knows(self, key: str) -> bool:
        """Whether the engine said anything of this result."""
        return key in self._known

    def learn(self, key: str, **fields: Any) -> None:
        """fields: of Known."""
        self._put(key, self.known(key)._replace(**fields))
        self._known.move_to_end(key)
        while self._used > PICTURE_BYTES:
            old = next(iter(self._pictured))
            self._put(old, self.known(old)._replace(picture=None))
        while len(self._known) > MAX_KNOWN:
            old = next(iter(self._known))
            self._put(old, UNKNOWN)
            del self._known[old]

    def _put(self, key: str, known: Known) -> None:
        self._used += _nbytes(known) - _nbytes(self.known(key))
        self._known[key] = known
        self._pictured.pop(key, None)
        if known.picture is not None:
            self._pictured[key] = None

    def steps(self, node: str) -> Sequence[StepRecord]:
        """The calls of a node, first round first, as they are known when one is looked at.

        node: as the engine calls it, such as "denoise/step".
        """
        return _Steps(self._calls.get(node, ()), self.known)


class _Steps(Sequence[StepRecord]):
    """A run tells of thousands of steps thirty times a second; one of them is looked at."""

    def __init__(self, calls: Sequence[Call], known: Callable[[str], Known]) -> None:
        self._calls, self._known = calls, known

    def __len__(self) -> int:
        return len(self._calls)

    @overload
    def __getitem__(self, index: int) -> StepRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StepRecord]: ...
    def __getitem__(self, index: int | slice) -> StepRecord | Sequence[StepRecord]:
        if isinstance(index, slice):
            return _Steps(self._calls[index], self._known)
        call = self._calls[index]
        return StepRecord(call, *self._known(call.key))


def _in_rounds(iteration: tuple[int, ...], rounds: Sequence[int | None]) -> bool:
    inner = iteration[-len(rounds) :]
    return all(wanted in (None, round) for wanted, round in zip(rounds, inner, strict=True))


def _nbytes(known: Known) -> int:
    return len(known.picture.rgb) if known.picture else 0

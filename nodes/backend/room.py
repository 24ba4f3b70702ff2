"""What to do when memory is short: plain decisions on plain numbers, apart from whoever carries them out.

Two questions have an answer here: where a network goes that is about to be used (`to_place`), and what may help a call
that has run out of memory (`after_failure`). Both take the same measures in the same order: let go of what is kept
beside the networks, move whole networks away that nobody uses now, bring the weights of those in use block by block,
work in smaller pieces. The first three change no bit of a result.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Place(Enum):
    """Where the weights of a network are: on the device; a block at a time there; in main memory; in their file."""

    DEVICE = "device"
    BLOCKS = "blocks"
    HOST = "host"
    FILE = "file"


class Held(NamedTuple):
    """A network. here: its bytes on the device now. whole, least: what they are when all of it is there, and when its
    blocks come one by one. in_use: by the running call. later: a later call of the run needs it.
    """

    name: Hashable
    place: Place
    here: int
    whole: int
    least: int
    in_use: bool = False
    later: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """free: bytes that the device would give now. host: what main memory would. kept: what lies on the device beside
    networks and can be made again. held: networks, used longest ago first. moves: whether main memory is another than
    the device's. released: whether this call had what is kept and not in use taken away already. pieces: whether the
    call can work in smaller ones.
    """

    free: int
    host: int = 0
    kept: int = 0
    held: tuple[Held, ...] = ()
    moves: bool = True
    released: bool = False
    pieces: bool = False


@dataclass(frozen=True, slots=True)
class LetGo:
    """Forget what is kept on the device beside networks."""


@dataclass(frozen=True, slots=True)
class Away:
    """Take a network off the device."""

    name: Hashable
    to: Place


@dataclass(frozen=True, slots=True)
class Blocks:
    """Bring the weights of a network in use block by block. stay: bytes of them that may stay on the device."""

    name: Hashable
    stay: int


@dataclass(frozen=True, slots=True)
class Smaller:
    """Let the call work in smaller pieces."""


@dataclass(frozen=True, slots=True)
class Put:
    """Nothing is left to be done first: the network goes there. stay: as for `Blocks`."""

    place: Place
    stay: int = 0


Measure = LetGo | Away | Blocks | Smaller


def to_place(state: State, wanted: Held, beside: int) -> LetGo | Away | Blocks | Put:
    """The next thing to do so that a network can be used. beside: bytes that computing takes besides weights."""
    free = state.free + wanted.here
    if wanted.whole + beside <= free:
        return Put(Place.DEVICE)
    if measure := next(_releases(state, wanted.name), None):
        return measure
    if wanted.least + beside > free and (others := _divisible(state, wanted.name)):
        return Blocks(others[0].name, 0)
    if state.moves and wanted.least < wanted.whole:
        return Put(Place.BLOCKS, max(0, min(free - beside, wanted.whole) - wanted.least))
    return Put(Place.DEVICE)  # whether it fits is now for the device to say


def after_failure(state: State) -> tuple[Measure, ...]:
    """What to do before a call that ran out of memory is tried again; nothing when there is no more.

    The numbers were too good, or the call would not have failed, so that they decide nothing here.
    """
    releases = () if state.released else tuple(_releases(state, None))
    if releases:
        return releases
    if divisible := _divisible(state, None):
        return (Blocks(divisible[0].name, 0),)
    return (Smaller(),) if state.pieces else ()


def _releases(state: State, wanted: Hashable) -> Iterator[LetGo | Away]:
    """What can be taken off the device without slowing the running call: first what the run needs no more."""
    if state.kept:
        yield LetGo()
    idle = [held for held in state.held if held.here and not held.in_use and held.name != wanted]
    host = state.host
    for held in sorted(idle, key=lambda held: held.later):  # stable: of equal ones that which was used longest ago
        fits = state.moves and held.whole <= host
        host -= held.whole if fits else 0
        yield Away(held.name, Place.HOST if fits else Place.FILE)


def _divisible(state: State, wanted: Hashable) -> list[Held]:
    """Networks in use of which less can be on the device, the largest first."""
    found = [held for held in state.held if held.in_use and held.name != wanted and held.here > held.least]
    return sorted(found, key=lambda held: held.least - held.here) if state.moves else []


class Short(NamedTuple):
    """The moment when memory ran out. where: the device, for people. asked: bytes of the request that failed.

    free, total: of the device; None where it does not tell. ours: what this program holds there.
    """

    where: str
    asked: int | None = None
    free: int | None = None
    total: int | None = None
    ours: int = 0

    @property
    def others(self) -> int:
        """What other programs hold."""
        return max(0, self.total - self.free - self.ours) if self.total is not None and self.free is not None else 0

    def is_certain(self) -> bool:
        """Whether the numbers say that there was little."""
        return self.free is None or self.total is None or self.free < self.total // 8

    def __str__(self) -> str:
        told = [f"one piece of {_size(self.asked)} was needed"] if self.asked else []
        if self.free is not None and self.total is not None:
            told.append(f"{_size(self.free)} of {_size(self.total)} were free")
            told.append(f"this program holds {_size(self.ours)}, and others {_size(self.others)}")
        numbers = f": {'; '.join(told)}" if told else ""
        return f"there is not enough memory on {self.where}{numbers}. {self._help()}"

    def _help(self) -> str:
        if self.asked and self.free is not None and self.asked <= self.free + self.others and self.others > self.ours:
            return "Close the other programs that use it, or try a smaller size or batch"
        return "Try a smaller size or batch, fewer models at a time, or close other programs"


def _size(nbytes: int) -> str:
    return f"{nbytes / 2**30:.1f} GB" if nbytes >= 2**29 else f"{nbytes / 2**20:.0f} MB"

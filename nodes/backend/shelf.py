"""The networks that are in memory, and the measures by which there is room for the one that is needed.

What is decided, and in which order, is in `room`; here it is done. A network is known by a key, and its twins share its
weights; what their adapters bring besides lies where the network lies.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch

from nodegraph.failure import bytes_asked, out_of_memory
from nodes.backend import placing, room
from nodes.backend.device_memory import DeviceMemory
from nodes.backend.placing import Copies, Feed
from nodes.backend.room import Away, Blocks, Held, LetGo, Measure, Place, Put, Smaller

K = TypeVar("K", bound=Hashable)

MOST_PIECES = 3
"""How often what a call works on is made smaller before it is too large for the device."""

WORTH = 64 << 20
"""Bytes: with less than that nobody else is helped."""

ENDLESS = 1 << 62
"""Bytes: more than any device has."""

Load = Callable[[Place], Any]
"""A network whose weights are all on the device, or all in main memory."""


@dataclass
class Slot:
    """A network and its adapted twins, newest last.

    whole, least: bytes of the network, and the least of them that must be on the device. here: what is there. added:
    the bytes of adapters, by their files. beside: what computing with it took besides; None: not known yet. run: the
    last one that used it. copies: its weights in main memory.
    """

    base: Any
    place: Place
    whole: int
    least: int
    here: int
    twins: OrderedDict[Any, Any] = field(default_factory=OrderedDict[Any, Any])
    added: dict[Any, int] = field(default_factory=dict[Any, int])
    copies: Copies = field(default_factory=Copies)
    feed: Feed | None = None
    beside: int | None = None
    run: int = -1
    run_of_beside: int = -1

    def modules(self) -> tuple[Any, ...]:
        return (self.base, *self.twins.values())

    def add(self, files: Hashable, nbytes: int) -> None:
        """An adapter was put beside the weights."""
        self.grow(nbytes - self.added.pop(files, 0))
        self.added[files] = nbytes

    def keep(self, files: Collection[Hashable]) -> None:
        """No twin has other adapters than these any more."""
        for gone in [known for known in self.added if known not in files]:
            self.grow(-self.added.pop(gone))

    def grow(self, nbytes: int) -> None:
        self.whole, self.least = self.whole + nbytes, self.least + nbytes
        self.here += nbytes if self.here else 0

    def learn(self, beside: int, run: int) -> None:
        """What a call took besides: of the last run, the most."""
        known = self.beside if self.run_of_beside == run else None
        self.beside, self.run_of_beside = max(beside, known or 0), run


@dataclass
class _Call(Generic[K]):
    """What is known of the running call. uses: its networks, and whether block by block will do for each.

    released: whether what it does not need was taken away already. refused: those for which there was no room: their
    bytes, and the least of them. short: the numbers when memory ran out; certain: whether it surely did.
    """

    number: int = -1
    uses: dict[K, bool] = field(default_factory=dict[K, bool])
    released: bool = False
    pieces: int = 0
    asked_pieces: bool = False
    refused: dict[K, tuple[int, int]] = field(default_factory=dict[K, tuple[int, int]])
    short: room.Short | None = None
    certain: bool = True


class Shelf(Generic[K]):
    """size: what a network will hold, where that is more than its tensors say. kept: what else lies on the device; told
    True, each gives it back; told False, it says how many bytes that would be. before_moving: told before weights leave
    their place, for whoever knows their addresses. taken: the measures of late, the last one at the end.
    """

    def __init__(self, card: DeviceMemory, size: Callable[[Any], int] = lambda module: 0) -> None:
        self.card, self.size = card, size
        self.slots: OrderedDict[K, Slot] = OrderedDict()
        self.kept: list[Callable[[bool], int]] = []
        self.before_moving: list[Callable[[], None]] = []
        self.taken: list[Measure] = []
        self._run = 0
        self._by_blocks: set[K] = set()  # in this run
        self._number: Callable[[], int] | None = None  # of the running call; None while nothing runs
        self._later: Callable[[], Collection[K]] = tuple
        self._call: _Call[K] = _Call()

    # --- networks ---

    def get(self, key: K, load: Load, expected: tuple[int, int], *, divisible: bool = True) -> Slot:
        """The network of this key, where it can be used: on the device, whole or block by block.

        expected: its bytes and the least of them, as far as they are known before it is loaded. divisible: whether
        block by block will do.
        """
        slot, call = self.slots.get(key), self._attend()
        if self._number:
            if not call.uses:
                self.card.begin_peak()
            call.uses[key] = divisible and call.uses.get(key, True)
        usable = slot is not None and (slot.place is Place.DEVICE or (slot.place is Place.BLOCKS and divisible))
        if slot is None or not usable or (slot.place is Place.BLOCKS and slot.run != self._run):
            slot = self._placed(key, load, expected, divisible=divisible)
        slot.run = self._run
        self.slots.move_to_end(key)
        return slot

    def make_room(self, nbytes: int) -> None:
        """For something beside the networks, as an adapter's file: as far as it goes."""
        wanted = Held(None, Place.FILE, 0, nbytes, nbytes)
        self._until_put(wanted, 0)

    def forget(self, keys: Iterable[K]) -> None:
        keys = [key for key in keys if key in self.slots]
        if keys:
            self._about_to_move()
        for key in keys:
            slot = self.slots.pop(key)
            if slot.feed:
                slot.feed.close()
        if keys:
            self.card.release()

    def nbytes(self) -> int:
        """What the networks hold on the device."""
        return sum(slot.here for slot in self.slots.values())

    # --- calls ---

    def begin(self, number: Callable[[], int], later: Callable[[], Collection[K]]) -> None:
        """A run begins. number: of the call that runs, from 0. later: the keys that the calls after it need."""
        self._number, self._later, self._call = number, later, _Call[K]()

    def end(self) -> None:
        """The run is over."""
        self._number, self._later, self._call = None, tuple, _Call[K]()
        self._by_blocks.clear()
        self._run += 1

    def _attend(self) -> _Call[K]:
        """The running call. Asked when it wants something, since most calls want nothing."""
        if self._number and (number := self._number()) != self._call.number:
            self._call = _Call[K](number)
        return self._call

    def peak(self) -> int:
        """Bytes in use on the device at the most since the call first used a network; 0 when that is not known."""
        call = self._attend()
        peak = self.card.peak() if call.uses else 0
        if peak and self.card.moves:
            beside = max(0, peak - self.nbytes())
            for slot in (self.slots[key] for key in call.uses if key in self.slots):
                slot.learn(beside, self._run)
        return peak

    def pieces(self) -> int:
        """How often the running call halves what it works on. Asking says that it could."""
        call = self._attend()
        call.asked_pieces = True
        return call.pieces

    def room_for(self, nbytes: int) -> bool:
        """Whether computing could take so much, once what the call does not need is out of the way."""
        if not self.card.moves:
            return True  # main memory has other limits, and what is shared with it has none of its own
        self.make_room(nbytes)
        return nbytes <= self.card.memory(self.nbytes()).free

    def lend_back(self) -> None:
        """Give unused memory back to the system when there is little left for other programs."""
        memory, slack = self.card.memory(self.nbytes()), self.card.slack()
        if slack > WORTH and memory.free - slack < memory.total // 8:
            self.card.release()

    # --- out of memory ---

    def ran_out(self, error: Exception) -> None:
        """A call has failed; what it made is still there."""
        call = self._attend()
        call.certain = out_of_memory(error)
        try:
            call.short = self.card.short(bytes_asked(error), self.nbytes())
        except RuntimeError:  # the driver has no answer any more
            call.short = room.Short(self.card.name, bytes_asked(error))

    def relieve(self, results: Callable[[], int]) -> bool:
        """Take the next measures, for the call that has just failed; whether there were any.

        results: forgets those results that lie on the device, and says how large they were.
        """
        gc.collect()
        call = self._attend()
        dropped = 0 if call.released else results() + self.card.slack()
        state = self._state(beside_networks=dropped, pieces=call.asked_pieces and call.pieces < MOST_PIECES)
        call.released = True
        measures = room.after_failure(state)
        for measure in measures:
            self._take(measure)
        self.card.release()
        if call.uses:
            self.card.begin_peak()
        return bool(measures)

    def shortage(self) -> str:
        """What was needed when the call failed, and what there was; empty when memory seems not to be the reason."""
        call = self._attend()
        return str(call.short) if call.short and (call.certain or call.short.is_certain()) else ""

    # --- how ---

    def _placed(self, key: K, load: Load, expected: tuple[int, int], *, divisible: bool) -> Slot:
        slot = self.slots.get(key)
        whole, least = (slot.whole, slot.least) if slot else expected
        here = slot.here if slot else 0
        known = slot.beside if slot else None
        wanted = Held(key, slot.place if slot else Place.FILE, here, whole, least if divisible else whole)
        beside = self.card.beside() if known is None else known
        put = self._until_put(wanted, ENDLESS if key in self._by_blocks and divisible else beside)
        try:
            if slot is None:
                slot = self._loaded(key, load, put)
                if put.place is Place.DEVICE and slot.whole > whole:  # more than was expected
                    self._until_put(Held(key, put.place, slot.here, slot.whole, slot.whole), beside)
            if slot.place is not put.place:
                self._note(*([Blocks(key, put.stay)] if put.place is Place.BLOCKS else []))
                self._place(key, put)
        except (RuntimeError, MemoryError):
            if divisible:
                self._call.refused[key] = whole, least
            raise
        self._call.refused.pop(key, None)  # there was room by now
        return slot

    def _until_put(self, wanted: Held, beside: int) -> Put:
        """Make room for a network, measure by measure."""
        let_go = False
        while True:
            step = room.to_place(self._state(kept=not let_go), wanted, beside)
            if isinstance(step, Put):
                return step
            let_go |= isinstance(step, LetGo)
            self._take(step)

    def _loaded(self, key: K, load: Load, put: Put) -> Slot:
        with torch.inference_mode(False):
            where = Place.DEVICE if put.place is Place.DEVICE else Place.HOST
            module = load(where)
        whole = max(self.size(module), placing.nbytes(placing.tensors([module])))
        slot = Slot(module, where, whole, min(whole, placing.least(module)), whole if where is Place.DEVICE else 0)
        self.slots[key] = slot
        return slot

    def _state(self, *, kept: bool = True, beside_networks: int = 0, pieces: bool = False) -> room.State:
        call = self._attend()
        later = set(self._later())
        held = tuple(
            Held(
                key,
                slot.place,
                slot.here,
                slot.whole,
                slot.least if call.uses.get(key, True) else slot.here,
                key in call.uses,
                key in later,
            )
            for key, slot in self.slots.items()
            if key not in self._call.refused
        )
        # What there was no room for counts as if it were there whole, so that it is brought block by block.
        held += tuple(
            Held(key, Place.FILE, least if key in self._by_blocks else whole, whole, least, True)
            for key, (whole, least) in self._call.refused.items()
        )
        lies = beside_networks + (sum(give(False) for give in self.kept) if kept else 0)
        free = self.card.memory(self.nbytes()).free
        host = self.card.host_free() if self.card.moves else 0
        return room.State(free, host, lies, held, self.card.moves, call.released, pieces)

    def _take(self, measure: Measure) -> None:
        self._note(measure)
        match measure:
            case LetGo():
                for give in self.kept:
                    give(True)
                self.card.release()
            case Smaller():
                self._attend().pieces += 1
            case Away() | Blocks():
                # What is not here could not be loaded; it will come block by block.
                key = next((known for known in (*self.slots, *self._call.refused) if known == measure.name), None)
                if key is not None:
                    self._take_of(key, measure)

    def _note(self, *measures: Measure) -> None:
        self.taken += measures
        del self.taken[:-100]

    def _take_of(self, key: K, measure: Away | Blocks) -> None:
        match measure:
            case Away(to=Place.HOST):
                self._place(key, Put(Place.HOST))
            case Away():
                self.forget([key])
            case Blocks():
                self._by_blocks.add(key)
                if key in self.slots and key not in self._call.refused:
                    self._place(key, Put(Place.BLOCKS, measure.stay))

    def _place(self, key: K, put: Put) -> None:
        """Move the weights of a network, and of what its twins have besides; if that fails, they wait in main memory.

        Raises what the device raises when it has no room.
        """
        slot = self.slots[key]
        self._about_to_move()
        try:
            self._move(slot, put)
        except Exception:
            self._retreat(key)
            raise

    def _move(self, slot: Slot, put: Put) -> None:
        _unfeed(slot)
        held, card = placing.tensors(slot.modules()), self.card
        match put.place:
            case Place.DEVICE:
                placing.move(held, lambda t: slot.copies.up(t, card))
                slot.here = slot.whole
            case Place.BLOCKS:
                feed = slot.feed = Feed(card, put.stay)
                for module in slot.modules():
                    feed.join(module, slot.copies)
                placing.move([t for t in held if not feed.has(t)], lambda t: slot.copies.up(t, card))
                slot.here = min(slot.whole, slot.least + put.stay)
            case _:
                placing.move(held, lambda t: slot.copies.down(t, card))
                slot.here = 0
        slot.place = put.place

    def _retreat(self, key: K) -> None:
        try:
            self._move(self.slots[key], Put(Place.HOST))
        except Exception:  # not even there: it is read from its file again
            self.forget([key])

    def _about_to_move(self) -> None:
        for tell in self.before_moving:
            tell()


def _unfeed(slot: Slot) -> None:
    if slot.feed:
        slot.feed.close()
        for module in slot.modules():
            placing.leave_feed(module)
        slot.feed = None

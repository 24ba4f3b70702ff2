"""Memory that is too small: any order of runs, sizes and limits ends in the right result or in one sentence."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from nodegraph.failure import let_go, may_be_memory
from nodes.backend import placing
from nodes.backend.room import Away, Blocks, LetGo, Place, Smaller
from nodes.backend.shelf import MOST_PIECES, Shelf
from tests.examples import examples
from tests.nodes.simulated import SimulatedCard

SIDE, DEPTH = 8, 6
BLOCK = (SIDE * SIDE + SIDE) * 4
WHOLE = DEPTH * BLOCK
LEAST = (placing.IN_FLIGHT + 1) * BLOCK
NAMES = "abcd"
X = torch.linspace(-1, 1, SIDE)[None]


@pytest.fixture(autouse=True, scope="module")
def nothing_to_collect() -> Iterator[None]:
    """As in the engine: what the libraries made at import is not looked through whenever memory runs out."""
    gc.freeze()
    yield
    gc.unfreeze()


class Net(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.blocks = nn.ModuleList([nn.Linear(SIDE, SIDE) for _ in range(DEPTH)])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = torch.tanh(block(x))
        return x


EXPECTED = {name: Net(ord(name))(X).detach() for name in NAMES}


class Call(NamedTuple):
    """A call of some networks, one after the other. takes: bytes, besides weights. smaller: whether it can halve them.

    keeps: bytes that it leaves on the device, which can be made again.
    """

    names: str
    takes: int = 0
    smaller: bool = False
    keeps: int = 0


class Desk:
    """What runs calls as the executor does."""

    def __init__(self, card: SimulatedCard) -> None:
        self.card, self.shelf = card, Shelf[str](card)
        self.loads: list[str] = []
        self.tries = 0
        self.kept: list[Tensor] = []
        self.shelf.kept.append(self._give)

    def _give(self, meant: bool) -> int:
        size = placing.nbytes(self.kept)
        if meant:
            self.kept.clear()
        return size

    def net(self, name: str) -> Any:
        def load(place: Place) -> Net:
            self.loads.append(name)
            net = Net(ord(name)).requires_grad_(False)
            if place is Place.DEVICE:
                placing.move(placing.tensors([net]), lambda t: self.card.up(t.data))
            return net

        return self.shelf.get(name, load, (WHOLE, LEAST)).base

    def run(self, *calls: Call) -> list[Any]:
        """The results, or the sentence in the place of one; a run goes on after a failure."""
        results: list[Any] = []
        self.shelf.begin(
            lambda: len(results), lambda: {name for call in calls[len(results) + 1 :] for name in call.names}
        )
        for call in calls:
            results.append(self._call(call))
        self.shelf.end()
        return results

    def _call(self, call: Call) -> Any:
        self.tries = 0
        while True:
            self.tries += 1
            assert self.tries < 20
            try:
                result = self._made(call)
                self.shelf.peak()
                return result
            except Exception as error:
                if not may_be_memory(error):
                    raise
                self.shelf.ran_out(error)
                failure = error
            let_go(failure)
            del failure
            if not self.shelf.relieve(lambda: 0):
                return self.shelf.shortage()

    def _made(self, call: Call) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        nets = {name: self.net(name) for name in call.names}
        takes = call.takes >> self.shelf.pieces() if call.smaller else call.takes
        with torch.inference_mode(), self.card.computing(takes):
            for name, net in nets.items():
                found[name] = net(X)
        if call.keeps and self.card.used() + call.keeps < self.card.total - self.card.others - self.card.hidden:
            self.kept.append(self.card.up(torch.zeros(call.keeps, dtype=torch.uint8)))
        return found


def is_right(call: Call, result: Any) -> bool:
    return isinstance(result, dict) and all(result[name].equal(EXPECTED[name]) for name in call.names)


sizes = st.integers(0, 3 * WHOLE)
calls = st.builds(
    Call,
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).map("".join),
    st.one_of(st.just(0), sizes),
    st.booleans(),
    st.one_of(st.just(0), st.integers(0, WHOLE)),
)


@example(4483, 0, True, 0, [([Call("a"), Call("ab"), Call("abc")], 54, 974)])  # refused once, and then too large
@examples(50)
@given(
    total=st.integers(LEAST // 2, 6 * WHOLE),
    host=st.sampled_from([0, WHOLE, 2 * WHOLE, 1 << 40]),
    moves=st.booleans(),
    guess=st.sampled_from([0, WHOLE]),
    runs=st.lists(st.tuples(st.lists(calls, min_size=1, max_size=4), sizes, st.integers(0, WHOLE)), max_size=4),
)
def test_any_order_of_runs_sizes_and_limits_ends_in_the_right_result_or_in_the_sentence(
    total: int, host: int, moves: bool, guess: int, runs: list[tuple[list[Call], int, int]]
):
    card = SimulatedCard(total, host, moves=moves)
    card.guess = guess
    desk = Desk(card)
    for run, others, hidden in runs:
        card.others, card.hidden = min(others, total), hidden
        room = total - card.others - hidden
        for call, result in zip(run, desk.run(*run), strict=True):
            if not is_right(call, result):
                assert str(result).startswith("there is not enough memory on the simulated card")
                weights = len(call.names) * (LEAST if moves else WHOLE)
                takes = call.takes >> MOST_PIECES if call.smaller else call.takes
                assert weights + takes > room, "it could have been done"
        assert card.used() <= max(room, 0) or card.others or hidden
        assert card.claimed == 0


def test_what_fits_stays_and_is_loaded_once():
    desk = Desk(SimulatedCard(3 * WHOLE))
    for _ in range(3):
        assert all(isinstance(result, dict) for result in desk.run(Call("a"), Call("b"), Call("c")))
    assert desk.loads == ["a", "b", "c"]
    assert desk.shelf.taken == []


def test_a_change_of_model_and_back_reads_no_file_while_main_memory_has_room():
    desk = Desk(SimulatedCard(WHOLE))
    for _ in range(3):
        assert is_right(Call("a"), *desk.run(Call("a")))
        assert is_right(Call("b"), *desk.run(Call("b")))
    assert desk.loads == ["a", "b"]
    assert desk.shelf.taken[:2] == [Away("a", Place.HOST), Away("b", Place.HOST)]


def test_without_room_in_main_memory_a_model_is_read_again():
    desk = Desk(SimulatedCard(WHOLE, host=0))
    desk.run(Call("a"))
    desk.run(Call("b"))
    assert is_right(Call("a"), *desk.run(Call("a")))
    assert desk.loads == ["a", "b", "a"]


def test_what_the_run_needs_no_more_goes_before_what_it_needs_later():
    desk = Desk(SimulatedCard(2 * WHOLE))
    desk.run(Call("a"), Call("b"), Call("c"), Call("a"))
    assert desk.shelf.taken[0] == Away("b", Place.HOST)  # a was used longer ago, and is needed again


def test_of_models_that_nobody_needs_the_one_used_longest_ago_goes_first():
    desk = Desk(SimulatedCard(2 * WHOLE))
    desk.run(Call("a"))
    desk.run(Call("b"))
    desk.run(Call("a"))
    desk.run(Call("c"))
    assert desk.shelf.taken == [Away("b", Place.HOST)]


def test_a_model_larger_than_the_device_comes_block_by_block_each_before_its_turn():
    card = SimulatedCard(LEAST)
    desk = Desk(card)
    for _ in range(2):
        assert is_right(Call("a"), *desk.run(Call("a")))
    assert desk.shelf.slots["a"].place is Place.BLOCKS
    assert card.peak() <= LEAST
    assert len(card.brought) == 2 * DEPTH + 1  # in the second run each was on its way, and one more for the next


def test_of_a_model_that_nearly_fits_as_many_blocks_stay_as_there_is_room_for():
    card = SimulatedCard(WHOLE - 1)
    desk = Desk(card)
    assert is_right(Call("a"), *desk.run(Call("a")))
    assert {len(sizes) for sizes in card.brought} == {2}
    assert len(card.brought) < DEPTH


def test_the_measures_are_taken_in_their_order_one_try_after_each():
    card = SimulatedCard(4 * WHOLE)
    desk = Desk(card)
    desk.run(Call("a"), Call("b", keeps=WHOLE))

    takes = 8 * (4 * WHOLE - LEAST)  # fits once it is halved three times
    (result,) = desk.run(call := Call("a", takes, smaller=True))
    assert is_right(call, result)
    assert desk.shelf.taken == [LetGo(), Away("b", Place.HOST), Blocks("a", 0), Smaller(), Smaller(), Smaller()]
    assert desk.tries == 6


def test_a_call_that_cannot_fit_ends_in_a_sentence_with_the_numbers():
    card = SimulatedCard(8 << 30)
    card.others = 3 << 30
    desk = Desk(card)
    (result,) = desk.run(Call("a", 7 << 30))
    assert result == (
        "there is not enough memory on the simulated card: one piece of 7.0 GB was needed; 5.0 GB of 8.0 GB were free; "
        "this program holds 0 MB, and others 3.0 GB. Close the other programs that use it, or try a smaller size or "
        "batch"
    )


def test_what_a_failed_try_held_is_given_back_before_the_next():
    card = SimulatedCard(WHOLE + 100)
    desk = Desk(card)
    seen: list[int] = []

    def node() -> None:
        desk.net("a")
        mine = card.up(torch.zeros(100, dtype=torch.uint8))
        seen.append(card.used())
        if len(seen) == 1:
            card.up(mine)

    tried(desk, node)
    assert seen == [WHOLE + 100, 100]  # its blocks are not brought before they run


def tried(desk: Desk, node: Callable[[], None]) -> None:
    desk.shelf.begin(lambda: 0, tuple)
    while True:
        try:
            node()
            return
        except Exception as error:
            desk.shelf.ran_out(error)
            failure = error
        let_go(failure)
        assert desk.shelf.relieve(lambda: 0)


def test_block_by_block_lasts_for_the_run_and_is_not_tried_in_vain_in_the_next():
    card = SimulatedCard(2 * WHOLE)
    desk = Desk(card)
    call = Call("a", 2 * WHOLE - LEAST)
    desk.run(call, call)
    assert desk.tries == 1  # of the second call
    desk.run(call)
    assert desk.tries == 1  # what the last run took is known
    desk.run(Call("a"))
    desk.run(Call("a"))
    assert desk.shelf.slots["a"].place is Place.DEVICE


def test_whoever_knows_addresses_is_told_before_weights_move():
    desk = Desk(SimulatedCard(WHOLE))
    told: list[int] = []
    desk.run(Call("a"))
    desk.shelf.before_moving.append(lambda: told.append(desk.shelf.slots["a"].here))
    desk.run(Call("b"))
    assert told[0] == WHOLE


def test_a_block_that_is_stopped_is_given_back():
    card = SimulatedCard(LEAST)
    desk = Desk(card)
    net = desk.net("a")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    hook = net.blocks[2].register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt), torch.inference_mode():
        net(X)
    hook.remove()
    with torch.inference_mode():
        assert net(X).equal(EXPECTED["a"])
    assert card.used() <= LEAST


def test_what_looks_back_through_a_network_gets_all_of_it():
    card = SimulatedCard(2 * WHOLE)
    desk = Desk(card)
    desk.run(Call("a", 2 * WHOLE - LEAST))
    assert desk.shelf.slots["a"].place is Place.BLOCKS
    slot = desk.shelf.get("a", lambda place: None, (0, 0), divisible=False)
    assert slot.place is Place.DEVICE
    assert slot.base(X).equal(EXPECTED["a"])

"""However a network is called, and whatever was recorded of it before, it gives what calling it gives."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nodes.backend import adapters, additions, families, launch, pool, resident
from nodes.backend.additions import Adapted, LowRank
from nodes.backend.launch import Launcher
from nodes.backend.share import twin
from nodes.backend.ways import Learnt
from tests.examples import each
from tests.nodes.test_between_steps import Case, case, steps
from tests.tape import Deck

__all__ = ["case"]

WIDTH = 6


@pytest.fixture(autouse=True)
def inference(request: pytest.FixtureRequest) -> Iterator[None]:
    """For calls of networks that are made here; those of a family come from the pool, which loads them outside."""
    with torch.inference_mode("case" not in request.fixturenames):
        yield


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Net(nn.Module):
    """Two layers, of which a ControlNet's results may be added in between."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.inference_mode(False):
            self.first, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
            for number, parameter in enumerate(self.parameters()):
                parameter.requires_grad_(False).copy_(noise(*parameter.shape, seed=seed * 10 + number))

    def forward(
        self, x: Tensor, *, added: list[Tensor] | None = None, scale: float = 1.0, flip: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        inner = self.first(x) * scale
        for one in added or ():
            inner = inner + one
        inner.mul_(-1.0 if flip else 1.0)
        return self.last(inner.tanh()), [inner, inner[:1]]


def adapted(net: Net, seed: int, strengths: tuple[float, float]) -> Any:
    """A twin with two LoRAs on each layer."""
    made = twin(net)
    for name in ("first", "last"):
        layer = Adapted(getattr(made, name))
        for file in (0, 1):
            down, up = noise(2, WIDTH, seed=seed + file), noise(WIDTH, 2, seed=seed + file + 5)
            layer.append(file, LowRank(down, up, 0.5))
        setattr(made, name, layer)
    return adapters.with_strengths(made, strengths)


def expected(net: Any, *args: Any, **kwargs: Any) -> Any:
    """Called as it is written, with the same arithmetic."""
    if not (strengths := adapters.strengths_of(net)):
        return net(*args, **kwargs)
    with additions.dialled(torch.tensor(strengths)):
        return net(*args, **kwargs)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, Tensor):
        return ours.equal(theirs)
    return type(ours) is type(theirs) and all(map(same, ours, theirs))


# --- when it records ---


def test_the_first_two_calls_are_made_as_written_and_then_it_is_recorded_once():
    deck = Deck()
    launcher, net = Launcher(deck), Net()
    for call in range(6):
        x = noise(2, WIDTH, seed=call)
        assert same(launcher.call(net, (x,), {}), net(x))
        assert len(deck.tapes) == (call >= 2)
    assert deck.tapes[0].replays == 4
    (told,) = launcher.told()
    assert (told.calls, told.ready, told.seconds) == (6, ("graph",), {"eager": 2.0, "graph": 1.0})


def test_a_result_stays_when_the_next_one_is_made():
    launcher, net = Launcher(Deck()), Net()
    made = [launcher.call(net, (noise(1, WIDTH, seed=call),), {}) for call in range(6)]
    for call, result in enumerate(made):
        assert same(result, net(noise(1, WIDTH, seed=call)))


def test_other_strengths_of_the_same_loras_record_nothing():
    deck = Deck()
    launcher, net = Launcher(deck), Net()
    files = adapted(net, 3, (1.0, 1.0))
    for call, strength in enumerate((0.1, 0.2, 0.3, 0.4, -0.5, 2.0)):
        slid = adapters.with_strengths(files, (strength, 0.7))
        x = noise(1, WIDTH, seed=call)
        assert same(launcher.call(slid, (x,), {}), expected(slid, x))
        assert not same(expected(slid, x), net(x))
    assert len(deck.tapes) == 1


def test_a_lora_that_is_off_costs_nothing_and_is_a_kind_of_call_of_its_own():
    deck = Deck()
    launcher, files = Launcher(deck), adapted(Net(), 3, (1.0, 1.0))
    for call, strengths in enumerate([(1.0, 0.0), (0.5, 0.7)] * 4):
        slid, x = adapters.with_strengths(files, strengths), noise(1, WIDTH, seed=call)
        assert same(launcher.call(slid, (x,), {}), expected(slid, x))
    assert len(deck.tapes) == 2


def test_the_dial_gives_what_strengths_in_layers_give():
    x = noise(3, WIDTH)
    for strengths in [(0.3, 0.0), (0.0, 0.0), (0.9, -2.0)]:
        slid = adapted(Net(), 3, strengths)
        for ours, theirs in zip(expected(slid, x)[1], slid(x)[1], strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)  # multiplied before the second matrix, not after


def linear(outputs: int = 8, inputs: int = 6) -> nn.Linear:
    made = nn.Linear(inputs, outputs)
    made.weight.data, made.bias.data = noise(outputs, inputs, seed=1), noise(outputs, seed=2)
    return made.requires_grad_(False)


def conv() -> nn.Conv2d:
    made = nn.Conv2d(6, 8, 3, padding=1)
    made.weight.data, made.bias.data = noise(8, 6, 3, 3, seed=1), noise(8, seed=2)
    return made.requires_grad_(False)


PAIR = LowRank(noise(2, 6, seed=3), noise(8, 2, seed=4), 0.5)
FACTORS = {"w1_a": noise(8, 2, seed=3), "w1_b": noise(2, 6, seed=4), "w2_a": noise(8, 2), "w2_b": noise(2, 6, seed=6)}
ADDED: dict[str, tuple[Any, Any]] = {
    "LoRA": (linear(), PAIR),
    "LoRA of a convolution": (conv(), LowRank(noise(2, 6, 3, 3, seed=3), noise(8, 2, 1, 1, seed=4), 0.5)),
    "DoRA": (linear(), additions.Decomposed(PAIR, noise(8).abs(), linear().weight)),
    "LoHa": (linear(), additions.Hadamard(FACTORS, 0.5, None, swapped=False)),
    "LoKr": (linear(), additions.Kronecker({"w1": noise(2, 3), "w2": noise(4, 2)}, 0.5, None, swapped=False)),
}


@each(("base", "addition"), ADDED.values())
@each("dtype", [torch.float32, torch.bfloat16])
def test_every_kind_of_addition_takes_its_strength_from_the_dial(base: Any, addition: Any, dtype: torch.dtype):
    layer = Adapted(base)
    layer.append(0, addition)
    layer = layer.with_strengths([0.7]).to(dtype)
    x = (noise(1, 6, 5, 5) if isinstance(base, nn.Conv2d) else noise(3, 6)).to(dtype)
    with additions.dialled(torch.tensor([0.7])):
        ours = layer(x)
    theirs = layer(x)
    assert ours.dtype == dtype
    near = 1e-5 if dtype == torch.float32 else 3e-2  # rounded once more, to 8 bits
    assert torch.allclose(ours.float(), theirs.float(), rtol=near, atol=near * float(theirs.abs().max()))
    assert not torch.allclose(ours.float(), base.to(dtype)(x).float(), rtol=0.1, atol=0.1)


# --- whatever happens in between ---

ACTIONS = st.one_of(
    st.tuples(st.just("call"), st.integers(1, 3), st.sampled_from(["plain", "added", "flipped", "scaled"])),
    st.tuples(st.just("loras"), st.integers(0, 1), st.sampled_from([(0.5, 0.5), (0.5, 0.0), (2.0, -1.0), (0.0, 0.0)])),
    st.tuples(st.sampled_from(["moved", "trained", "exchanged", "forgotten", "failing"]), st.just(0), st.just("")),
)


@given(st.lists(ACTIONS, min_size=5, max_size=60))
def test_any_order_of_shapes_strengths_moves_and_changes_gives_what_calling_gives(actions: list[Any]):
    with torch.inference_mode():
        deck = Deck()
        launcher = Launcher(deck, most_bytes=3000)
        base = Net()
        files = [adapted(base, 3, (1.0, 1.0)), adapted(base, 30, (1.0, 1.0))]
        net: Any = base
        for number, (action, size, what) in enumerate(actions):
            match action:
                case "call":
                    x = noise(size, WIDTH, seed=number)
                    kwargs: dict[str, Any] = {
                        "plain": {},
                        "added": {"added": [noise(size, WIDTH, seed=number + 7)]},
                        "flipped": {"flip": True},
                        "scaled": {"scale": 0.5},
                    }[what]
                    assert same(launcher.call(net, (x,), kwargs), expected(net, x, **kwargs))
                case "loras":
                    net = adapters.with_strengths(files[size], what)
                case "moved":
                    base.first.weight.data = base.first.weight.data.clone()
                case "trained":
                    base.last.weight.data.add_(0.25)
                case "exchanged":
                    base = Net(number)
                    files = [adapted(base, 3, (1.0, 1.0)), adapted(base, 30, (1.0, 1.0))]
                    net = base
                case "forgotten":
                    launcher.forget()
                case _:
                    deck.fails = not deck.fails
            assert launcher.nbytes() <= 3000


def test_what_was_recorded_with_weights_that_are_gone_is_let_go():
    deck = Deck()
    launcher = Launcher(deck)
    for _ in range(4):
        net = Net()
        for call in range(4):
            launcher.call(net, (noise(1, WIDTH, seed=call),), {})
        del net
        gc.collect()
    other = Net()
    launcher.call(other, (noise(1, WIDTH),), {})
    assert launcher.nbytes() == 0
    assert len(deck.tapes) == 4


def test_weights_that_move_again_and_again_are_not_recorded_for_ever():
    deck = Deck()
    launcher, net = Launcher(deck), Net()
    for call in range(20):
        net.first.weight.data = net.first.weight.data.clone()
        x = noise(1, WIDTH, seed=call)
        assert same(launcher.call(net, (x,), {}), net(x))
    assert len(deck.tapes) <= launch.MOST_MOVES


def test_graphs_are_bounded_in_number_and_in_bytes_and_the_latest_stay():
    deck = Deck(nbytes=100)
    launcher, net = Launcher(deck, most_bytes=350), Net()
    for size in range(1, 8):
        for call in range(3):
            launcher.call(net, (noise(size, WIDTH, seed=call),), {})
    assert launcher.nbytes() == 300
    recorded = len(deck.tapes)
    launcher.call(net, (noise(7, WIDTH),), {})
    assert len(deck.tapes) == recorded
    many = Launcher(Deck(nbytes=1))
    for size in range(1, launch.MOST_GRAPHS + 5):
        for call in range(3):
            many.call(net, (noise(size, WIDTH, seed=call),), {})
    assert many.nbytes() == launch.MOST_GRAPHS


def test_what_has_no_room_at_all_is_recorded_once_and_called_as_written_from_then_on():
    deck = Deck(nbytes=1000)
    launcher, net = Launcher(deck, most_bytes=999), Net()
    for call in range(8):
        x = noise(1, WIDTH, seed=call)
        assert same(launcher.call(net, (x,), {}), net(x))
    assert len(deck.tapes) == 1
    assert launcher.nbytes() == 0


# --- what cannot be recorded ---


def test_where_recording_fails_it_is_called_as_written_and_a_line_says_so(caplog: pytest.LogCaptureFixture):
    deck = Deck()
    deck.fails = True
    launcher, net = Launcher(deck), Net()
    with caplog.at_level(logging.INFO):
        for call in range(5):
            x = noise(1, WIDTH, seed=call)
            assert same(launcher.call(net, (x,), {}), net(x))
    (record,) = caplog.records
    assert "operation not permitted when stream is capturing" in record.message


def test_what_is_given_something_that_cannot_be_told_apart_is_called_as_written():
    class Taking(nn.Module):
        def forward(self, x: Tensor, what: object) -> Tensor:
            return x * 2

    deck = Deck()
    launcher, x = Launcher(deck), noise(1, WIDTH)
    for _ in range(5):
        assert launcher.call(Taking(), (x, object()), {}).equal(x * 2)
    assert not deck.tapes


def test_an_error_of_the_network_itself_is_the_callers():
    launcher, net = Launcher(Deck()), Net()
    for _ in range(4):
        with pytest.raises(RuntimeError):
            launcher.call(net, (noise(1, WIDTH + 1),), {})


# --- which way ---


def test_a_graph_that_is_no_faster_is_dropped_and_not_made_again():
    deck = Deck()
    deck.taken["graph"] = 1.99
    launcher, net = Launcher(deck), Net()
    for call in range(12):
        launcher.call(net, (noise(1, WIDTH, seed=call),), {})
    assert len(deck.tapes) == 1
    assert launcher.nbytes() == 0


def test_what_was_best_is_remembered_for_the_card(tmp_path: Path):
    def play(card: str, taken: float, allowed: Any = ("graph",)) -> tuple[Deck, int]:
        deck = Deck()
        deck.taken["graph"] = taken
        launcher, net = Launcher(deck, Learnt(tmp_path / "launches.json", card), allowed), Net()
        for call in range(12):
            launcher.call(net, (noise(1, WIDTH, seed=call),), {})
        return deck, launcher.nbytes()

    assert len(play("slow card", 5.0)[0].tapes) == 1
    assert not play("slow card", 0.1)[0].tapes  # it is known by then
    assert play("other card", 0.1)[1] == 1000


def test_a_third_way_is_tried_after_the_second_and_the_fastest_is_kept():
    for compiled in (0.5, 1.5):
        deck = Deck()
        deck.taken["compiled"] = compiled
        launcher, net = Launcher(deck, allowed=("graph", "compiled")), Net()
        for call in range(16):
            x = noise(1, WIDTH, seed=call)
            assert same(launcher.call(net, (x,), {}), net(x))
        assert (len(deck.tapes), deck.compilations) == (2, 1)
        fastest = deck.tapes[1 if compiled < 1 else 0]
        assert fastest.replays > 5


# --- real networks ---


def test_a_family_recorded_gives_the_very_bits_and_prompts_of_the_same_length_are_no_other_recording(
    case: Case, monkeypatch: pytest.MonkeyPatch
):
    plain = [latent.samples.clone() for latent in steps(case, count=4)]
    other = Case(case.model, case.negative, case.positive)
    swapped = [latent.samples.clone() for latent in steps(other, count=2)]
    deck = Deck()
    launcher = Launcher(deck)
    monkeypatch.setitem(launch.LAUNCHERS, "cpu", lambda device: launcher)
    monkeypatch.setattr(launch, "_launchers", {})
    assert all(map(same, (latent.samples for latent in steps(case, count=4)), plain))
    assert all(map(same, (latent.samples for latent in steps(other, count=2)), swapped))
    same_length = case.positive.embeds.shape == case.negative.embeds.shape
    guided = families.of(case.model.network.family).defaults.guidance_scale != 1
    assert len(deck.tapes) == (2 if guided and not same_length else 1)
    assert deck.tapes[0].replays == (4 if guided or same_length else 2)


class Again:
    """No recording: the call is made again, with what is in its inputs by then."""

    nbytes = 0

    def __init__(self, forward: Any, tensors: Any) -> None:
        self.inputs, self._forward = [tensor.clone() for tensor in tensors], forward
        self.replay()

    def replay(self) -> Any:
        return self._forward(self.inputs)


class Compiler(Deck):
    """Compiles for real, without generating code."""

    def record(self, forward: Any, inputs: Any) -> Any:
        return Again(forward, inputs)

    def compiled(self, net: Any) -> Any:
        self.compilations += 1
        self.made = launch.compiled(net, backend="aot_eager")
        return self.made


@pytest.mark.slow
@pytest.mark.parametrize("case", ["flux"], indirect=True)
def test_compiled_blocks_give_what_the_network_gives(case: Case, monkeypatch: pytest.MonkeyPatch):
    plain = [latent.samples.clone() for latent in steps(case, count=4)]
    compiler = Compiler()
    monkeypatch.setitem(launch.LAUNCHERS, "cpu", lambda device: Launcher(compiler, allowed=("compiled",)))
    monkeypatch.setattr(launch, "_launchers", {})
    for latent, theirs in zip(steps(case, count=4), plain, strict=True):
        assert torch.allclose(latent.samples, theirs, rtol=1e-4, atol=1e-5)  # some sums are in another order
    assert compiler.compilations == 1
    (told,) = launch.told()
    assert told.ready == ("compiled",)
    blocks = [module for module in compiler.made.modules() if module._compiled_call_impl is not None]
    assert len(blocks) >= 2
    net = pool.network(case.model.network)
    assert not any(module._compiled_call_impl is not None for module in net.modules())


def test_a_network_that_does_not_say_what_repeats_is_not_compiled():
    with pytest.raises(ValueError, match="does not say which of its blocks repeat"):
        launch.compiled(Net())


def test_on_a_gpu_convolutions_have_their_weights_as_its_kernels_read_them_and_give_the_same():
    net = nn.Sequential(conv(), nn.SiLU())
    x = noise(2, 6, 9, 7)
    before = net(x)
    assert launch.arranged(net, torch.device("cpu"))[0].weight.is_contiguous()
    arranged = launch.arranged(net, torch.device("cuda"))
    assert arranged[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert not arranged[0].weight.is_contiguous()
    assert torch.allclose(arranged(x), before, rtol=1e-5, atol=1e-5)  # summed in another order
    assert launch.arranged(linear(), torch.device("cuda")).weight.is_contiguous()


def test_outside_inference_a_network_is_simply_called(monkeypatch: pytest.MonkeyPatch):
    deck = Deck()
    monkeypatch.setitem(launch.LAUNCHERS, "cpu", lambda device: Launcher(deck))
    monkeypatch.setattr(launch, "_launchers", {})
    net = Net()
    with torch.inference_mode(False):
        for _ in range(5):
            launch.call(net, torch.ones(1, WIDTH))
    assert not deck.tapes
    for _ in range(5):
        launch.call(net, torch.ones(1, WIDTH))
    assert len(deck.tapes) == 1
    assert launch.nbytes() == launch.forget() == 1000
    assert launch.nbytes() == 0


def test_constants_are_copied_into_a_recording_once():
    deck = Deck()
    launcher, net = Launcher(deck), Net()
    source = noise(1, WIDTH)
    constant = resident.made_once("twice", (source,), lambda: source * 2)
    for call in range(5):
        x = noise(1, WIDTH, seed=call)
        assert same(launcher.call(net, (x,), {"added": [constant]}), net(x, added=[constant]))
    deck.tapes[0].inputs[1].zero_()
    x = noise(1, WIDTH)
    assert same(launcher.call(net, (x,), {"added": [constant]}), net(x, added=[torch.zeros(1, WIDTH)]))

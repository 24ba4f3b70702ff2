"""What a step reads is on the device once, and what it makes leaves it without anybody noticing that it may be late."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nodes.backend import finite, resident, storage
from nodes.backend.resident import Leaving
from nodes.types import History, Latent
from tests.examples import each
from tests.nodes.descriptions import SPACE
from tests.toy_device import DEVICE, OnToy, on_host, toy_device

THERE = torch.device(DEVICE, 0)


class Late:
    """A copy that is made only when somebody waits for it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor, self.waited = tensor, 0

    def arrived(self) -> bool:
        return False

    def into(self, host: Tensor) -> None:
        self.waited += 1
        host.copy_(on_host(self.tensor))


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    resident.free()
    yield
    resident.free()


def leaving(numbers: Tensor) -> Leaving:
    return Leaving.of(Late(numbers), torch.full(numbers.shape, float("nan")))


# --- on the CPU ---


def test_on_the_cpu_everything_stays_where_it_is():
    tensor, cpu = torch.ones(3), torch.device("cpu")
    assert resident.on(tensor, cpu) is tensor
    assert resident.sent(tensor, cpu) is tensor
    assert resident.leave(tensor) is tensor
    assert not resident.is_under_way(tensor)
    assert resident.nbytes() == 0


# --- on its way ---

LOOKS: dict[str, Callable[[Tensor], Any]] = {
    "arithmetic": lambda t: (t + 1).sum().item() - t.numel(),
    "on the right": lambda t: (torch.zeros(2, 3) + t).sum().item(),
    "a method": lambda t: t.sum().item(),
    "in a list": lambda t: torch.cat([torch.zeros(2, 3), t]).sum().item(),
    "in a deeper list": lambda t: torch.block_diag(*[t]).sum().item(),
    "by a name": lambda t: torch.add(input=torch.zeros(2, 3), other=t).sum().item(),
    "a view": lambda t: t[0].sum().item() * 2,
    "a view taken before": lambda t: next(row.sum().item() for row in t) * 2,
    "numpy": lambda t: float(np.asarray(t).sum()),
    "its own numpy": lambda t: float(t.numpy().sum()),
    "a list": lambda t: sum(map(sum, t.tolist())),
    "a copy into another": lambda t: torch.zeros(2, 3).copy_(t).sum().item(),
    "a clone": lambda t: t.clone().sum().item(),
    "detached": lambda t: t.detach().sum().item(),
    "another precision": lambda t: t.double().sum().item(),
    "its address": lambda t: float(np.ctypeslib.as_array(_pointer(t), (6,)).sum()),
    "interpolation": lambda t: torch.nn.functional.interpolate(t[None, None], scale_factor=2).sum().item() / 4,
    "a comparison": lambda t: 6.0 if t.equal(torch.ones(2, 3)) else -1.0,
    "dlpack": lambda t: torch.from_dlpack(t).sum().item(),
}


def _pointer(tensor: Tensor) -> Any:
    import ctypes

    return ctypes.cast(tensor.data_ptr(), ctypes.POINTER(ctypes.c_float))


@each("look", LOOKS.values())
def test_whoever_looks_at_its_numbers_waits_for_them(look: Callable[[Tensor], Any]):
    assert look(leaving(torch.ones(2, 3))) == 6.0


def test_its_shape_and_kind_are_known_at_once():
    tensor = leaving(torch.ones(2, 3))
    assert (tensor.shape, tensor.dtype, tensor.device.type, len(tensor)) == ((2, 3), torch.float32, "cpu", 2)
    assert (tensor.nbytes, tensor.numel(), tensor.is_contiguous(), tensor.is_floating_point()) == (24, 6, True, True)
    assert resident.is_under_way(tensor)


def test_it_is_waited_for_once():
    tensor = leaving(torch.ones(2, 3))
    late: Any = tensor.sent
    for _ in range(3):
        assert tensor.sum() == 6
    assert late.waited == 1
    assert not resident.is_under_way(tensor)


def test_it_is_looked_through_for_numbers_that_are_none_and_stored_like_any_other(tmp_path: Any):
    latent = Latent(leaving(torch.ones(2, 3)), SPACE)
    assert finite.complaint({"latent": Latent(leaving(torch.full((2,), torch.inf)), SPACE)}, {}) is not None
    assert finite.complaint({"latent": latent}, {}) is None
    history = History((leaving(torch.ones(2, 3)),), (1.0,))
    storage.save((latent, history), tmp_path / "result")
    stored, remembered = storage.load(tmp_path / "result")
    assert stored.samples.equal(torch.ones(2, 3))
    assert remembered.denoised[0].equal(torch.ones(2, 3))


# --- made once ---


def test_what_is_made_of_the_same_tensors_is_made_once():
    made: list[int] = []

    def make() -> Tensor:
        made.append(1)
        return torch.ones(2)

    one, other = torch.zeros(3), torch.zeros(3)
    with torch.inference_mode():
        first = resident.made_once("sum", (one, other), make)
        assert resident.made_once("sum", (one, other), make) is first
        assert resident.made_once("sum", (other, one), make) is not first
        assert resident.made_once("product", (one, other), make) is not first
    assert len(made) == 3


def test_in_training_nothing_is_kept_for_what_is_made_may_belong_to_a_gradient():
    source = torch.zeros(3)
    made = [resident.made_once("sum", (source,), lambda: torch.ones(2)) for _ in range(2)]
    assert made[0] is not made[1]
    assert resident.nbytes() == 0


def test_what_was_made_of_tensors_that_are_gone_is_let_go():
    with torch.inference_mode():
        for _ in range(5):
            source = torch.zeros(3)
            resident.made_once("sum", (source,), lambda: torch.ones(2))
            del source
            gc.collect()
        resident.made_once("none", (), lambda: torch.ones(2))
    assert resident.nbytes() == 8


def test_what_is_kept_is_bounded_and_what_was_used_last_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resident, "MAX_BYTES", 40)
    sources = [torch.zeros(1) for _ in range(4)]
    with torch.inference_mode():
        made = [resident.made_once("of", (source,), lambda: torch.ones(4)) for source in sources[:2]]
        assert resident.made_once("of", (sources[0],), lambda: torch.ones(4)) is made[0]
        resident.made_once("of", (sources[2],), lambda: torch.ones(4))
        assert resident.nbytes() == 32
        assert resident.made_once("of", (sources[0],), lambda: torch.ones(4)) is made[0]
        large = resident.made_once("of", (sources[3],), lambda: torch.ones(1000))
        assert resident.made_once("of", (sources[3],), lambda: torch.ones(1000)) is large
    assert resident.free() == 4000


# --- there and back ---


def test_a_tensor_goes_to_the_device_once_and_what_comes_back_is_there_still(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(resident.LANES, DEVICE, Late)
    with toy_device() as counts, torch.inference_mode():
        latent = torch.ones(2, 3)
        there = resident.on(latent, THERE)
        assert isinstance(there, OnToy)
        assert resident.on(latent, torch.device(DEVICE)) is there
        assert counts.between == {"up": 1}
        assert resident.leave(there) is latent
        made = there * 2
        host = resident.leave(made)
        assert resident.leave(made) is host
        assert resident.is_under_way(host)
        assert resident.on(host, THERE) is made
        resident.free()
        assert counts.between == {"up": 1}
        assert on_host(resident.on(host, THERE)).equal(torch.full((2, 3), 2.0))  # waited for, and put there anew
        assert counts.between == {"up": 2}


def test_from_a_device_without_a_way_of_its_own_a_tensor_is_copied_at_once():
    with toy_device() as counts, torch.inference_mode():
        made = resident.on(torch.ones(2, 3), THERE) * 2
        assert resident.leave(made).equal(torch.full((2, 3), 2.0))
        assert counts.between == {"up": 1, "down": 1}


# --- the device itself ---


def test_the_toy_device_refuses_to_mix_and_counts_what_is_waited_for():
    with toy_device() as counts:
        there = torch.ones(3, device=DEVICE)
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            there + torch.ones(3)
        assert (there * 2).sum().item() == 6
        assert bool((there > 0).all())
        assert there[there > 0].shape == (3,)
        assert counts["waits"] == 3
        assert counts["up"] == counts["down"] == 0
        there.copy_(torch.zeros(3))
        assert there.cpu().equal(torch.zeros(3))
        assert (counts["up"], counts["down"]) == (1, 1)

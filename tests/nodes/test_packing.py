"""Packed convolutions compute what the network computes, for every shape, with adapters or without."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nodes.backend import checkpoints, loading, packing, pool, widening
from nodes.backend.share import twin

pytestmark = pytest.mark.skipif(not packing.available(), reason="this torch has no packing operators")


@pytest.fixture(scope="module")
def plain(sd15_folder: Path) -> nn.Module:
    network = checkpoints.checkpoint(str(sd15_folder)).model.network
    return loading.load(network, torch.device("cpu"), torch.float32)


def run(unet: nn.Module, batch: int = 2, side: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x, embeds = torch.randn(batch, 4, side, side, generator=generator), torch.randn(batch, 77, 32, generator=generator)
    with torch.inference_mode():
        return unet(x, 500, embeds).sample


def difference(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


def test_a_packed_network_predicts_the_same(plain: nn.Module):
    # float32: the packed layout sums in another order.
    assert difference(run(packing.packed(twin(plain))), run(plain)) < 1e-5


def test_every_convolution_is_packed(plain: nn.Module):
    kinds = {type(m) for m in packing.packed(twin(plain)).modules() if isinstance(m, nn.Conv2d)}
    assert kinds == {packing.PackedConv2d}


def test_the_result_does_not_depend_on_shapes_seen_before(plain: nn.Module):
    packed = packing.packed(twin(plain))
    first = run(packed)
    run(packed, batch=1, side=16)
    assert torch.equal(run(packed), first)


def test_packing_shares_the_weights(plain: nn.Module):
    packed = packing.packed(twin(plain))
    assert all(a is b for a, b in zip(packed.parameters(), plain.parameters(), strict=True))


def test_twins_share_the_packed_copies(plain: nn.Module):
    packed = packing.packed(twin(plain))
    run(packed)
    assert twin(packed).conv_in._packed is packed.conv_in._packed


def test_reflected_borders_stay_as_they_are():
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    assert {type(m) for m in packing.packed(network)} == {nn.Conv2d}


def test_convolutions_of_half_precision_are_packed_as_they_are_once_widened(plain: nn.Module):
    half = copy.deepcopy(plain).half()
    wide = widening.widened(packing.packed(copy.deepcopy(half)), torch.float32, kept=True)
    assert difference(run(wide), run(half.float())) < 1e-5


def test_a_torch_without_the_operators_runs_the_network_as_it_is(plain: nn.Module, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packing, "available", lambda: False)
    assert not any(isinstance(m, packing.PackedConv2d) for m in packing.packed(twin(plain)).modules())


def test_the_pool_counts_the_packed_copies(sd15_folder: Path):
    pool.free()
    unet = pool.network(checkpoints.checkpoint(str(sd15_folder)).model.network)
    weights = sum(p.nbytes for p in unet.parameters())
    convolutions = sum(m.weight.nbytes for m in unet.modules() if isinstance(m, nn.Conv2d))
    assert pool.nbytes() >= weights + convolutions
    pool.free()


def test_a_strided_convolution_matches():
    conv = nn.Conv2d(8, 16, 3, stride=2, padding=1).requires_grad_(False)
    x = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    packed = packing.packed(nn.Sequential(copy.deepcopy(conv)))
    assert difference(packed(x), conv(x)) < 1e-5

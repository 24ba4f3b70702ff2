"""Whole workflows on a device that is too small: the pictures are those of one that is large enough, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import nodes
from nodegraph.failure import let_go
from nodegraph.node import Context
from nodegraph.running.cache import Cache
from nodes.adapter import lora
from nodes.backend import checkpoints, placing, pool
from nodes.backend.denoise import denoiser
from nodes.backend.keeper import Keeper, warmed
from nodes.backend.room import Away, Blocks, Place
from nodes.backend.shelf import WORTH
from nodes.text import prompt
from nodes.types import AS_STORED, Control, Hint, Latent, Storage
from nodes.vae import decode
from tests import quantised_files, tiny_models
from tests.nodes.simulated import SimulatedCard

LARGEST = 40_000
"""Bytes of a block, so that networks of a megabyte have many."""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(placing, "LARGEST", LARGEST)
    for name in ("blocks", "least"):
        monkeypatch.setattr(getattr(placing, name), "__defaults__", (LARGEST,))
    monkeypatch.setattr(placing.Feed.join, "__defaults__", (LARGEST,))
    pool.configure("cpu")
    pool.free()
    yield
    pool.free()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> SimulatedCard:
    """In the place of the processor, with the same weights: packed ones are the processor's alone."""
    made, load = SimulatedCard(1 << 40), pool._load

    def loaded(description: Any, place: Place) -> Any:
        module = load(description, place)
        if place is Place.DEVICE:
            placing.move(placing.tensors([module]), lambda t: made.up(t.data))
        return module

    monkeypatch.setattr(pool.packing, "packed", lambda module: module)
    monkeypatch.setattr(pool, "_load", loaded)
    monkeypatch.setattr(pool, "shelf", pool.Shelf(made))
    return made


def picture(folder: Path, controlnet: Path, lora_file: Path, storage: Storage = AS_STORED) -> Tensor:
    found = checkpoints.checkpoint(str(folder), storage)
    model, text = lora(found.model, found.text_encoder, str(lora_file), 0.7, 0.7)
    keeper, called_before = Keeper(), list[Any]()
    keeper.begin(lambda: len(called_before), tuple)

    def called(act: Any) -> Any:
        called_before.append(act)
        for _ in range(10):
            try:
                made = act()
                keeper.peak()
                return made
            except torch.OutOfMemoryError as error:
                keeper.ran_out(error)
                failure = error
            let_go(failure)
            assert keeper.relieve(Cache(0)), keeper.shortage()
        raise AssertionError("tried in vain")

    positive, negative = (called(lambda words=words: prompt(text, words)) for words in ("a cat", ""))
    hint = Hint(checkpoints.controlnet(str(controlnet)), torch.ones(1, 3, 64, 64) / 2, 1.0, 0.0, 1.0)
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 14
    for sigma in (14.0, 3.0):
        made = called(
            lambda x=x, sigma=sigma: denoiser(model, positive, negative, 5.0, Control((hint,)), lambda *_: None)(
                x, sigma
            )
        )
        x = x + (made - x) / 2
    pixels = called(lambda: decode(Context(), found.vae, Latent(x, found.vae.space)).pixels)
    keeper.end()
    return pixels


@pytest.fixture(scope="session")
def lora_file(sd15_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.build_lora(tmp_path_factory.mktemp("loras") / "a.safetensors", sd15_folder)


def test_a_picture_on_a_device_that_is_too_small_is_the_same_to_the_bit(
    card: SimulatedCard, sd15_folder: Path, controlnet_folder: Path, lora_file: Path
):
    def drawn() -> Tensor:
        return picture(sd15_folder, controlnet_folder, lora_file)

    expected, whole = drawn(), pool.nbytes()
    sizes = {held.network.role: held.nbytes for held in pool.loaded()}
    together = sizes["unet"] + sizes["controlnet"]
    assert pool.shelf.taken == []
    for total, times in ((together, 1), (together // 2, 2)):
        pool.free()
        card.total = total
        assert total < whole
        for _ in range(times):
            assert drawn().equal(expected)
            assert card.used() <= total
    assert {type(measure) for measure in pool.shelf.taken} >= {Away, Blocks}


@pytest.mark.parametrize(
    "layout", ["float8 by choice", *(pytest.param(layout, marks=pytest.mark.slow) for layout in ("int8", "nvfp4"))]
)
def test_packed_weights_wait_and_come_block_by_block_as_others_do(
    card: SimulatedCard,
    sd15_folder: Path,
    controlnet_folder: Path,
    lora_file: Path,
    single_file: Callable[..., Path],
    layout: str,
):
    whole_file = single_file(sd15_folder)
    by_choice = layout == "float8 by choice"
    packed = whole_file if by_choice else whole_file.with_name("packed.safetensors")
    if not by_choice:
        quantised_files.write(packed, load_file(whole_file), layout)

    def drawn() -> Tensor:
        return picture(packed, controlnet_folder, lora_file, "float8" if by_choice else AS_STORED)

    expected = drawn()
    sizes = {held.network.role: held.nbytes for held in pool.loaded()}
    pool.free()
    card.total = (sizes["unet"] + sizes["controlnet"]) // 2
    assert drawn().equal(expected)
    assert card.used() <= card.total
    assert any(isinstance(measure, Blocks) for measure in pool.shelf.taken)


@pytest.mark.parametrize(
    "family",
    [
        *("flux", "zimage"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("sd3", "sdxl", "sd21")),  # two U-Nets, two streams
    ],
)
def test_the_networks_of_every_family_give_the_same_numbers_block_by_block(
    request: pytest.FixtureRequest, card: SimulatedCard, family: str
):
    found = checkpoints.checkpoint(str(request.getfixturevalue(f"{family}_folder")))
    space = found.model.space
    x = torch.randn(1, space.channels, 8, 8, generator=torch.Generator().manual_seed(0))

    def made() -> list[Tensor]:
        conditioning = prompt(found.text_encoder, "a cat")
        step = denoiser(found.model, conditioning, conditioning, 1.0, None, lambda *_: None)(x, 0.5)
        return [conditioning.embeds, step, decode(Context(), found.vae, Latent(step, space)).pixels]

    expected = made()
    networks = [network for network in pool.shelf.slots if network.role != "vae"]  # which is never divided
    pool.free()
    for network in networks:
        pool.network(network)
        pool.shelf._take(Blocks(network, 0))
    assert {holding.device for holding in nodes.models()} == {"cpu, block by block"}
    for _ in range(2):
        assert all(a.equal(b) for a, b in zip(made(), expected, strict=True))
    assert {pool.shelf.slots[network].place for network in networks} == {Place.BLOCKS}


def test_a_card_is_woken_up_a_step_at_a_time(monkeypatch: pytest.MonkeyPatch):
    assert Keeper().idle() is None  # the processor is awake
    assert len(list(warmed(torch.device("cpu")))) > 5
    monkeypatch.setattr(pool, "_device", torch.device("meta"))
    keeper, pauses = Keeper(), list[float | None]()
    while pauses[-1:] != [2.0]:
        pauses.append(keeper.idle())
    assert set(pauses) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("free", "slack", "given_back"), [(1 << 30, 7 << 30, 1), (7 << 30, 1 << 30, 0), (0, WORTH - 1, 0)]
)
def test_unused_memory_goes_back_when_others_are_short_of_it(
    monkeypatch: pytest.MonkeyPatch, free: int, slack: int, given_back: int
):
    card, released = SimulatedCard(16 << 30), list[int]()
    monkeypatch.setattr(card, "slack", lambda: slack)
    monkeypatch.setattr(card, "memory", lambda held: pool.device_memory.Memory(free + slack, 16 << 30, slack))
    monkeypatch.setattr(card, "release", lambda: released.append(1))
    pool.Shelf[str](card).lend_back()
    assert len(released) == given_back

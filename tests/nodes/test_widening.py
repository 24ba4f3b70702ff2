"""Half-precision files stay mapped as they are, and give the very numbers that converting them first gives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nodes.adapter import lora
from nodes.backend import checkpoints, loading, pool
from nodes.backend.checkpoints import Checkpoint
from nodes.backend.widening import computed_in, widened
from nodes.types import Network
from tests import tiny_models, tiny_modern
from tests.examples import some_slow

CPU = torch.device("cpu")
HALVES = [torch.float16, torch.bfloat16]


@pytest.fixture(params=some_slow(HALVES, HALVES[1:]), ids=["fp16", "bf16"])
def half(request: pytest.FixtureRequest, sd15_folder: Path, single_file: Callable[..., Path]) -> Checkpoint:
    pool.configure("cpu")
    pool.free()
    return checkpoints.checkpoint(str(single_file(sd15_folder, dtype=request.param)))


def inputs(role: str) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(0)
    latent, states = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(1, 77, 32, generator=generator)
    return {
        "unet": (latent, 500, states),
        "vae": (torch.randn(1, 3, 64, 64),),
        "text_encoder": (torch.arange(77)[None],),
    }[role]


def output(module: nn.Module, given: tuple[Any, ...]) -> Tensor:
    with torch.inference_mode():
        return module(*given)[0]


def network_of(found: Checkpoint, role: str) -> Network:
    return {"unet": found.model.network, "vae": found.vae.network, "text_encoder": found.text_encoder.encoders[0]}[role]


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("role", ["unet", "vae", "text_encoder"])
def test_a_network_that_widens_as_it_runs_gives_the_numbers_of_one_that_was_widened(
    half: Checkpoint, role: str, kept: bool
):
    narrow = loading.load(network_of(half, role), CPU, torch.float32)
    whole, given = copy.deepcopy(narrow).float(), inputs(role)
    ours = widened(narrow, torch.float32, kept=kept)
    expected = output(whole, given)
    for _ in range(2):
        assert output(ours, given).equal(expected)
    assert computed_in(ours) == torch.float32


def test_what_runs_once_lets_go_of_its_wide_weights(half: Checkpoint):
    encoder = pool.network(half.text_encoder.encoders[0])
    before = {id(p): p.dtype for p in encoder.parameters()}
    output(encoder, inputs("text_encoder"))
    assert {id(p): p.dtype for p in encoder.parameters()} == before
    assert torch.float32 not in before.values()


def test_it_lets_go_of_them_also_when_it_is_stopped(half: Checkpoint):
    encoder = pool.network(half.text_encoder.encoders[0])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    hook = encoder.encoder.layers[1].mlp.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        output(encoder, inputs("text_encoder"))
    hook.remove()
    assert torch.float32 not in {p.dtype for p in encoder.parameters()}


def test_what_runs_at_every_step_is_widened_once_for_all_its_twins(half: Checkpoint, sd15_folder: Path, tmp_path: Path):
    base = pool.network(half.model.network)
    assert torch.float32 not in {p.dtype for p in base.parameters()}
    path = tiny_models.build_lora(tmp_path / "a.safetensors", sd15_folder)
    adapted = lora(half.model, half.text_encoder, str(path), 1.0, 0.0).model
    output(pool.network(adapted.network, adapted.loras), inputs("unet"))
    addresses = [p.data_ptr() for p in base.parameters()]
    assert {p.dtype for p in base.parameters()} == {torch.float32}
    output(base, inputs("unet"))
    assert [p.data_ptr() for p in base.parameters()] == addresses


def test_a_lora_on_narrow_weights_acts_in_full_precision(half: Checkpoint, sd15_folder: Path, tmp_path: Path):
    path = tiny_models.build_lora(tmp_path / "a.safetensors", sd15_folder)
    text = lora(half.model, half.text_encoder, str(path), 0.0, 1.0).text_encoder
    adapted = pool.network(text.encoders[0], text.loras)
    wide = copy.deepcopy(adapted).float()
    for module in wide.modules():
        module.__class__ = next(kind for kind in type(module).__mro__ if kind.__module__ != "nodes.backend.widening")
    assert output(adapted, inputs("text_encoder")).equal(output(wide, inputs("text_encoder")))


def test_room_is_made_for_what_a_network_will_hold(half: Checkpoint):
    base = pool.network(half.model.network)
    held = pool.nbytes()
    output(base, inputs("unet"))
    assert pool.nbytes() == held


VISION = {
    "qwenimage_edit": (tiny_modern.build_qwen_edit, 14, 3),
    "qwenimage21": (tiny_modern.build_qwen_21, 16, 3),
}
"""Language models that see pictures: what builds them, pixels of a patch a side, and their colours."""


@pytest.mark.parametrize("name", VISION)
def test_pictures_are_not_made_narrower_on_their_way_into_a_network(name: str, tmp_path: Path):
    build, side, colours = VISION[name]
    folder = build(tmp_path / "folder")
    file = folder / "text_encoder" / "model.safetensors"
    save_file({name: tensor.bfloat16() for name, tensor in load_file(file).items()}, file)
    encoder = checkpoints.checkpoint(str(folder)).text_encoder.encoders[0]
    narrow = loading.load(encoder, CPU, torch.float32)
    whole, slot = copy.deepcopy(narrow).float(), narrow.config.image_token_id
    tokens = torch.tensor([[3, slot, slot, slot, slot, 5]])
    given = {
        "input_ids": tokens,
        "pixel_values": torch.rand(16, 2 * colours * side**2, generator=torch.Generator().manual_seed(0)),
        "image_grid_thw": torch.tensor([[1, 4, 4]]),
        "mm_token_type_ids": (tokens == slot).int(),
        "use_cache": False,
    }
    with torch.inference_mode():
        expected = whole(**given)[0]
        assert torch.equal(widened(narrow, torch.float32, kept=False)(**given)[0], expected)

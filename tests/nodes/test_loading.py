"""What is built before the weights come, and what is not done for it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from nodes.backend import loading, parts
from nodes.backend.parts import Part
from nodes.load import checkpoint
from nodes.types import Network

FILLING = {"uniform_", "normal_", "fill_", "zero_"}


class Filled(TorchFunctionMode):
    """Counts the tensors that are filled in place."""

    count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        self.count += getattr(func, "__name__", "") in FILLING
        return func(*args, **(kwargs or {}))


@pytest.fixture(params=["unet", "vae", "text_encoder"])
def part(request: pytest.FixtureRequest, sd15_folder: Path) -> Part:
    model, text_encoder, vae = checkpoint(str(sd15_folder))
    found: dict[str, Network] = {net.role: net for net in (model.network, vae.network, *text_encoder.encoders)}
    return parts.part(found[request.param])


def test_a_network_is_built_without_filling_what_its_file_has(part: Part):
    with Filled() as usual:
        expected = loading.build(part.spec.architecture, part.settings())
    with Filled() as ours:
        built = loading._empty(part.spec.architecture, part.settings())
    assert usual.count > 0
    assert ours.count == 0
    assert {name: t.shape for name, t in built.state_dict().items()} == {
        name: t.shape for name, t in expected.state_dict().items()
    }
    kept = built.state_dict()
    computed = {name: buffer for name, buffer in expected.named_buffers() if name not in kept}
    assert all(torch.equal(built.get_buffer(name), buffer) for name, buffer in computed.items())


def test_whoever_begins_a_training_finds_its_weights_filled_even_after_a_network_that_could_not_be_built(
    part: Part, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loading, "build", None)
    with pytest.raises(TypeError):
        loading._empty(part.spec.architecture, part.settings())
    torch.manual_seed(0)
    layer = nn.Linear(100, 100)
    nn.init.constant_(layer.bias, 2.0)
    assert layer.weight.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.05)  # kaiming: uniform within 1 / sqrt(100)
    assert torch.equal(layer.bias, torch.full((100,), 2.0))

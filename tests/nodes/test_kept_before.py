"""What an earlier version kept is found again: the same keys, the same files, the same values.

`tests/golden` has what version 0.1 wrote in November 2026, before values lost their previews.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import nodes
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.planning.keys import call_key
from nodegraph.planning.plan import Planner
from nodegraph.running.cache import Cache, DiskCache
from nodegraph.running.executor import execute
from nodes.types import (
    Conditioning,
    Control,
    ControlNet,
    Hint,
    History,
    Image,
    Latent,
    Lora,
    Mask,
    Model,
    NoiseSchedule,
    TextEncoder,
    Vae,
    Weights,
)

GOLDEN = Path(__file__).parents[1] / "golden"
WEIGHTS = Weights("models/a", "12-34", ("models/a/x",))
LORA = Lora(Weights("b.safetensors", "5-6", ("b.safetensors",)), 0.5)
MODEL = Model(WEIGHTS, "sd1", "epsilon", NoiseSchedule(), (LORA,))
TEXT_ENCODER = TextEncoder(WEIGHTS, "sd1", (LORA,), 1)
VAE = Vae(WEIGHTS, 4, 8, 512)
CONTROLNET = ControlNet(WEIGHTS, "sd1")


def test_results_of_before_are_not_computed_again(tmp_path: Path):
    shutil.copytree(GOLDEN / "results", tmp_path / "results")
    disk = DiskCache(tmp_path / "results", 1 << 30, nodes.codec())
    targets = ["latent", "grid", "show"]
    planned = Planner(discover("nodes"), "golden").plan(workflow.load(GOLDEN / "results.json"), targets)
    assert planned.problems == ()
    idle = execute(planned, targets, Cache(1 << 30, disk), lambda event: None)
    assert (idle.run, idle.cached) == (0, 7)


def test_every_kind_of_value_is_read_as_it_was_written():
    x = torch.arange(16, dtype=torch.float32).reshape(1, 4, 2, 2)
    written = (
        Latent(x, 8, VAE, 3),
        Image(x[:, :3]),
        Mask(x[:, :1]),
        Conditioning(x[0], "a cat"),
        Control((Hint(CONTROLNET, x[:, :3], 0.5, 0.0, 1.0),)),
        History((x,), (1.5,), (x,), 2),
        MODEL,
        TEXT_ENCODER,
    )
    assert repr(nodes.codec().load(GOLDEN / "values.result")) == repr(written)  # tensors show all they hold


@pytest.mark.parametrize(
    ("description", "key"),
    [
        (MODEL, "903adfb0b8e8c2adfca20e55c1ee329d"),
        (TEXT_ENCODER, "e11a0417afd8c70494aba68c4ff4fc58"),
        (VAE, "9e73dc0cebb582669b678da80768edc9"),
        (CONTROLNET, "8bdbe1bcfe84c30ae35ebf3bd8d5295f"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_description_is_in_keys_what_it_was(description: Any, key: str):
    step = discover("nodes")["sampling.unet_step"]
    assert call_key(step, {"model": description, "sigma": 1.0}, "golden", {}) == key

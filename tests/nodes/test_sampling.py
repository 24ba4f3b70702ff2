"""The step as a node: what it reports, what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nodegraph.node import Cancelled, Context
from nodes.backend import pool
from nodes.load import checkpoint
from nodes.sampling import Denoised, unet_step
from nodes.types import Conditioning, Latent, Space

PROMPT = Conditioning("sd1", "", torch.zeros(1, 77, 32))
SPACE = Space("sd", 4, 8)


class Recorder(Context):
    """Keeps what is reported; stops at the report `stop_at`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.reports: list[tuple[int, int]] = []
        self._stop_at = stop_at

    def progress(self, done: int, total: int, preview: Callable[[], Any] | None = None) -> None:
        self.reports.append((done, total))
        if len(self.reports) == self._stop_at:
            raise Cancelled


@pytest.fixture(scope="module")
def model(sd15_folder: Path):
    return checkpoint(str(sd15_folder)).model


def step(
    ctx: Context, model: Any, latent: Latent | None = None, prompt: Conditioning = PROMPT, **named: Any
) -> Denoised:
    return unet_step(ctx, model, latent or Latent(torch.ones(1, 4, 8, 8), SPACE), prompt, prompt, 2.0, 1.0, **named)


def test_a_step_reports_every_block(model: Any):
    ctx = Recorder()
    step(ctx, model)
    assert ctx.reports == [(done, 6) for done in range(1, 6)]


def test_what_a_step_shows_is_the_clean_picture_it_expects():
    assert unet_step.node_type.shows == "denoised"


def test_a_step_stops_in_the_middle_of_the_network_and_leaves_it_as_it_was(model: Any):
    before = step(Context(), model)
    ctx = Recorder(stop_at=3)
    with pytest.raises(Cancelled):
        step(ctx, model)
    assert len(ctx.reports) == 3
    assert not any(module._forward_hooks for module in pool.network(model.network).modules())
    assert step(Context(), model).latent.samples.equal(before.latent.samples)


def test_results_are_contiguous_and_float32(model: Any):
    latent, denoised, history = step(Context(), model, solver="uni_pc")
    tensors = (latent.samples, denoised.samples, *history.denoised, *history.samples)
    assert all(tensor.is_contiguous() and tensor.dtype == torch.float32 for tensor in tensors)


def test_a_latent_of_another_model_is_refused(model: Any):
    with pytest.raises(ValueError, match="takes 4 latent channels, got 16; use the model's own VAE"):
        step(Context(), model, Latent(torch.ones(1, 16, 8, 8), SPACE))


def test_a_prompt_of_another_model_is_refused(model: Any):
    with pytest.raises(ValueError, match="reads prompts of width 32, got 48; use the model's own text encoder"):
        step(Context(), model, prompt=Conditioning("sd1", "", torch.zeros(1, 77, 48)))

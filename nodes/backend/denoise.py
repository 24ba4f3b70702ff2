"""The denoiser of a model description, with prompts, guidance and hints in it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nodes import fit
from nodes.backend import guidance, pool
from nodes.backend.families import sd
from nodes.backend.solvers import Denoiser
from nodes.types import Control, Model

Report = Callable[[int, int], None]
"""(done, total) parts of one evaluation of the network; may raise to stop it."""


def denoiser(
    model: Model,
    positive: Tensor,
    negative: Tensor,
    guidance_scale: float,
    control: Control | None,
    report: Report,
) -> Denoiser:
    """D(x, sigma). positive, negative: [1 or batch, tokens, width].

    Raises ValueError when it is given a prompt or a latent that was made for another model.
    """
    for hint in control.hints if control else ():
        fit.check_controlnet(model, hint.controlnet)
    unet = pool.unet(model)
    hints = [(pool.controlnet(hint.controlnet), hint) for hint in control.hints] if control else []
    sd.check_prompts(unet, positive, negative)

    @torch.inference_mode()
    def denoise(x: Tensor, sigma: float) -> Tensor:
        sd.check_latent(unet, x)
        for _, hint in hints:
            fit.check_pictures(len(x), len(hint.pixels))
        with reporting(unet, report):
            return guidance.guided(
                lambda x, embeds: sd.denoise(unet, model, hints, x, sigma, embeds),
                x,
                positive,
                negative,
                guidance_scale,
            )

    return denoise


@contextmanager
def reporting(unet: Any, report: Report) -> Generator[None]:
    """Report after every block of the network: a large one takes many seconds, and Stop must not wait for its end."""
    middle = [unet.mid_block] if unet.mid_block is not None else []  # distilled networks have none
    blocks = [*unet.down_blocks, *middle, *unet.up_blocks]
    total = len(blocks) + 1  # what follows the last block counts as one more

    def said(done: int) -> Callable[..., None]:
        return lambda *_: report(done, total)

    hooks = [block.register_forward_hook(said(done)) for done, block in enumerate(blocks, 1)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

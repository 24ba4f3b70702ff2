"""What an inpainting model is shown of the picture that it completes."""

from __future__ import annotations

from torch import Tensor

from nodes.backend.families.family import Asked
from nodes.types import Conditioning, Masked


def inputs(asked: Asked) -> tuple[Tensor, Tensor]:
    """The latents with the masked part taken out, [prompts * batch, channels, height, width], and the masks, in pixels.

    Raises ValueError when a prompt brings none.
    """
    return (
        asked.each(lambda prompt: _of(prompt).latent),
        asked.each(lambda prompt: _of(prompt).mask),
    )


def _of(prompt: Conditioning) -> Masked:
    if prompt.masked is None:
        raise ValueError("the model completes pictures, and the prompt brings none; use Inpaint conditioning")
    return prompt.masked

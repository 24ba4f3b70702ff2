"""Models from files."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from nodegraph.node import File, node
from nodes.types import Model, TextEncoder, Vae


class Parts(NamedTuple):
    model: Model
    text_encoder: TextEncoder
    vae: Vae


@node("load.checkpoint", title="Load checkpoint", aliases=("model", "Stable Diffusion", "checkpoint loader"))
def checkpoint(path: Annotated[str, File((".safetensors",), folder=True)] = "models/starter") -> Parts:
    """A Stable Diffusion 1.x model: its denoiser, text encoder and VAE.

    path: a .safetensors file of the original layout, or a folder of the diffusers layout. A relative path is looked
    up in the working folder, then in the program's own. Nothing is loaded before it is used.
    """
    from nodes.backend import checkpoints

    return Parts(*checkpoints.checkpoint(path))


@node("load.pixel_model", title="Load pixel model", aliases=("pixel space", "DDPM"))
def pixel_model(path: Annotated[str, File(folder=True)] = "models/starter/pixel") -> Model:
    """A denoiser that works on the pixels themselves, without a VAE: a folder with unet/ and scheduler/.

    It brings no text encoder; use that of the checkpoint whose prompts it was trained with.
    """
    from nodes.backend import checkpoints

    return checkpoints.pixel_model(path)

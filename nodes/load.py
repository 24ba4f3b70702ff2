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

"""Models from files."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from nodegraph.node import File, node
from nodes.backend.kinds import CHECKPOINT, DENOISER, PIXEL_MODEL, TEXT_ENCODER, VAE
from nodes.types import AS_STORED, Model, Storage, TextEncoder, Vae

SUFFIXES = (".safetensors",)
WITH_GGUF = (*SUFFIXES, ".gguf")
CheckpointFile = Annotated[str, File(SUFFIXES, folder=True, kinds=(CHECKPOINT,))]
DenoiserFile = Annotated[str, File(WITH_GGUF, folder=True, kinds=(DENOISER, CHECKPOINT))]
EncoderFile = Annotated[str, File(WITH_GGUF, folder=True, kinds=(TEXT_ENCODER, CHECKPOINT))]
VaeFile = Annotated[str, File(SUFFIXES, folder=True, kinds=(VAE, CHECKPOINT))]


class Parts(NamedTuple):
    model: Model
    text_encoder: TextEncoder
    vae: Vae


@node("load.checkpoint", title="Load checkpoint", aliases=("model", "Stable Diffusion", "checkpoint loader"))
def checkpoint(path: CheckpointFile = "models/starter", weights: Storage = AS_STORED) -> Parts:
    """A model of any family that this program knows: its denoiser, text encoders and VAE.

    path: a .safetensors file of the original layout, or a folder of the diffusers layout. A relative path is looked
    up in the working folder, then in the program's own. Nothing is loaded before it is used.
    weights: in eight bits, the large matrices of the denoiser take half the memory, and pictures change a little: with
    int8 least, with "float8, fast" most, which is for cards that multiply such numbers.
    """
    from nodes.backend import checkpoints

    return Parts(*checkpoints.checkpoint(path, weights))


@node("load.denoiser", title="Load denoiser", aliases=("UNet loader", "diffusion model", "transformer", "split files"))
def denoiser(path: DenoiserFile = "", weights: Storage = AS_STORED) -> Model:
    """A denoiser in a file of its own, as Flux and others are published; link it to the loaders of what else it needs.

    path: a .safetensors or .gguf file, quantised or not, or a folder of the diffusers layout.
    weights: in eight bits, its large matrices take half the memory, and pictures change a little: with int8 least, with
    "float8, fast" most, which is for cards that multiply such numbers.
    """
    from nodes.backend import checkpoints

    return checkpoints.denoiser(path, weights)


class Encoders(NamedTuple):
    text_encoder: TextEncoder


@node("load.text_encoders", title="Load text encoders", aliases=("CLIP loader", "dual CLIP", "T5", "split files"))
def text_encoders(
    model: Model,
    path: EncoderFile = "",
    path_2: EncoderFile = "",
    path_3: EncoderFile = "",
    weights: Storage = AS_STORED,
) -> Encoders:
    """What reads prompts for a model, each in a file of its own: as many as the model's family has, in any order.

    path, path_2, path_3: .safetensors or .gguf files, or folders of the diffusers layout.
    weights: in eight bits, the large matrices of all of them take half the memory, and prompts are read a little
    otherwise: with int8 least, with "float8, fast" most.
    """
    from nodes.backend import checkpoints

    return Encoders(checkpoints.text_encoders(model, (path, path_2, path_3), weights))


@node("load.vae", title="Load VAE", aliases=("autoencoder", "split files"))
def vae(model: Model, path: VaeFile = "") -> Vae:
    """The autoencoder of a model in a file of its own, or another one than the checkpoint's.

    path: a .safetensors file, or a folder of the diffusers layout.
    """
    from nodes.backend import checkpoints

    return checkpoints.autoencoder(model, path)


@node("load.pixel_model", title="Load pixel model", aliases=("pixel space", "DDPM"))
def pixel_model(path: Annotated[str, File(folder=True, kinds=(PIXEL_MODEL,))] = "models/starter/pixel") -> Model:
    """A denoiser that works on the pixels themselves, without a VAE: a folder with unet/ and scheduler/.

    It brings no text encoder; use that of the checkpoint whose prompts it was trained with.
    """
    from nodes.backend import checkpoints

    return checkpoints.pixel_model(path)

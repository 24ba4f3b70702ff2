"""Prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from nodegraph.node import Context, File, Multiline, Range, node
from nodes import fit
from nodes.backend.kinds import EMBEDDING
from nodes.types import Conditioning, Image, PictureSize, TextEncoder, Vae


def _encoded(text_encoder: TextEncoder, **_: object) -> tuple[fit.Prompt]:
    return (fit.prompt_of(text_encoder),)


@node("text.encode", aliases=("prompt", "CLIP text encode", "positive", "negative"), outline=_encoded)
def prompt(text_encoder: TextEncoder, text: Annotated[str, Multiline(weighs=True)] = "") -> Conditioning:
    """Turn a prompt into what the denoiser reads.

    (word) weighs more, [word] weighs less, (word:1.3) weighs 1.3 times; brackets may be nested; \\( and \\) are
    ordinary brackets. A prompt may be of any length; BREAK starts a new chunk.
    """
    from nodes.backend.text import encode

    return encode(text_encoder, text)


PICTURES = ("image", "image_2", "image_3")


def _encoded_with_pictures(text_encoder: TextEncoder, vae: Vae | None = None, **given: fit.Known) -> tuple[fit.Prompt]:
    return (fit.with_pictures(text_encoder, vae, [given[name] for name in PICTURES if name in given]),)


@node(
    "text.encode_with_pictures",
    title="Prompt with pictures",
    aliases=("edit", "instruction", "Qwen-Image-Edit", "reference picture", "TextEncodeQwenImageEditPlus"),
    outline=_encoded_with_pictures,
)
def prompt_with_pictures(
    ctx: Context,
    text_encoder: TextEncoder,
    text: Annotated[str, Multiline()] = "",
    vae: Vae | None = None,
    image: Image | None = None,
    image_2: Image | None = None,
    image_3: Image | None = None,
) -> Conditioning:
    """Tell an editor what to do with pictures, which it sees: Qwen-Image-Edit.

    They are picture 1, picture 2 and picture 3 in the text; each of a batch counts. Give the negative prompt the same
    pictures. vae: the model's own, so that the denoiser sees the pictures too; without it, the text encoder alone does.
    """
    from nodes.backend.text import encode_with_pictures

    pictures = [given.pixels for given in (image, image_2, image_3) if given]
    return encode_with_pictures(text_encoder, text, vae, pictures, ctx.progress)


def _guided(conditioning: fit.Prompt | None, **_: object) -> tuple[fit.Prompt | None]:
    return (conditioning and conditioning._replace(distilled_guidance=True),)


@node("text.distilled_guidance", aliases=("Flux guidance", "guidance embedding"), outline=_guided)
def distilled_guidance(
    conditioning: Conditioning, scale: Annotated[float, Range(0.0, 100.0, step=0.1)] = 3.5
) -> Conditioning:
    """Tell a distilled model how strongly to follow the prompt, as a number it reads instead of being asked twice.

    Models such as Flux.1 dev take it; their guidance scale stays at 1. scale: usual are 3.5 for Flux.1 dev, 2.5 for
    Kontext, 30 for Fill and 4 for Flux.2 dev, which have 3.5, 3.5, 30 and 4 without this node.
    """
    return replace(conditioning, distilled_guidance=scale)


Pixels = Annotated[int, Range(0, 16_384, unit="px", zero="of the picture")]


@node(
    "text.sdxl_conditioning",
    title="SDXL conditioning",
    aliases=("CLIPTextEncodeSDXL", "crop", "original size", "aesthetic score"),
    outline=_encoded,
)
def sdxl_conditioning(
    text_encoder: TextEncoder,
    text: Annotated[str, Multiline(weighs=True)] = "",
    text_2: Annotated[str, Multiline(weighs=True)] = "",
    width: Pixels = 0,
    height: Pixels = 0,
    crop_left: Annotated[int, Range(0, 16_384, unit="px")] = 0,
    crop_top: Annotated[int, Range(0, 16_384, unit="px")] = 0,
    target_width: Pixels = 0,
    target_height: Pixels = 0,
    aesthetic_score: Annotated[float, Range(0.0, 10.0, step=0.1)] = 6.0,
) -> Conditioning:
    """A prompt for Stable Diffusion XL with all that it was told in training: Podell et al. 2023 (arXiv:2307.01952).

    text_2: what the larger text encoder reads; empty, it reads the same.
    width, height: how large the picture was before it was cropped; small ones look blurred.
    crop_left, crop_top: how much was cut off. target_width, target_height: of what is left.
    aesthetic_score: how pleasing the picture is; only the refiner reads it.
    """
    from nodes.backend.text import encode_each

    size = PictureSize(height, width, crop_top, crop_left, target_height, target_width, aesthetic_score)
    return replace(encode_each(text_encoder, (text, text_2 or text)), picture_size=size)


@node("text.clip_skip", aliases=("stop at CLIP layer", "set last layer"))
def clip_skip(text_encoder: TextEncoder, skip_layers: Annotated[int, Range(0, 11)] = 1) -> TextEncoder:
    """Read the prompt without the text encoder's last layers.

    0 uses all layers, 1 is what other programs call clip skip 2.
    """
    return replace(text_encoder, skip_layers=skip_layers)


@node("text.load_embedding", title="Load embedding", aliases=("textual inversion", "embedding", "TI"))
def load_embedding(
    text_encoder: TextEncoder, path: Annotated[str, File((".safetensors",), kinds=(EMBEDDING,))] = "", name: str = ""
) -> TextEncoder:
    """Teach a text encoder a word: a small file of vectors that a name in prompts stands for.

    Textual inversion: Gal et al. 2022 (arXiv:2208.01618). Write the name, or embedding:NAME, anywhere in a prompt, in
    brackets too. name: empty is that of the file. The word that a file was trained for stands for it as well.
    """
    from nodes.backend import checkpoints

    found = checkpoints.embedding(path, name, text_encoder)
    return replace(text_encoder, embeddings=(*text_encoder.embeddings, found))

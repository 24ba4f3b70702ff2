"""A folder of captioned pictures as what a LoRA is trained on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nodes.backend import autoencoder, images, picture_files, pool, text
from nodes.types import Conditioning, TextEncoder, Vae

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

Report = Callable[[], None]
"""Called between pictures; may raise to stop."""


class Example(NamedTuple):
    picture: Path
    caption: str


class Examples(NamedTuple):
    """What the denoiser is trained on. latents: [pictures, channels, height, width]. empty: no caption."""

    latents: Tensor
    captions: tuple[Conditioning, ...]
    empty: Conditioning


def read_folder(folder: Path, trigger: str) -> tuple[Example, ...]:
    """The pictures of a folder by name, each with its caption: the text in NAME.txt, or else the file's name.

    Of a name, underscores are spaces and a number at the end is left out: a_red_cat_02.png is "a red cat". trigger:
    a word that begins every caption; none when empty. Raises ValueError when there is no picture, or a caption
    cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; choose the folder that holds the pictures")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not pictures:
        raise ValueError(f"there are no pictures in {folder} ({', '.join(SUFFIXES)})")
    return tuple(Example(path, ", ".join(filter(None, (trigger.strip(), _caption(path))))) for path in pictures)


def _caption(picture: Path) -> str:
    path = picture.with_suffix(".txt")
    if not path.is_file():
        return re.sub(r"[ _-]*\d*$", "", picture.stem).replace("_", " ")
    try:
        return " ".join(path.read_text("utf-8-sig").split())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text (byte {error.start}); save the caption as UTF-8") from None
    except OSError as error:
        raise ValueError(f"cannot read the caption {path}: {error.strerror}") from None


def digest(examples: Sequence[Example], *inputs: object) -> str:
    """A short name for everything a training starts from: the bytes of the pictures, the captions, and `inputs`."""
    found = blake2b(repr((inputs, [example.caption for example in examples])).encode(), digest_size=5)
    for example in examples:
        found.update(example.picture.read_bytes())
    return found.hexdigest()


def encode(examples: Sequence[Example], vae: Vae, text_encoder: TextEncoder, size: int, report: Report) -> Examples:
    """Pictures, cropped to size x size pixels, and captions as the denoiser meets them. Transparent is white."""
    latents: list[Tensor] = []
    for example in examples:
        pixels, opacity = picture_files.load(example.picture)
        pixels = images.resize(pixels * opacity + 1 - opacity, size, size, "crop", "bicubic")
        latents.append(autoencoder.encode(pool.network(vae.network), pixels))
        report()
    captions = encode_prompts([*(example.caption for example in examples), ""], text_encoder)
    return Examples(torch.cat(latents).clone(), captions[:-1], captions[-1])


def encode_prompts(prompts: Sequence[str], text_encoder: TextEncoder) -> tuple[Conditioning, ...]:
    """Each prompt as the denoiser reads it."""
    encoded = (text.encode(text_encoder, prompt) for prompt in prompts)
    # clones: inference tensors cannot be trained on
    return tuple(
        replace(c, embeds=c.embeds.clone(), pooled=None if c.pooled is None else c.pooled.clone()) for c in encoded
    )

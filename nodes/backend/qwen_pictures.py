"""Prompts with pictures, read by a language model of the Qwen-VL kind: patches of each, and a slot for every four.

Wang et al. 2024 (arXiv:2409.12191), sec. 2.1: pictures keep their proportions, and their tokens have a place in time, a
row and a column. What the published processors do to a picture is written out here: transformers' own need torchvision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import interpolate

from nodes.backend import qwen_prompt, states
from nodes.backend.untyped import from_numpy

SLOT = "<|image_pad|>"
FRAME = f"<|vision_start|>{SLOT}<|vision_end|>"
"""What stands for a picture in a chat; the slot is repeated for every token of it."""

FRAMES, MERGED = 2, 2
"""A picture is a film of two equal frames; patches a side that make a token."""


class Eyes(NamedTuple):
    """What a picture is made into. patch: pixels a side. mean, std: of colours in 0..1. least, most: pixels of a
    picture; others are resized.
    """

    patch: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    least: int
    most: int


QWEN3 = Eyes(16, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 256 * 256, 4096 * 4096)
QWEN25 = Eyes(14, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711), 56 * 56, 28 * 28 * 16_384)


class Seen(NamedTuple):
    """patches: [rows * columns, frames * 3 * patch * patch], in the order of tokens. rows, columns: of patches."""

    patches: Tensor
    rows: int
    columns: int

    @property
    def tokens(self) -> int:
        return self.rows * self.columns // MERGED**2


def resized(pixels: Tensor, width: int, height: int) -> Tensor:
    """A picture in another size as Pillow makes it, which the published pipelines do with bytes: [1, 3, height, width].

    pixels: [1, 3, ...], in 0..1.
    """
    image = Image.fromarray(np.asarray(_bytes(pixels)[0].permute(1, 2, 0)))
    made = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), dtype=np.float32) / 255
    return from_numpy(made).permute(2, 0, 1)[None].contiguous()


def _bytes(pixels: Tensor) -> Tensor:
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)


def seen_size(width: int, height: int, eyes: Eyes) -> tuple[int, int]:
    """(width, height) in whole tokens, within the bounds on pixels: Qwen2-VL's smart_resize."""
    side = MERGED * eyes.patch
    wide, high = (round(length / side) * side for length in (width, height))
    if wide * high > eyes.most:
        shrink = math.sqrt(width * height / eyes.most)
        wide, high = (max(side, math.floor(length / shrink / side) * side) for length in (width, height))
    elif wide * high < eyes.least:
        grow = math.sqrt(eyes.least / (width * height))
        wide, high = (math.ceil(length * grow / side) * side for length in (width, height))
    return wide, high


def seen(pixels: Tensor, eyes: Eyes) -> Seen:
    """What the network is shown of a picture, [1, 3, height, width] in 0..1.

    Resized as torchvision does it, of bytes; Pillow's bicubic differs from that by up to two steps of 255.
    """
    x = _bytes(pixels)
    width, height = seen_size(x.shape[-1], x.shape[-2], eyes)
    if (height, width) != tuple(x.shape[-2:]):
        x = interpolate(x, size=(height, width), mode="bicubic", antialias=True)
    mean, std = (255 * torch.tensor(told)[:, None, None] for told in (eyes.mean, eyes.std))
    rows, columns, side = height // eyes.patch, width // eyes.patch, eyes.patch
    film = ((x.float() - mean) / std).expand(FRAMES, -1, -1, -1)
    parts = film.reshape(FRAMES, 3, rows // MERGED, MERGED, side, columns // MERGED, MERGED, side)
    # The patches of a token are beside each other; of a patch, colours, frames, rows and columns.
    patches = parts.permute(2, 5, 3, 6, 1, 0, 4, 7).reshape(rows * columns, -1)
    return Seen(patches, rows, columns)


@torch.inference_mode()
def encode(
    prompt: str, chat: str, pictures: Sequence[Seen], tokenizer: Tokenizer, encoder: Any, *, length: int
) -> Tensor:
    """[1, tokens, width], float32 on the CPU: the last states of the whole chat. See `told`."""
    given = told(prompt, chat, pictures, tokenizer, encoder, length=length)
    made = encoder(**given, output_hidden_states=True, use_cache=False)
    return made.hidden_states[-1].to("cpu", torch.float32).contiguous()


def encode_unnormed(
    prompt: str, chat: str, pictures: Sequence[Seen], tokenizer: Tokenizer, encoder: Any, *, length: int
) -> tuple[Tensor, list[int]]:
    """As encode, but states before the last norm, and where each of the pictures begins. There may be none."""
    given = told(prompt, chat, pictures, tokenizer, encoder, length=length)
    (is_slot,) = (given["input_ids"] == encoder.config.image_token_id).tolist()
    starts = [place for place in range(1, len(is_slot)) if is_slot[place] and not is_slot[place - 1]]
    return states.unnormed(encoder, **given), starts


def told(
    prompt: str, chat: str, pictures: Sequence[Seen], tokenizer: Tokenizer, encoder: Any, *, length: int
) -> dict[str, Tensor]:
    """What a network is called with.

    chat: with FRAME for each of the pictures, and {} where the prompt goes. length: the most tokens beside those of
    pictures. Raises ValueError as `qwen_prompt.read` does, or when the prompt has slots of its own.
    """
    numbers = qwen_prompt.read(prompt, slotted(chat, pictures), tokenizer, length + sum(p.tokens for p in pictures))
    tokens = torch.tensor([numbers], device=encoder.device)
    is_slot = tokens == encoder.config.image_token_id
    if int(is_slot.sum()) != sum(picture.tokens for picture in pictures):
        raise ValueError(f"{SLOT} stands for a picture and cannot be written in a prompt; link the picture instead")
    if not pictures:
        return {"input_ids": tokens}
    grids = [[1, picture.rows, picture.columns] for picture in pictures]
    return {
        "input_ids": tokens,
        "pixel_values": torch.cat([picture.patches for picture in pictures]).to(encoder.device),
        "image_grid_thw": torch.tensor(grids, device=tokens.device),
        "mm_token_type_ids": is_slot.int(),  # without them, pictures would have the places of a text
    }


def slotted(chat: str, pictures: Sequence[Seen]) -> str:
    """The chat with a slot for every token of each picture."""
    before, *parts = chat.split(SLOT)
    return before + "".join(SLOT * picture.tokens + part for picture, part in zip(pictures, parts, strict=True))

"""The stock editor of Qwen-Image without torchvision, which its processor needs, and with places for its pictures.

diffusers 0.42 does not hand on what transformers 5 places pictures by, so that they stand in a row like words
(https://github.com/huggingface/diffusers/issues/14194); the models were trained, and published, with rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import AutoTokenizer, BatchFeature, Qwen2_5_VLForConditionalGeneration

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
SIDE = 14
"""Of a patch, in pixels."""


def reference(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture of this (width, height)."""
    data = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    return Image.fromarray(data).resize(size, Image.Resampling.BICUBIC)


def pixels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)[None]


def patches(picture: Image.Image) -> tuple[Tensor, list[int]]:
    """What transformers' torchvision processor makes of a picture, with torch alone."""
    x = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).unsqueeze(0)
    width, height = (round(side / (2 * SIDE)) * 2 * SIDE for side in picture.size)
    if (width, height) != picture.size:
        x = interpolate(x, size=(height, width), mode="bicubic", antialias=True)  # on bytes
    shift, scale = (255 * torch.tensor(v).view(1, 3, 1, 1) for v in (CLIP_MEAN, CLIP_STD))
    x = (x.float() - shift) / scale
    rows, columns = height // SIDE, width // SIDE
    x = x.unsqueeze(1).repeat(1, 2, 1, 1, 1)  # a picture is two equal frames
    x = x.view(1, 2, 3, rows // 2, 2, SIDE, columns // 2, 2, SIDE)
    x = x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(rows * columns, 6 * SIDE * SIDE)
    return x, [1, rows, columns]


class Processor:
    """In the place of Qwen2VLProcessor."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, text: list[str], images: Sequence[Image.Image], **_: object) -> BatchFeature:
        made = [patches(picture) for picture in images]
        (whole,) = text
        for _, grid in made:
            whole = whole.replace("<|image_pad|>", "<|slot|>" * (math.prod(grid) // 4), 1)
        tokens = self.tokenizer(whole.replace("<|slot|>", "<|image_pad|>"), return_tensors="pt")
        return BatchFeature(
            {
                "input_ids": tokens.input_ids,
                "attention_mask": tokens.attention_mask,
                "pixel_values": torch.cat([found for found, _ in made]),
                "image_grid_thw": torch.tensor([grid for _, grid in made]),
            }
        )


def editor(folder: Path) -> QwenImageEditPlusPipeline:
    encoder = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder / "text_encoder")
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")

    def placed(_: object, args: Any, told: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**told, "mm_token_type_ids": (told["input_ids"] == encoder.config.image_token_id).int()}

    encoder.register_forward_pre_hook(placed, with_kwargs=True)
    return QwenImageEditPlusPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder, subfolder="scheduler"),
        vae=AutoencoderKLQwenImage.from_pretrained(folder, subfolder="vae"),
        text_encoder=encoder,
        tokenizer=tokenizer,
        processor=Processor(tokenizer),
        transformer=QwenImageTransformer2DModel.from_pretrained(folder, subfolder="transformer"),
    )

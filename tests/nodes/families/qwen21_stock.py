"""The stock pipeline of Qwen-Image 2.1 without torchvision, which its processor needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKLQwenImage21,
    FlowMatchEulerDiscreteScheduler,
    QwenImage21Pipeline,
    QwenImage21Transformer2DModel,
)
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer, BatchFeature, Qwen3VLForConditionalGeneration

SIDE = 16
"""Of a patch, in pixels."""


def patches(picture: Image.Image) -> tuple[Tensor, list[int]]:
    """What transformers' processor makes of a picture of whole tokens, which it does not resize."""
    x = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    rows, columns = (side // SIDE for side in x.shape[-2:])
    assert picture.size == (columns * SIDE, rows * SIDE)
    assert columns % 2 == rows % 2 == 0
    assert picture.width * picture.height >= 256 * 256  # smaller ones are enlarged
    x = ((x.float() - 127.5) / 127.5).expand(2, -1, -1, -1)  # two equal frames
    x = x.reshape(1, 2, 3, rows // 2, 2, SIDE, columns // 2, 2, SIDE)
    return x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(rows * columns, 6 * SIDE * SIDE), [1, rows, columns]


class Processor:
    """In the place of Qwen3VLProcessor."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.slot = tokenizer.convert_tokens_to_ids("<|image_pad|>")

    def apply_chat_template(self, messages: Any, **_: object) -> list[list[int]]:
        """Of one message of the system."""
        ((message,),) = [messages]
        text = f"<|im_start|>{message['role']}\n{message['content'][0]['text']}<|im_end|>\n"
        return [self.tokenizer(text).input_ids]

    def __call__(self, text: list[str], images: Sequence[Image.Image] = (), **_: object) -> BatchFeature:
        made = [patches(picture) for picture in images]
        (whole,) = text
        for _, grid in made:
            whole = whole.replace("<|image_pad|>", "<|slot|>" * (math.prod(grid) // 4), 1)
        tokens = self.tokenizer(whole.replace("<|slot|>", "<|image_pad|>"), return_tensors="pt")
        found = {
            "input_ids": tokens.input_ids,
            "attention_mask": tokens.attention_mask,
            "mm_token_type_ids": (tokens.input_ids == self.slot).int(),
        }
        if made:
            found["pixel_values"] = torch.cat([shown for shown, _ in made])
            found["image_grid_thw"] = torch.tensor([grid for _, grid in made])
        return BatchFeature(found)


RESOLUTION = 288
"""In place of 1024, for pictures to work from; fewer than 256 x 256 pixels its processor would enlarge."""


class SmallReferences(QwenImage21Pipeline):
    def __call__(self, *args: Any, **told: Any) -> Any:
        return super().__call__(*args, **{"output_resolution": RESOLUTION, **told})


def pipeline(folder: Path, sigmas: list[float] | None = None) -> SmallReferences:
    tokenizer = AutoTokenizer.from_pretrained(folder / "processor")
    made = SmallReferences(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder, subfolder="scheduler"),
        vae=AutoencoderKLQwenImage21.from_pretrained(folder, subfolder="vae"),
        text_encoder=Qwen3VLForConditionalGeneration.from_pretrained(folder / "text_encoder"),
        processor=Processor(tokenizer),
        transformer=QwenImage21Transformer2DModel.from_pretrained(folder, subfolder="transformer"),
        sample_sigmas=sigmas,
    )
    made.set_progress_bar_config(disable=True)
    return made

"""Tiny models that are changed from those of `tiny_models`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from diffusers import ControlNetModel, UNet2DConditionModel

from tests.tiny_models import randomise


def with_unet(folder: Path, place: Path, **settings: Any) -> Path:
    """A checkpoint's folder with another U-Net: one that has these settings too, and weights of its own."""
    shutil.copytree(folder, place)
    config = UNet2DConditionModel.load_config(folder, subfolder="unet")
    randomise(UNet2DConditionModel.from_config({**config, **settings}), "unet").save_pretrained(place / "unet")
    return place


def distilled(folder: Path, place: Path) -> Path:
    """As a latent consistency model: its U-Net reads the guidance scale. Luo et al. 2023 (arXiv:2310.04378)."""
    return with_unet(folder, place, time_cond_proj_dim=32)


def controlnet(folder: Path, place: Path) -> Path:
    """A ControlNet for the U-Net of a checkpoint's folder."""
    made = ControlNetModel.from_unet(
        UNet2DConditionModel.from_pretrained(folder, subfolder="unet"),
        conditioning_embedding_out_channels=(8, 8, 16, 16),
        load_weights_from_unet=False,
    )
    randomise(made, "controlnet").save_pretrained(place)
    return place

"""Tiny models that are changed from those of `tiny_models`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from diffusers import ControlNetModel, SD3ControlNetModel, SD3Transformer2DModel, UNet2DConditionModel

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


def sd3_controlnet(folder: Path, place: Path) -> Path:
    """A ControlNet for the transformer of a checkpoint's folder."""
    settings = SD3Transformer2DModel.load_config(folder, subfolder="transformer")
    made = SD3ControlNetModel.from_config({**settings, "num_layers": 2})
    randomise(made, "controlnet").save_pretrained(place)
    return place


def pixel_model(place: Path, like: Callable[[Path], Path]) -> Path:
    """A denoiser of pixels with the U-Net and the scheduler of a latent one. like: builds that."""
    with TemporaryDirectory() as folder:
        plain = like(Path(folder) / "plain")
        made = with_unet(plain, Path(folder) / "pixel", in_channels=3, out_channels=3, sample_size=32)
        for name in ("unet", "scheduler"):
            shutil.copytree(made / name, place / name)
    return place

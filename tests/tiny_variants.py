"""Tiny models that are changed from those of `tiny_models`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from diffusers import (
    ControlNetModel,
    FluxControlNetModel,
    FluxTransformer2DModel,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)

from tests import tiny_modern, tiny_split
from tests.tiny_models import build_flux, randomise


def with_unet(folder: Path, place: Path, **settings: Any) -> Path:
    """A checkpoint's folder with another U-Net: one that has these settings too, and weights of its own."""
    shutil.copytree(folder, place)
    config = UNet2DConditionModel.load_config(folder, subfolder="unet")
    randomise(UNet2DConditionModel.from_config({**config, **settings}), "unet").save_pretrained(place / "unet")
    return place


def distilled(folder: Path, place: Path) -> Path:
    """As a latent consistency model: its U-Net reads the guidance scale. Luo et al. 2023 (arXiv:2310.04378)."""
    return with_unet(folder, place, time_cond_proj_dim=32)


def filling(folder: Path, place: Path) -> Path:
    """As a model that completes pictures: its U-Net takes nine channels."""
    return with_unet(folder, place, in_channels=9)


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


def flux_schnell(place: Path) -> Path:
    return build_flux(place, distilled_guidance=False)


def flux_fill(place: Path) -> Path:
    """As Flux.1 Fill: its transformer is shown the rest of the picture, and the mask of every pixel."""
    build_flux(place)
    settings = FluxTransformer2DModel.load_config(place, subfolder="transformer")
    made = FluxTransformer2DModel.from_config({**settings, "in_channels": 384, "out_channels": 64})
    randomise(made, "fill").save_pretrained(place / "transformer")
    return place


def flux_controlnet(folder: Path, place: Path) -> Path:
    """A ControlNet for the transformer of a checkpoint's folder."""
    settings = FluxTransformer2DModel.load_config(folder, subfolder="transformer")
    kept = {name: value for name, value in settings.items() if name != "out_channels"}
    made = FluxControlNetModel.from_config({**kept, "num_layers": 1, "num_single_layers": 1})
    randomise(made, "controlnet").save_pretrained(place)
    return place


def flux2_dev(place: Path) -> Path:
    """With a tokenizer in place of the processor around it, which needs torchvision and does no more for texts."""
    tiny_modern.build_flux2_dev(place)
    index = place / "model_index.json"
    index.write_text(
        json.dumps(json.loads(index.read_text("utf-8")) | {"tokenizer": ["transformers", "PreTrainedTokenizerFast"]})
    )
    return place


def z_image_controlnet(_folder: Path, place: Path) -> Path:
    """Of the shape of Fun Union 1."""
    return tiny_modern.build_controlnet_z_image(place)


def z_image_completing(_folder: Path, place: Path) -> Path:
    """Of the shape of Fun Union 2.1, which is shown a mask and the picture to complete besides."""
    return tiny_modern.build_controlnet_z_image(
        place,
        control_in_dim=33,
        add_control_noise_refiner="control_noise_refiner",
        control_refiner_layers_places=[0, 1],
    )


def denoiser_file(folder: Path, place: Path) -> Path:
    """The transformer of a checkpoint's folder in a file of its own."""
    with TemporaryDirectory() as split:
        return shutil.copy(tiny_split.write_split(folder, Path(split))["transformer"], place)


def token_width(folder: Path, name: str) -> int:
    """How wide the states of words are in an encoder of a checkpoint, by the name that embedding files have for it."""
    encoder = "text_encoder_2" if name == "clip_g" else "text_encoder"
    return json.loads((folder / encoder / "config.json").read_text("utf-8"))["hidden_size"]


def pixel_model(place: Path, like: Callable[[Path], Path]) -> Path:
    """A denoiser of pixels with the U-Net and the scheduler of a latent one. like: builds that."""
    with TemporaryDirectory() as folder:
        plain = like(Path(folder) / "plain")
        made = with_unet(plain, Path(folder) / "pixel", in_channels=3, out_channels=3, sample_size=32)
        for name in ("unet", "scheduler"):
            shutil.copytree(made / name, place / name)
    return place

"""Stable Diffusion 2.x: as 1.x, with another text encoder, OpenCLIP's ViT-H without its last layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from nodes.backend.families.family import Defaults, Found
from nodes.backend.families.sd import (
    CONTROLNET,
    LATENT_SIZE,
    TEXT_ENCODER,
    UNET,
    VAE,
    VAE_SETTINGS,
    StableDiffusion,
    alone,
    cross_attention_width,
    input_channels,
    is_unet,
    takes_size,
)
from nodes.backend.networks.architecture import Ignored, Settings
from nodes.backend.scheduler_settings import read_diffusion
from nodes.types import Diffusion, Space

PROMPT_WIDTH = 1024
LARGER_LATENT_SIZE = 96
_HEADS = [5, 10, 20, 20]
_SETTINGS: dict[str, Settings] = {
    "unet": {
        "cross_attention_dim": PROMPT_WIDTH,
        "attention_head_dim": _HEADS,
        "use_linear_projection": True,
        "upcast_attention": True,
    },
    "controlnet": {
        "cross_attention_dim": PROMPT_WIDTH,
        "attention_head_dim": _HEADS,
        "use_linear_projection": True,
    },
    "vae": {**VAE_SETTINGS, "scaling_factor": 0.18215},
    "text_encoder": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 23,
        "num_attention_heads": 16,
        "hidden_act": "gelu",
    },
}
_LAST_LAYER = Ignored(r"transformer\.resblocks\.23\..+", "the last layer, which the denoiser was trained without")


class StableDiffusion2(StableDiffusion):
    name = "sd2"
    title = "Stable Diffusion 2.x"
    roles: ClassVar = {
        "unet": UNET,
        "text_encoder": replace(TEXT_ENCODER, prefixes=("cond_stage_model.model.",), ignored=(_LAST_LAYER,)),
        "vae": VAE,
        "controlnet": CONTROLNET,
    }
    encoders = ("text_encoder",)
    reads = ("sd2",)
    space = Space("sd", 4, 8)
    defaults = Defaults(768, 25, 7.5, "dpmpp_2m", "karras")

    def recognises(self, found: Found) -> bool:
        if not is_unet(found) or takes_size(found):
            return False
        if (settings := alone(found)) is not None:
            return bool(settings["use_linear_projection"])
        if found.kinds:
            encoder = found.kinds.get("text_encoder")
            return encoder is not None and encoder["hidden_act"] == "gelu"
        return found.has("cond_stage_model.model.") or (
            not found.has("cond_stage_model.") and cross_attention_width(found) == PROMPT_WIDTH
        )

    def recognises_controlnet(self, found: Found) -> bool:
        if not super().recognises_controlnet(found):
            return False
        if found.kinds:
            return bool(found.kinds[""]["use_linear_projection"])
        return cross_attention_width(found) == PROMPT_WIDTH

    def process(self, found: Found, settings: Path | None) -> Diffusion:
        """Nothing in a file tells how it was trained; of those published, the larger ones predict v.

        Smaller are those that complete pictures.
        """
        if settings:
            return read_diffusion(settings)
        return Diffusion("v_prediction" if input_channels(found) == self.space.channels else "epsilon")

    def native_size(self, denoiser: Settings) -> int:
        usual = LATENT_SIZE if "masked" in self.takes(denoiser) else LARGER_LATENT_SIZE
        return (denoiser["sample_size"] or usual) * self.space.factor

    def default_settings(self, role: str) -> Settings:
        return _SETTINGS[role]


FAMILY = StableDiffusion2()

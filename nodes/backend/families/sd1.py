"""Stable Diffusion 1.x: Rombach et al. 2022 (arXiv:2112.10752)."""

from __future__ import annotations

from typing import ClassVar

from nodes.backend.families.family import Defaults, Found
from nodes.backend.families.sd import (
    CONTROLNET,
    TEXT_ENCODER,
    UNET,
    VAE,
    VAE_SETTINGS,
    StableDiffusion,
    alone,
    cross_attention_width,
    is_unet,
    takes_size,
)
from nodes.backend.networks.architecture import Settings
from nodes.types import Space

PROMPT_WIDTH = 768
_SETTINGS: dict[str, Settings] = {
    "unet": {"sample_size": 64, "cross_attention_dim": PROMPT_WIDTH, "attention_head_dim": 8},
    "controlnet": {"cross_attention_dim": PROMPT_WIDTH, "attention_head_dim": 8},
    "vae": {**VAE_SETTINGS, "scaling_factor": 0.18215},
    "text_encoder": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    },
}


class StableDiffusion1(StableDiffusion):
    name = "sd1"
    title = "Stable Diffusion 1.x"
    roles: ClassVar = {"unet": UNET, "text_encoder": TEXT_ENCODER, "vae": VAE, "controlnet": CONTROLNET}
    encoders = ("text_encoder",)
    reads = ("sd1",)
    space = Space("sd", 4, 8)
    defaults = Defaults(512, 20, 7.5, "dpmpp_2m", "karras")

    def recognises(self, found: Found) -> bool:
        if not is_unet(found) or takes_size(found):
            return False
        if (settings := alone(found)) is not None:
            return not settings["use_linear_projection"]
        if found.kinds:
            encoder = found.kinds.get("text_encoder")
            if encoder is None:  # a folder that is not whole: what is missing is told later
                return found.kind("") == "StableDiffusionPipeline"
            return encoder["hidden_act"] != "gelu"
        return found.has(*TEXT_ENCODER.prefixes) or (
            not found.has("cond_stage_model.") and cross_attention_width(found) == PROMPT_WIDTH
        )

    def default_settings(self, role: str) -> Settings:
        return _SETTINGS[role]


FAMILY = StableDiffusion1()

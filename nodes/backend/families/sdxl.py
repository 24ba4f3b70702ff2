"""Stable Diffusion XL and its refiner: Podell et al. 2023 (arXiv:2307.01952)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.backend.families.family import Asked, Defaults, Found, Reader, Tokenizer
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
from nodes.backend.networks import clip
from nodes.backend.networks.architecture import Ignored, Settings
from nodes.types import Conditioning, Diffusion, NoiseSchedule, PictureSize, Space, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

SMALLER = replace(
    TEXT_ENCODER,
    title="Smaller text encoder",
    prefixes=("conditioner.embedders.0.transformer.",),
    adapter_names=("text_encoder.",),
    flat_adapter_names=("lora_te1_",),
    embedding_names=("clip_l",),
    always={"hidden_act": "quick_gelu"},
)
LARGER = replace(
    TEXT_ENCODER,
    title="Larger text encoder",
    architecture=clip.CLIP_PROJECTED,
    folder="text_encoder_2",
    prefixes=("conditioner.embedders.1.model.",),
    tokenizer=Tokenizer("clip", "tokenizer_2", pad="!"),
    adapter_names=("text_encoder_2.",),
    flat_adapter_names=("lora_te2_",),
    embedding_names=("clip_g",),
    always={"hidden_act": "gelu"},
)
WIDTHS = 768, 1280
_CLIP_L: Settings = {
    "hidden_size": WIDTHS[0],
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
_CLIP_G: Settings = {
    "hidden_size": WIDTHS[1],
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
    "projection_dim": WIDTHS[1],
}
OWN_VAE = replace(VAE, precision="bfloat16")  # in float16 it overflows
_VAE: Settings = {**VAE_SETTINGS, "scaling_factor": 0.13025}
_SIZES: Settings = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256}
_BASE: Settings = {
    **_SIZES,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "block_out_channels": [320, 640, 1280],
    "attention_head_dim": [5, 10, 20],
    "transformer_layers_per_block": [1, 2, 10],
    "cross_attention_dim": sum(WIDTHS),
    "use_linear_projection": True,
    "projection_class_embeddings_input_dim": 2816,
}
_REFINER: Settings = {
    **_SIZES,
    "sample_size": 128,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [384, 768, 1536, 1536],
    "attention_head_dim": [6, 12, 24, 24],
    "transformer_layers_per_block": 4,
    "cross_attention_dim": WIDTHS[1],
    "use_linear_projection": True,
    "projection_class_embeddings_input_dim": 2560,
}
AESTHETIC_SCORE, NEGATIVE_AESTHETIC_SCORE = 6.0, 2.5
"""What the stock pipeline tells the refiner of a picture to be made, and of one to keep away from."""


class StableDiffusionXL(StableDiffusion):
    name = "sdxl"
    title = "Stable Diffusion XL"
    roles: ClassVar = {
        "unet": UNET,
        "text_encoder": SMALLER,
        "text_encoder_2": LARGER,
        "vae": OWN_VAE,
        "controlnet": CONTROLNET,
    }
    encoders = ("text_encoder", "text_encoder_2")
    reads = ("sdxl",)
    space = Space("sdxl", 4, 8)
    defaults = Defaults(1024, 30, 7.0, "dpmpp_2m", "karras")
    marks = (Ignored(r"v_pred|ztsnr", "says how the denoiser was trained: see process"),)
    meaningless: ClassVar = {
        ("text.sdxl_conditioning", "aesthetic_score"): "Only the refiner is told how pleasing the picture is",
    }

    def recognises(self, found: Found) -> bool:
        if not is_unet(found) or not takes_size(found):
            return False
        if (settings := alone(found)) is not None:
            return settings["cross_attention_dim"] != WIDTHS[1]
        if found.kinds:
            return {"text_encoder", "text_encoder_2"} <= found.kinds.keys()
        return found.has(*SMALLER.prefixes) or (
            not found.has("conditioner.") and cross_attention_width(found) == sum(WIDTHS)
        )

    def takes_hints_of(self, addition_embed_type: str | None) -> bool:
        return "controlnet" in self.roles and addition_embed_type == "text_time"

    def process(self, found: Found, settings: Path | None) -> Diffusion:
        """Files of models that predict v hold two empty tensors that say so."""
        if settings:
            return super().process(found, settings)
        prediction = "v_prediction" if "v_pred" in found.shapes else "epsilon"
        return Diffusion(prediction, NoiseSchedule(zero_snr="ztsnr" in found.shapes))

    def default_settings(self, role: str) -> Settings:
        up = ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"]
        return {
            "unet": {**_BASE, "sample_size": 128, "up_block_types": up},
            "controlnet": _BASE,
            "vae": _VAE,
            "text_encoder": _CLIP_L,
            "text_encoder_2": _CLIP_G,
        }[role]

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        return self.encode_each(readers, text, (prompt,) * len(readers))

    def encode_each(self, readers: Sequence[Reader], text: TextEncoder, prompts: Sequence[str]) -> Conditioning:
        """A prompt for each of the encoders, the states of the last but one layer side by side."""
        import torch

        from nodes.backend.prompt import read

        states = [
            read(prompt, *reader, layers_back=1 + text.skip_layers, normed=False)
            for reader, prompt in zip(readers, prompts[-len(readers) :], strict=True)
        ]
        if len({read.embeds.shape[1] for read in states}) > 1:
            raise ValueError("the two prompts have different numbers of chunks; give both as many with BREAK")
        embeds = torch.cat([read.embeds for read in states], dim=-1)
        return Conditioning(self.name, prompts[0], embeds, states[-1].pooled)

    def added(self, net: Any, asked: Asked) -> dict[str, Tensor]:
        """The pooled prompts, and numbers about the pictures: sec. 2.2."""
        pooled = [prompt.pooled for prompt in asked.prompts if prompt.pooled is not None]
        numbers = [self.numbers(prompt.picture_size or PictureSize(), *asked.size) for prompt in asked.prompts]
        return {
            "text_embeds": asked.once(pooled, asked.repeated),
            "time_ids": asked.numbers(numbers),
        }

    def numbers(self, size: PictureSize, height: int, width: int) -> tuple[float, ...]:
        original = size.height or height, size.width or width
        target = size.target_height or height, size.target_width or width
        return (*original, size.crop_top, size.crop_left, *target)


class Refiner(StableDiffusionXL):
    name = "sdxl_refiner"
    title = "Stable Diffusion XL refiner"
    roles: ClassVar = {
        "unet": UNET,
        "text_encoder_2": replace(LARGER, title="Text encoder", prefixes=("conditioner.embedders.0.model.",)),
        "vae": OWN_VAE,
    }
    encoders = ("text_encoder_2",)
    reads = ("sdxl_refiner",)
    defaults = Defaults(1024, 30, 7.0, "dpmpp_2m", "karras")
    meaningless: ClassVar = {
        ("text.sdxl_conditioning", name): "The refiner is told how pleasing the picture is in the place of its target"
        for name in ("target_width", "target_height")
    }

    def recognises(self, found: Found) -> bool:
        if not is_unet(found) or not takes_size(found):
            return False
        if (settings := alone(found)) is not None:
            return settings["cross_attention_dim"] == WIDTHS[1]
        if found.kinds:
            return "text_encoder_2" in found.kinds and "text_encoder" not in found.kinds
        return found.has("conditioner.embedders.0.model.") or (
            not found.has("conditioner.") and cross_attention_width(found) == WIDTHS[1]
        )

    def default_settings(self, role: str) -> Settings:
        return {"unet": _REFINER, "vae": _VAE, "text_encoder_2": _CLIP_G}[role]

    def negative(self, prompt: Conditioning) -> Conditioning:
        size = prompt.picture_size or PictureSize(aesthetic_score=NEGATIVE_AESTHETIC_SCORE)
        return replace(prompt, picture_size=size)

    def numbers(self, size: PictureSize, height: int, width: int) -> tuple[float, ...]:
        original = size.height or height, size.width or width
        return (*original, size.crop_top, size.crop_left, size.aesthetic_score)


FAMILY, REFINER = StableDiffusionXL(), Refiner()

"""The denoiser of families that are published in parts, as ComfyUI names its files and trainers name their LoRAs."""

from __future__ import annotations

from nodes.backend.families.family import Role
from nodes.backend.networks.architecture import Architecture


def transformer(architecture: Architecture) -> Role:
    return Role(
        "Transformer",
        architecture,
        "transformer",
        prefixes=("model.diffusion_model.", ""),
        adapter_names=("transformer.", "diffusion_model.", ""),
        flat_adapter_names=("lora_unet_", "lora_transformer_"),
        precision="bfloat16",
    )

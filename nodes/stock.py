"""The files that people have for these nodes: kinds, where programs keep them, and what one says of itself."""

from __future__ import annotations

from pathlib import Path

import nodes.backend.families as families
from nodegraph.domain import Stock, Told
from nodes.neighbours import neighbours

CHECKPOINT, DENOISER, TEXT_ENCODER, VAE = "checkpoint", "denoiser", "text encoder", "vae"
CONTROLNET, LORA, EMBEDDING, PIXEL_MODEL = "controlnet", "lora", "embedding", "pixel model"

KINDS = {
    CHECKPOINT: "Checkpoints",
    DENOISER: "Denoisers",
    LORA: "LoRAs",
    CONTROLNET: "ControlNets",
    TEXT_ENCODER: "Text encoders",
    VAE: "VAEs",
    EMBEDDING: "Embeddings",
    PIXEL_MODEL: "Pixel models",
    "": "Others",
}

HOMES = {
    CHECKPOINT: "checkpoints",
    DENOISER: "diffusion_models",
    LORA: "loras",
    CONTROLNET: "controlnet",
    TEXT_ENCODER: "text_encoders",
    VAE: "vae",
    EMBEDDING: "embeddings",
}
"""As ComfyUI has them in its folder models."""

PLACES = {home: kind for kind, home in HOMES.items()} | {
    "unet": DENOISER,
    "clip": TEXT_ENCODER,
    "stable-diffusion": CHECKPOINT,
    "lora": LORA,
    "lycoris": LORA,
    "t2i_adapter": CONTROLNET,
    "main": CHECKPOINT,
    "textual_inversion": EMBEDDING,
}
"""Those of ComfyUI, AUTOMATIC1111's web UI and InvokeAI, in lower case."""


def look(path: Path) -> Told | None:
    """See `nodegraph.domain.Stock`."""
    from nodes.backend import labels

    return labels.look(path)


def parts(folder: Path) -> frozenset[str] | None:
    """See `nodegraph.domain.Stock`."""
    from nodes.backend import labels

    return labels.parts(folder)


STOCK = Stock(
    kinds=KINDS,
    families={family.name: family.title for family in families.FAMILIES},
    suffixes=(".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin"),
    marks=("model_index.json", "config.json"),
    places=PLACES,
    homes=HOMES,
    parts=parts,
    look=look,
    neighbours=neighbours,
)

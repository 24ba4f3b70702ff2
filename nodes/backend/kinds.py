"""The kinds of files that people have for these nodes, and the folders that programs keep each kind in."""

from __future__ import annotations

CHECKPOINT, DENOISER, TEXT_ENCODER, VAE = "checkpoint", "denoiser", "text encoder", "vae"
CONTROLNET, LORA, EMBEDDING, PIXEL_MODEL = "controlnet", "lora", "embedding", "pixel model"

TITLES = {
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
"""What people call several of a kind."""

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

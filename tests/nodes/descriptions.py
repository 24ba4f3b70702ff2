"""Descriptions of networks that no file stands behind, for tests of what passes them on."""

from __future__ import annotations

from nodes.backend.families import sd1
from nodes.types import ControlNet, Diffusion, Lora, Model, Network, TextEncoder, Vae, Weights

SPACE = sd1.FAMILY.space
WEIGHTS = Weights("models/a", "12-34", ("models/a/x",))
LORA = Lora(Weights("b.safetensors", "5-6", ("b.safetensors",)), 0.5)
MODEL = Model(Network("sd1", "unet", WEIGHTS), Diffusion(), SPACE, 512, (LORA,))
TEXT_ENCODER = TextEncoder("sd1", (Network("sd1", "text_encoder", WEIGHTS),), (LORA,), 1)
VAE = Vae(Network("sd1", "vae", WEIGHTS), SPACE, 512)
CONTROLNET = ControlNet(Network("sd1", "controlnet", WEIGHTS))

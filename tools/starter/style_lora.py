"""The style LoRA: black ink drawings, a pack of artwork that the base never saw, learnt as a low-rank adapter."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from tools.starter import artwork, autoencoder, compose, denoiser, lora
from tools.starter.checkpoint import load_tensors, save_tensors
from tools.starter.concepts import INK_PACK
from tools.starter.denoiser_stage import ENCODE_BATCH, Examples, draw_batch, load_denoiser
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine
from tools.starter.scene import Scene, Thing
from tools.starter.stages import Run, load_autoencoder
from tools.starter.text_stage import load_text

STYLE_SEED = 8
STYLE_PICTURES = 2_048
STYLE_BATCH = 16
STYLE_RANK = 8
STYLE_RECIPE = Recipe(learning_rate=2e-3, decay_from=0.5, ema_decay=0.98, weight_decay=0.0)


def draw_scene(run: Run, rng: np.random.Generator) -> Scene:
    """A training scene in ink: no colours but the background's, on which black can be seen."""
    scene = compose.draw_scene(rng, run.concepts)
    while scene.background == "black":
        scene = compose.draw_scene(rng, run.concepts)
    return replace(scene, pack=INK_PACK, things=tuple(Thing(thing.concept) for thing in scene.things))


def encode_examples(run: Run) -> None:
    """ink_sprites.safetensors (the pack's drawings); ink.safetensors: latents, float16 [pictures, 4, 16, 16]."""
    if run.file("ink.safetensors").is_file():
        return
    icons = artwork.read_pack(INK_PACK, run.file("npm"))
    sprites = artwork.render_pack(INK_PACK, icons, [concept.icon for concept in run.concepts])
    save_tensors(run.file("ink_sprites.safetensors"), sprites)
    vae, line, rows = load_autoencoder(run), ProgressLine("ink"), []
    for first in range(0, STYLE_PICTURES, ENCODE_BATCH):
        rngs = [np.random.default_rng((STYLE_SEED, first + i)) for i in range(ENCODE_BATCH)]
        pictures = [compose.draw(sprites, draw_scene(run, rng), rng) for rng in rngs]
        rows.append(autoencoder.encode(vae, compose.to_tensor(pictures).to(run.device)).half().cpu())
        line.update((first + ENCODE_BATCH) / STYLE_PICTURES)
    save_tensors(run.file("ink.safetensors"), {"latents": torch.cat(rows)})


def load_examples(run: Run) -> Examples:
    """The cached latents and the scenes that they show."""
    latents = load_tensors(run.file("ink.safetensors"))["latents"].to(run.device)
    rngs = (np.random.default_rng((STYLE_SEED, index)) for index in range(len(latents)))
    return Examples(latents, [draw_scene(run, rng) for rng in rngs], *load_text(run))


def train_style(run: Run, model: Path, budget: Budget) -> UNet2DConditionModel:
    """style.pt (the training); model/lora: ink.safetensors (diffusers' layout) and ink_kohya.safetensors."""
    encode_examples(run)
    examples = load_examples(run)
    unet = lora.add_adapter(load_denoiser(run, model), STYLE_RANK)
    scheduler = denoiser.build_scheduler()
    training = Training("style", unet, STYLE_RECIPE, run.file("style.pt"))
    training.restore()

    def loss_at(step: int) -> Tensor:
        latents, embeds, generator = draw_batch(examples, step, STYLE_BATCH)
        with run.autocast():
            return denoiser.velocity_loss(unet, scheduler, latents, embeds, generator)

    training.run(loss_at, budget)
    training.load_ema()
    layers = lora.adapter_layers(unet)
    lora.save_diffusers(model / "lora" / "ink.safetensors", layers)
    lora.save_kohya(model / "lora" / "ink_kohya.safetensors", layers)
    return unet

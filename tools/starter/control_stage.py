"""The ControlNet's stage of a training run: drawings in every pose, their edges, training, export."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from tools.starter import autoencoder, compose, control, denoiser, export
from tools.starter.checkpoint import load_tensors, save_tensors
from tools.starter.concepts import BACKGROUNDS
from tools.starter.denoiser_stage import ENCODE_BATCH, Examples, draw_batch, load_denoiser
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine
from tools.starter.scene import Scene
from tools.starter.stages import Run, load_autoencoder, load_sprites
from tools.starter.text_stage import load_text

CONTROL_SEED = 6
CONTROL_PICTURES = 8_192
CONTROL_BATCH = 16
CONTROL_RECIPE = Recipe(learning_rate=5e-4, decay_from=0.5, ema_decay=0.99)
SIDES = (26, 58)  # pixels; a posed thing may be small or fill the picture
TILT = 15  # degrees, standard deviation


def pose(sprites: compose.Sprites, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The scene's one thing anywhere in the picture, mirrored or not, tilted, of any size; uint8 [64, 64, 3]."""
    thing = scene.things[0]
    sprite = compose.sprite_of(sprites, scene.pack, thing.concept)
    if thing.colour:
        sprite = compose.recolour(sprite, thing.colour)
    if rng.random() < 0.5:
        sprite = ImageOps.mirror(sprite)
    sprite = sprite.rotate(rng.normal(0, TILT), Image.Resampling.BICUBIC, expand=True)
    side = int(rng.integers(SIDES[0], SIDES[1] + 1))
    across, down = rng.integers(side // 2, compose.IMAGE_SIZE - side // 2 + 1, 2).tolist()
    layout = compose.Layout(((across, down),), 0, (side, side))
    return compose.arrange([sprite], compose.shade(BACKGROUNDS[scene.background], rng), layout, rng)


def draw_scene(run: Run, rng: np.random.Generator) -> Scene:
    """A training scene; captions never tell where one thing is and how big, since its edges do."""
    return replace(compose.draw_scene(rng, run.concepts), size=None, position=None)


def draw_example(run: Run, sprites: compose.Sprites, index: int) -> np.ndarray:
    """Training picture number `index`, uint8 [64, 64, 3]: one thing in any pose, or several things as always."""
    rng = np.random.default_rng((CONTROL_SEED, index))
    scene = draw_scene(run, rng)
    alone = len(scene.things) * scene.count == 1
    return pose(sprites, scene, rng) if alone else compose.draw(sprites, scene, rng)


def encode_examples(run: Run) -> None:
    """control.safetensors: latents and edges of the ControlNet's pictures, float16 [pictures, 4 + 16, 16, 16]."""
    if run.file("control.safetensors").is_file():
        return
    vae, sprites = load_autoencoder(run), load_sprites(run)
    line, rows = ProgressLine("edges"), []
    for first in range(0, CONTROL_PICTURES, ENCODE_BATCH):
        pictures = [draw_example(run, sprites, first + i) for i in range(ENCODE_BATCH)]
        pixels = compose.to_tensor(pictures).to(run.device)
        rows.append(pack(autoencoder.encode(vae, pixels), control.edges(pixels / 2 + 0.5)).half().cpu())
        line.update((first + ENCODE_BATCH) / CONTROL_PICTURES)
    save_tensors(run.file("control.safetensors"), {"examples": torch.cat(rows)})


def pack(latents: Tensor, edges: Tensor) -> Tensor:
    """Latents [n, 4, 16, 16] and edges [n, 1, 64, 64] as one tensor [n, 20, 16, 16]."""
    return torch.cat([latents, functional.pixel_unshuffle(edges, autoencoder.FACTOR)], 1)


def unpack(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Latents and edges of `pack`."""
    latents, folded = rows[:, : autoencoder.LATENT_CHANNELS], rows[:, autoencoder.LATENT_CHANNELS :]
    return latents, functional.pixel_shuffle(folded, autoencoder.FACTOR)


def load_examples(run: Run) -> Examples:
    """The cached rows and the scenes that they show."""
    rows = load_tensors(run.file("control.safetensors"))["examples"].to(run.device)
    rngs = (np.random.default_rng((CONTROL_SEED, index)) for index in range(len(rows)))
    return Examples(rows, [draw_scene(run, rng) for rng in rngs], *load_text(run))


def train_control(run: Run, model: Path, budget: Budget) -> ControlNetModel:
    """control.pt (the training); model/controlnet (the ControlNet of the exported model in that folder)."""
    encode_examples(run)
    examples = load_examples(run)
    unet = load_denoiser(run, model)
    controlnet, scheduler = control.build_controlnet(unet).to(run.device), denoiser.build_scheduler()
    training = Training("control", controlnet, CONTROL_RECIPE, run.file("control.pt"))
    training.restore()

    def loss_at(step: int) -> Tensor:
        rows, embeds, generator = draw_batch(examples, step, CONTROL_BATCH)
        latents, edges = unpack(rows)
        with run.autocast():
            controlled = control.Controlled(unet, controlnet, edges)
            return denoiser.velocity_loss(controlled, scheduler, latents, embeds, generator)

    training.run(loss_at, budget)
    training.load_ema()
    export.export_network(model / "controlnet", controlnet)
    return controlnet

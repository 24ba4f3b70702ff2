"""The denoiser's stages of a training run: latents of all compositions, embeddings of all captions, training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from tools.starter import autoencoder, compose, denoiser, text
from tools.starter.checkpoint import load_tensors, save_tensors
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine
from tools.starter.scene import Scene, captions
from tools.starter.stages import PICTURE_SEED, Run, load_autoencoder, load_sprites, save_sheet
from tools.starter.text_stage import load_text

PICTURES = 24_000
ENCODE_BATCH = 64
DENOISER_SEED = 5
DENOISER_BATCH = 32
DENOISER_RECIPE = Recipe(learning_rate=1e-3, decay_from=0.5, ema_decay=0.999)
SHEET_SECONDS = 600
SHEET_PROMPTS = (
    "a cat on a blue background",
    "a 3d panda on a green background",
    "a red apple on a white background",
    "a flat pizza on a black background",
    "a green butterfly",
    "two cats on a yellow background",
    "three red apples on a purple background",
    "four stars, black background",
    "a cat and a dog on a blue background",
    "a red apple and a green frog on a white background",
    "a house and a tree on a pink background",
    "a small fox on the left, green background",
    "a big strawberry on a gray background",
    "a rocket at the top, 3d style",
)


@dataclass(frozen=True)
class Examples:
    """Everything the denoiser learns from: float16 latents [pictures, 4, 16, 16], their scenes, the caption's reader.

    Captions are embedded as they are drawn: those of all scenes together would take gigabytes.
    """

    latents: Tensor
    scenes: list[Scene]
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel


def encode_pictures(run: Run) -> None:
    """latents.safetensors: the latents of all compositions, computed once."""
    if run.file("latents.safetensors").is_file():
        return
    vae, sprites = load_autoencoder(run), load_sprites(run)
    line, latents = ProgressLine("latents"), []
    for first in range(0, PICTURES, ENCODE_BATCH):
        pictures = [compose.compose(sprites, PICTURE_SEED, first + i, run.concepts).pixels for i in range(ENCODE_BATCH)]
        latents.append(autoencoder.encode(vae, compose.to_tensor(pictures).to(run.device)).half().cpu())
        line.update((first + ENCODE_BATCH) / PICTURES)
    save_tensors(run.file("latents.safetensors"), {"latents": torch.cat(latents)})


def load_examples(run: Run) -> Examples:
    """The cached latents and the scenes that they show."""
    latents = load_tensors(run.file("latents.safetensors"))["latents"].to(run.device)
    rngs = (np.random.default_rng((PICTURE_SEED, index)) for index in range(len(latents)))
    return Examples(latents, [compose.draw_scene(rng, run.concepts) for rng in rngs], *load_text(run))


def draw_batch(examples: Examples, step: int, batch_size: int) -> tuple[Tensor, Tensor, torch.Generator]:
    """Latents and embeddings of one step, and the generator for its noise; a function of the step."""
    generator = torch.Generator().manual_seed(DENOISER_SEED * 1_000_003 + step)
    pictures = torch.randint(0, len(examples.latents), (batch_size,), generator=generator)
    wordings = torch.rand(batch_size, generator=generator)
    said = torch.rand(batch_size, generator=generator) > denoiser.UNCONDITIONAL_PROBABILITY
    texts = []
    for picture, wording, spoken in zip(pictures.tolist(), wordings.tolist(), said.tolist(), strict=True):
        sentences = captions(examples.scenes[picture])
        texts.append(sentences[int(wording * len(sentences))] if spoken else "")
    embeds = text.embed(examples.tokenizer, examples.text_encoder, texts)
    return examples.latents[pictures.to(examples.latents.device)].float(), embeds.clone(), generator


def train_denoiser(
    run: Run, budget: Budget, batch_size: int, on_sheet: Callable[[UNet2DConditionModel], None]
) -> UNet2DConditionModel:
    """unet.pt (the training), unet.png (a sheet every five minutes); the denoiser with averaged weights."""
    examples = load_examples(run)
    unet, scheduler = denoiser.build_unet(), denoiser.build_scheduler()
    if run.file("start.safetensors").is_file():
        unet.load_state_dict(load_tensors(run.file("start.safetensors")))
    unet.to(run.device)
    training = Training("denoiser", unet, DENOISER_RECIPE, run.file("unet.pt"))
    training.restore()
    sheet_at = training.seconds + SHEET_SECONDS

    def loss_at(step: int) -> Tensor:
        latents, embeds, generator = draw_batch(examples, step, batch_size)
        with run.autocast():
            return denoiser.velocity_loss(unet, scheduler, latents, embeds, generator)

    def on_checkpoint() -> None:
        nonlocal sheet_at
        if training.seconds < sheet_at and budget.progress(training.step, training.seconds) < 1:
            return
        sheet_at = training.seconds + SHEET_SECONDS
        twin = denoiser.averaged(unet, training.ema)
        draw_sheet(run, twin)
        on_sheet(twin)

    training.run(loss_at, budget, on_checkpoint)
    return denoiser.averaged(unet, training.ema)


def load_denoiser(run: Run, model: Path) -> UNet2DConditionModel:
    """The denoiser of an exported model, as others will run it, frozen."""
    unet = UNet2DConditionModel.from_pretrained(str(model / "unet"), dtype=torch.float32, local_files_only=True)
    return unet.to(run.device).eval().requires_grad_(False)


def draw_sheet(run: Run, unet: UNet2DConditionModel) -> None:
    """unet.png: the sheet's prompts (columns) at guidance 1, 3 and 7.5 (rows)."""
    tokenizer, text_encoder = load_text(run)
    embeds = text.embed(tokenizer, text_encoder, ["", *SHEET_PROMPTS])
    vae = load_autoencoder(run)
    rows = []
    for guidance_scale in (1.0, 3.0, 7.5):
        latents = denoiser.sample(unet, embeds[1:], embeds[0], guidance_scale, range(len(SHEET_PROMPTS)))
        rows.append(autoencoder.decode(vae, latents))
    save_sheet(run.file("unet.png"), torch.cat(rows), columns=len(SHEET_PROMPTS))

"""A denoiser without an autoencoder: it works on the pixels of 32x32 pictures, to be compared with the latent one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from tools.starter import compose, denoiser, export, text
from tools.starter.checkpoint import load_tensors, save_tensors
from tools.starter.denoiser_stage import ENCODE_BATCH, Examples, draw_batch
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine
from tools.starter.scene import Scene
from tools.starter.stages import Run, load_sprites, save_sheet
from tools.starter.text_stage import load_text

PIXEL_SEED = 7
PIXEL_SIZE = 32
PIXEL_PICTURES = 12_800
PIXEL_BATCH = 32
PIXEL_RECIPE = Recipe(learning_rate=2e-3, decay_from=0.4, ema_decay=0.999)
SHEET_PROMPTS = (
    "a cat on a blue background",
    "a 3d panda on a green background",
    "a red apple on a white background",
    "a flat pizza on a black background",
    "a green butterfly",
    "a star, purple background",
    "a small fox on the left, green background",
    "a big strawberry on a gray background",
    "a rocket at the top, 3d style",
    "a blue car on a pink background",
    "a house on a yellow background",
    "a heart on white",
)


def build_unet() -> UNet2DConditionModel:
    """0.7 million parameters; text enters at 8x8."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        return UNet2DConditionModel(
            sample_size=PIXEL_SIZE,
            in_channels=3,
            out_channels=3,
            layers_per_block=1,
            block_out_channels=(16, 32, 48),
            down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            cross_attention_dim=text.WIDTH,
            attention_head_dim=4,  # diffusers reads it as the number of heads in this class
            norm_num_groups=4,
        )


def draw_scene(run: Run, rng: np.random.Generator) -> Scene:
    """A training scene of one thing: more do not fit into so few pixels."""
    scene = compose.draw_scene(rng, run.concepts)
    while len(scene.things) * scene.count > 1:
        scene = compose.draw_scene(rng, run.concepts)
    return scene


def scenes(run: Run) -> Iterator[tuple[Scene, np.random.Generator]]:
    """Every training scene, and the generator that draws it."""
    for index in range(PIXEL_PICTURES):
        rng = np.random.default_rng((PIXEL_SEED, index))
        yield draw_scene(run, rng), rng


def draw_pictures(run: Run) -> None:
    """pixels.safetensors: all pictures, float16 [pictures, 3, 32, 32] in [-1, 1]."""
    if run.file("pixels.safetensors").is_file():
        return
    sprites, line, batches, drawn = load_sprites(run), ProgressLine("pixels"), [], []
    for scene, rng in scenes(run):
        drawn.append(compose.draw(sprites, scene, rng))
        if len(drawn) == ENCODE_BATCH:
            whole = compose.to_tensor(drawn)
            batches.append(functional.avg_pool2d(whole, compose.IMAGE_SIZE // PIXEL_SIZE).half())
            line.update(len(batches) * ENCODE_BATCH / PIXEL_PICTURES)
            drawn = []
    save_tensors(run.file("pixels.safetensors"), {"pixels": torch.cat(batches)})


def train_pixel(run: Run, model: Path, budget: Budget) -> None:
    """pixel.pt (the training), pixel.png (a sheet); model/pixel: the denoiser and its scheduler."""
    draw_pictures(run)
    pixels = load_tensors(run.file("pixels.safetensors"))["pixels"].to(run.device)
    examples = Examples(pixels, [scene for scene, _ in scenes(run)], *load_text(run))
    unet, scheduler = build_unet().to(run.device), denoiser.build_scheduler()
    training = Training("pixel", unet, PIXEL_RECIPE, run.file("pixel.pt"))
    training.restore()

    def loss_at(step: int) -> Tensor:
        pictures, embeds, generator = draw_batch(examples, step, PIXEL_BATCH)
        return denoiser.velocity_loss(unet, scheduler, pictures, embeds, generator)

    def draw_sheet() -> None:
        twin = denoiser.averaged(unet, training.ema)
        embeds = text.embed(examples.tokenizer, examples.text_encoder, ["", *SHEET_PROMPTS])
        rows = [
            denoiser.sample(twin, embeds[1:], embeds[0], guidance_scale, range(len(SHEET_PROMPTS)))
            for guidance_scale in (1.0, 3.0)
        ]
        save_sheet(run.file("pixel.png"), torch.cat(rows).clamp(-1, 1), columns=len(SHEET_PROMPTS))

    training.run(loss_at, budget, draw_sheet)
    training.load_ema()
    export.export_network(model / "pixel" / "unet", unet.cpu())
    scheduler.save_pretrained(model / "pixel" / "scheduler")

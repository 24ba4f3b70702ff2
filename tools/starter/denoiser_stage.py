"""The denoiser's stage of a training run."""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from tools.starter import autoencoder, denoiser, gpu, text
from tools.starter.examples import Batches, Embedder, Examples, latents_of
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget
from tools.starter.stages import Run, load_autoencoder, save_sheet
from tools.starter.stock import Stock
from tools.starter.text_stage import load_text

DENOISER_SEED = 5
DENOISER_RECIPE = Recipe(learning_rate=1e-3, decay_from=0.35, ema_decay=0.999)
SHEET_SECONDS, SHEET_STEPS = 600, 10
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
    "a penguin in the snow",
    "a unicorn on a purple and pink gradient",
)


def train_denoiser(
    run: Run, stock: Stock, budget: Budget, export_model: Callable[[UNet2DConditionModel], None]
) -> None:
    """unet.pt (the training), unet.png (a sheet); both and the exported model anew every ten minutes and at the end."""
    examples = Examples(run, stock.pictures, latents_of(run))
    batches = Batches(examples, Embedder.of(run), run.sizes.batch, DENOISER_SEED, run.sizes.ahead)
    unet = run.begin(denoiser.build_unet(), "denoiser")
    training = Training("denoiser", unet, DENOISER_RECIPE, run.file("unet.pt"))
    training.restore()
    sheet_at = training.seconds + SHEET_SECONDS

    def loss_of(noisy: Tensor, timesteps: Tensor, velocity: Tensor, embeds: Tensor) -> Tensor:
        with run.autocast():
            return denoiser.velocity_loss(unet, noisy, timesteps, velocity, embeds)

    def on_checkpoint() -> None:
        nonlocal sheet_at
        if training.seconds < sheet_at and budget.progress(training.step, training.seconds) < 1:
            return
        sheet_at = training.seconds + SHEET_SECONDS
        twin = denoiser.averaged(unet, training.ema)
        draw_sheet(run, twin)
        export_model(twin)

    training.run(batches, loss_of, budget, on_checkpoint)


def load_denoiser(run: Run, model: Path) -> UNet2DConditionModel:
    """The denoiser of an exported model, as others will run it, frozen."""
    unet = UNet2DConditionModel.from_pretrained(str(model / "unet"), dtype=torch.float32, local_files_only=True)
    return gpu.place(unet, run.device).eval().requires_grad_(False)


def draw_sheet(run: Run, unet: UNet2DConditionModel) -> None:
    """unet.png: the sheet's prompts (columns) at guidance 1, 3 and 7.5 (rows)."""
    tokenizer, text_encoder = load_text(run)
    embeds = text.embed(tokenizer, text_encoder, ["", *SHEET_PROMPTS])
    vae = load_autoencoder(run)
    rows = []
    for guidance_scale in (1.0, 3.0, 7.5):
        latents = denoiser.sample(unet, embeds[1:], embeds[0], guidance_scale, range(len(SHEET_PROMPTS)), SHEET_STEPS)
        rows.append(autoencoder.decode(vae, latents))
    save_sheet(run.file("unet.png"), torch.cat(rows), columns=len(SHEET_PROMPTS))

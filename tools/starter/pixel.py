"""A denoiser without an autoencoder: it works on the pixels of 32x32 pictures, to be compared with the latent one."""

from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from tools.starter import compose, denoiser, export, text
from tools.starter.examples import Batches, Embedder, Examples
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget
from tools.starter.stages import Run, save_sheet, to_images
from tools.starter.stock import Stock
from tools.starter.text_stage import load_text

PIXEL_SEED = 7
PIXEL_SIZE = 32
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


def shrink(pixels: Tensor) -> tuple[Tensor, ...]:
    """uint8 pictures [pictures, 128, 128, 3] as float16 [pictures, 3, 32, 32] in [-1, 1]."""
    return (functional.avg_pool2d(to_images(pixels), compose.IMAGE_SIZE // PIXEL_SIZE).half(),)


def train_pixel(run: Run, stock: Stock, model: Path, budget: Budget) -> None:
    """pixel.pt (the training), pixel.png (a sheet); model/pixel: the denoiser and its scheduler.

    It learns from pictures of one thing: more do not fit into so few pixels.
    """
    examples = Examples(run, stock.pictures, shrink, only="alone")
    batches = Batches(examples, Embedder.of(run), run.sizes.batch, PIXEL_SEED, run.sizes.ahead)
    unet = run.begin(build_unet(), "pixel")
    training = Training("pixel", unet, PIXEL_RECIPE, run.file("pixel.pt"))
    training.restore()

    def loss_of(noisy: Tensor, timesteps: Tensor, velocity: Tensor, embeds: Tensor) -> Tensor:
        return denoiser.velocity_loss(unet, noisy, timesteps, velocity, embeds)

    def draw_sheet() -> None:
        twin = denoiser.averaged(unet, training.ema)
        tokenizer, text_encoder = load_text(run)
        embeds = text.embed(tokenizer, text_encoder, ["", *SHEET_PROMPTS])
        rows = [
            denoiser.sample(twin, embeds[1:], embeds[0], guidance_scale, range(len(SHEET_PROMPTS)))
            for guidance_scale in (1.0, 3.0)
        ]
        save_sheet(run.file("pixel.png"), torch.cat(rows).clamp(-1, 1), columns=len(SHEET_PROMPTS))

    training.run(batches, loss_of, budget, draw_sheet)
    training.load_ema()
    export.export_network(model / "pixel" / "unet", unet.cpu())
    denoiser.build_scheduler().save_pretrained(model / "pixel" / "scheduler")

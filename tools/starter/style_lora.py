"""The style LoRA: black ink drawings, a pack of artwork that the base never saw, learnt as a low-rank adapter."""

from pathlib import Path

from torch import Tensor

from tools.starter import denoiser, lora
from tools.starter.denoiser_stage import load_denoiser
from tools.starter.examples import Batches, Embedder, Examples, latents_of
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget
from tools.starter.stages import Run
from tools.starter.stock import Stock

STYLE_SEED = 8
STYLE_RANK = 8
STYLE_RECIPE = Recipe(learning_rate=2e-3, decay_from=0.5, ema_decay=0.98, weight_decay=0.0)


def train_style(run: Run, stock: Stock, model: Path, budget: Budget) -> None:
    """style.pt (the training); model/lora: ink.safetensors (diffusers' layout) and ink_kohya.safetensors."""
    examples = Examples(run, stock.inks, latents_of(run))
    batches = Batches(examples, Embedder.of(run), run.sizes.batch // 2, STYLE_SEED, run.sizes.ahead)
    unet = lora.add_adapter(load_denoiser(run, model), STYLE_RANK)
    lora.begin(unet, run.file("start_ink.safetensors"))
    training = Training("style", unet, STYLE_RECIPE, run.file("style.pt"))
    training.restore()

    def loss_of(noisy: Tensor, timesteps: Tensor, velocity: Tensor, embeds: Tensor) -> Tensor:
        with run.autocast():
            return denoiser.velocity_loss(unet, noisy, timesteps, velocity, embeds)

    training.run(batches, loss_of, budget)
    training.load_ema()
    layers = lora.adapter_layers(unet)
    lora.save_diffusers(model / "lora" / "ink.safetensors", layers)
    lora.save_kohya(model / "lora" / "ink_kohya.safetensors", layers)

"""The ControlNet's stage of a training run: drawings in every pose, their edges, training, export."""

from pathlib import Path

from torch import Tensor

from tools.starter import control, denoiser, export
from tools.starter.denoiser_stage import load_denoiser
from tools.starter.examples import Batches, Embedder, Encode, Examples, latents_of
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget
from tools.starter.stages import Run, to_images
from tools.starter.stock import Stock

CONTROL_SEED = 6
CONTROL_RECIPE = Recipe(learning_rate=5e-4, decay_from=0.5, ema_decay=0.99)


def latents_and_edges_of(run: Run) -> Encode:
    """Latents and edges, bool [pictures, 1, 128, 128], of uint8 pictures [pictures, 128, 128, 3]."""
    encode = latents_of(run)
    return lambda pixels: (*encode(pixels), control.edges(to_images(pixels) / 2 + 0.5) > 0)


def train_control(run: Run, stock: Stock, model: Path, budget: Budget) -> None:
    """control.pt (the training); model/controlnet (the ControlNet of the exported model in that folder)."""
    examples = Examples(run, stock.poses, latents_and_edges_of(run))
    batches = Batches(examples, Embedder.of(run), run.sizes.batch // 2, CONTROL_SEED, run.sizes.ahead)
    unet = load_denoiser(run, model)
    controlnet = run.begin(control.build_controlnet(unet), "control")
    training = Training("control", controlnet, CONTROL_RECIPE, run.file("control.pt"))
    training.restore()

    def loss_of(noisy: Tensor, timesteps: Tensor, velocity: Tensor, embeds: Tensor, edges: Tensor) -> Tensor:
        with run.autocast():
            controlled = control.Controlled(unet, controlnet, edges)
            return denoiser.velocity_loss(controlled, noisy, timesteps, velocity, embeds)

    training.run(batches, loss_of, budget)
    training.load_ema()
    export.export_network(model / "controlnet", controlnet)

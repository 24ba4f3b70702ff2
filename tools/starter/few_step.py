"""The few-step LoRA: guided denoising straightened out, so that two to four steps without guidance follow it.

Reflow (Liu et al. 2022, arXiv:2209.03003, alg. 1; for text to image Liu et al. 2023, arXiv:2309.06380): a noise and
what the guided denoiser makes of it are a pair, and the student is trained, with the loss of ordinary training, on
mixtures of the two of one pair. Pairs do not cross, so the student's paths hardly bend and large steps stay on them.
Guidance is in the pairs, and so in the student (Meng et al. 2022, arXiv:2210.03142).
"""

from pathlib import Path

import torch
from torch import Tensor

from tools.starter import denoiser, lora
from tools.starter.denoiser_stage import load_denoiser
from tools.starter.examples import Embedder
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine
from tools.starter.stages import Run
from tools.starter.stock import Stock

FEW_STEP_SEED = 9
GUIDANCE_SCALE = 4.0
TEACHER_STEPS = 16
FEW_STEP_RANK = 16
LAYERS = (*lora.ATTENTION, *lora.CONVOLUTIONS)
FEW_STEP_RECIPE = Recipe(learning_rate=2e-3, decay_from=0.3, ema_decay=0.99, weight_decay=0.0)
START_SHARE = 0.3  # of the samples that are pure noise, where the student has furthest to go


def draw_tokens(told: Tensor, count: int) -> Tensor:
    """One caption each of `count` training pictures, [count, 32]; told: all, [pictures, captions, 32]."""
    generator = torch.Generator().manual_seed(FEW_STEP_SEED)
    pictures = torch.randint(0, len(told), (count,), generator=generator)
    wordings = torch.randint(0, told.shape[1], (count,), generator=generator)
    return told[pictures, wordings]


def make_pairs(run: Run, model: Path, embedder: Embedder, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Noises, and what the guided denoiser makes of them for the captions; both [pairs, 4, 16, 16]."""
    unet, line, made = load_denoiser(run, model), ProgressLine("pairs"), []
    empty = embedder.embed(embedder.empty[None])[0]
    for first in range(0, len(tokens), run.sizes.pair_batch):
        embeds = embedder.embed(tokens[first : first + run.sizes.pair_batch])
        with run.autocast():
            seeds = range(first, first + len(embeds))
            made.append(denoiser.sample(unet, embeds, empty, GUIDANCE_SCALE, seeds, TEACHER_STEPS))
        line.update((first + len(embeds)) / len(tokens))
    latents = torch.cat(made).float().clone()
    noises = torch.stack([denoiser.noise_of(seed, unet) for seed in range(len(tokens))])
    return noises.to(run.device), latents


class PairBatches:
    """Batches of mixtures by step: noisy latents, timesteps, v and embeddings."""

    def __init__(self, embedder: Embedder, tokens: Tensor, noises: Tensor, latents: Tensor, batch_size: int) -> None:
        self.embedder, self.tokens, self.noises, self.latents = embedder, tokens, noises, latents
        self.batch_size, self.scheduler = batch_size, denoiser.build_scheduler()

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        device = self.latents.device
        generator = torch.Generator(device).manual_seed(FEW_STEP_SEED * 1_000_003 + step)
        size = (self.batch_size,)
        pairs = torch.randint(0, len(self.latents), size, generator=generator, device=device)
        anywhere = torch.randint(0, denoiser.TRAIN_TIMESTEPS, size, generator=generator, device=device)
        at_start = torch.rand(size, generator=generator, device=device) < START_SHARE
        timesteps = torch.where(at_start, denoiser.TRAIN_TIMESTEPS - 1, anywhere)
        noised = denoiser.add_noise(self.latents[pairs], self.noises[pairs], timesteps, self.scheduler)
        return noised.noisy, noised.timesteps, noised.velocity, self.embedder.embed(self.tokens[pairs])


def train_few_step(run: Run, stock: Stock, model: Path, budget: Budget) -> None:
    """few_step.pt (the training); model/lora/few_step.safetensors."""
    embedder = Embedder.of(run)
    tokens = draw_tokens(stock.pictures.take("tokens"), run.sizes.pairs).to(run.device)
    noises, latents = make_pairs(run, model, embedder, tokens)
    batches = PairBatches(embedder, tokens, noises, latents, run.sizes.batch // 2)
    unet = lora.add_adapter(load_denoiser(run, model), FEW_STEP_RANK, LAYERS)
    lora.begin(unet, run.file("start_few_step.safetensors"))
    training = Training("few steps", unet, FEW_STEP_RECIPE, run.file("few_step.pt"))
    training.restore()

    def loss_of(noisy: Tensor, timesteps: Tensor, velocity: Tensor, embeds: Tensor) -> Tensor:
        with run.autocast():
            return denoiser.velocity_loss(unet, noisy, timesteps, velocity, embeds)

    training.run(batches, loss_of, budget)
    training.load_ema()
    lora.save_diffusers(model / "lora" / "few_step.safetensors", lora.adapter_layers(unet))

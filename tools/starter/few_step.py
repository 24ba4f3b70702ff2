"""The few-step LoRA: guided denoising straightened out, so that two to four steps without guidance follow it.

Reflow (Liu et al. 2022, arXiv:2209.03003, alg. 1; for text to image Liu et al. 2023, arXiv:2309.06380): a noise and
what the guided denoiser makes of it are a pair, and the student is trained, with the loss of ordinary training, on
mixtures of the two of one pair. Pairs do not cross, so the student's paths hardly bend and large steps stay on them.
Guidance is in the pairs, and so in the student (Meng et al. 2022, arXiv:2210.03142).
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from tools.starter import compose, denoiser, lora, text
from tools.starter.checkpoint import load_tensors, save_tensors
from tools.starter.denoiser_stage import load_denoiser
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine
from tools.starter.scene import captions
from tools.starter.stages import Run
from tools.starter.text_stage import load_text

FEW_STEP_SEED = 9
PAIRS = 1_024
PAIR_BATCH = 64
GUIDANCE_SCALE = 4.0
TEACHER_STEPS = 16
FEW_STEP_BATCH = 16
FEW_STEP_RANK = 16
LAYERS = (*lora.ATTENTION, *lora.CONVOLUTIONS)
FEW_STEP_RECIPE = Recipe(learning_rate=2e-3, decay_from=0.3, ema_decay=0.99, weight_decay=0.0)
START_SHARE = 0.3  # of the samples that are pure noise, where the student has furthest to go


def prompt_of(run: Run, index: int) -> str:
    """The caption of pair number `index`."""
    rng = np.random.default_rng((FEW_STEP_SEED, index))
    sentences = captions(compose.draw_scene(rng, run.concepts))
    return sentences[rng.integers(len(sentences))]


def noise_of(index: int, shape: torch.Size) -> Tensor:
    """The noise of pair number `index`: what `denoiser.sample` starts from at that seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(index))


def make_pairs(run: Run, model: Path) -> None:
    """pairs.safetensors: the teacher's latents, float16 [pairs, 4, 16, 16]; a run that was stopped goes on."""
    file = run.file("pairs.safetensors")
    made = [load_tensors(file)["latents"]] if file.is_file() else []
    count = sum(map(len, made))
    if count >= PAIRS:
        return
    unet, line = load_denoiser(run, model), ProgressLine("pairs")
    tokenizer, text_encoder = load_text(run)
    for first in range(count, PAIRS, PAIR_BATCH):
        numbers = range(first, first + PAIR_BATCH)
        embeds = text.embed(tokenizer, text_encoder, ["", *(prompt_of(run, index) for index in numbers)])
        with run.autocast():
            latents = denoiser.sample(unet, embeds[1:], embeds[0], GUIDANCE_SCALE, numbers, TEACHER_STEPS)
        made.append(latents.half().cpu())
        save_tensors(file, {"latents": torch.cat(made)})
        line.update((first + PAIR_BATCH) / PAIRS)


def reflow_loss(
    unet: UNet2DConditionModel, scheduler: DDIMScheduler, latents: Tensor, noise: Tensor, embeds: Tensor, draws: Tensor
) -> Tensor:
    """Mean squared error of v on mixtures of pairs; draws [pairs, 2] in [0, 1) choose the timesteps."""
    last = denoiser.TRAIN_TIMESTEPS - 1
    timesteps = torch.where(draws[:, 0] < START_SHARE, last, (draws[:, 1] * denoiser.TRAIN_TIMESTEPS).long())
    mixed = scheduler.add_noise(latents, noise, timesteps)
    velocity = scheduler.get_velocity(latents, noise, timesteps)
    return functional.mse_loss(unet(mixed, timesteps, encoder_hidden_states=embeds).sample.float(), velocity)


def train_few_step(run: Run, model: Path, budget: Budget) -> UNet2DConditionModel:
    """few_step.pt (the training); model/lora/few_step.safetensors."""
    make_pairs(run, model)
    made = load_tensors(run.file("pairs.safetensors"))["latents"]
    tokenizer, text_encoder = load_text(run)
    unet = lora.add_adapter(load_denoiser(run, model), FEW_STEP_RANK, LAYERS)
    scheduler = denoiser.build_scheduler()
    training = Training("few steps", unet, FEW_STEP_RECIPE, run.file("few_step.pt"))
    training.restore()

    def loss_at(step: int) -> Tensor:
        generator = torch.Generator().manual_seed(FEW_STEP_SEED * 1_000_003 + step)
        pairs = torch.randint(0, len(made), (FEW_STEP_BATCH,), generator=generator).tolist()
        draws = torch.rand(FEW_STEP_BATCH, 2, generator=generator).to(run.device)
        latents = made[pairs].float().to(run.device)
        noise = torch.stack([noise_of(pair, latents.shape[1:]) for pair in pairs]).to(run.device)
        embeds = text.embed(tokenizer, text_encoder, [prompt_of(run, pair) for pair in pairs]).clone()
        with run.autocast():
            return reflow_loss(unet, scheduler, latents, noise, embeds, draws)

    training.run(loss_at, budget)
    training.load_ema()
    lora.save_diffusers(model / "lora" / "few_step.safetensors", lora.adapter_layers(unet))
    return unet

"""The starter model's denoiser: a plain UNet2DConditionModel on 16x16x4 latents, trained to predict v."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor
from torch.nn import functional

from tools.starter.autoencoder import LATENT_CHANNELS
from tools.starter.text import WIDTH

LATENT_SIZE = 16
TRAIN_TIMESTEPS = 1000
UNCONDITIONAL_PROBABILITY = 0.1  # classifier-free guidance, Ho & Salimans 2022, arXiv:2207.12598
UNIFORM_SHARE = 0.15
LOG_SNR_MEAN, LOG_SNR_DEVIATION = -0.5, 2.0


def build_unet(channels: tuple[int, ...] = (64, 128, 192)) -> UNet2DConditionModel:
    """11 million parameters at the default width; text enters at 8x8 and 4x4."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        return UNet2DConditionModel(
            sample_size=LATENT_SIZE,
            in_channels=LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,
            layers_per_block=1,
            block_out_channels=channels,
            down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (len(channels) - 1),
            up_block_types=("CrossAttnUpBlock2D",) * (len(channels) - 1) + ("UpBlock2D",),
            cross_attention_dim=WIDTH,
            attention_head_dim=4,  # diffusers reads it as the number of heads in this class
            norm_num_groups=8,
        )


def build_scheduler() -> DDIMScheduler:
    """Betas with a terminal signal-to-noise ratio of 4e-5, so that plain dark and bright backgrounds can be drawn."""
    return DDIMScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def draw_timesteps(alphas_cumprod: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Timesteps [count] whose log-SNR is normal, mixed with uniform ones."""
    log_snr = torch.log(alphas_cumprod / (1 - alphas_cumprod))  # falls with the timestep
    device = alphas_cumprod.device
    wanted = torch.randn(count, generator=generator, device=device) * LOG_SNR_DEVIATION + LOG_SNR_MEAN
    by_log_snr = torch.searchsorted(-log_snr, -wanted).clamp(max=len(alphas_cumprod) - 1)
    uniform = torch.randint(0, len(alphas_cumprod), (count,), generator=generator, device=device)
    return torch.where(torch.rand(count, generator=generator, device=device) < UNIFORM_SHARE, uniform, by_log_snr)


@dataclass(frozen=True)
class Noised:
    """Examples of denoising: what the denoiser is given at which timestep, and the v that it should find."""

    noisy: Tensor
    timesteps: Tensor
    velocity: Tensor


def add_noise(latents: Tensor, noise: Tensor, timesteps: Tensor, scheduler: DDIMScheduler) -> Noised:
    """v = sqrt(a) noise - sqrt(1 - a) x0 (Salimans & Ho 2022, arXiv:2202.00512, app. D)."""
    ddim: Any = scheduler  # it takes integers of all types; its own types ask for an IntTensor
    noisy = ddim.add_noise(latents, noise, timesteps)
    return Noised(noisy, timesteps, ddim.get_velocity(latents, noise, timesteps))


class Denoises(Protocol):
    """The denoiser, or what is called as it is; `sample` of the result is v."""

    def __call__(self, noisy: Tensor, timesteps: Tensor, encoder_hidden_states: Tensor) -> Any: ...


def velocity_loss(unet: Denoises, noisy: Tensor, timesteps: Tensor, velocity: Tensor, embeds: Tensor) -> Tensor:
    """Mean squared error of v."""
    predicted = unet(noisy, timesteps, encoder_hidden_states=embeds).sample
    return functional.mse_loss(predicted.float(), velocity)


def averaged(unet: UNet2DConditionModel, ema: dict[str, Tensor]) -> UNet2DConditionModel:
    """A copy of the denoiser with its averaged weights."""
    twin = copy.deepcopy(unet).eval().requires_grad_(False)
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            parameter.copy_(ema[name])
    return twin


def noise_of(seed: int, unet: UNet2DConditionModel) -> Tensor:
    """What denoising starts from, [channels, size, size], drawn on the CPU so that it is the same everywhere."""
    shape = (unet.config["in_channels"], unet.config["sample_size"], unet.config["sample_size"])
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def sample(
    unet: UNet2DConditionModel,
    embeds: Tensor,
    empty: Tensor,
    guidance_scale: float,
    seeds: Sequence[int],
    num_steps: int = 20,
) -> Tensor:
    """What the denoiser works on, [prompts, channels, size, size], by DDIM with classifier-free guidance.

    embeds: [prompts, 32, 192]; empty: [32, 192], the embedding of the empty text.
    """
    scheduler = build_scheduler()
    scheduler.set_timesteps(num_steps, device=embeds.device)
    ddim: Any = scheduler  # its steps take timesteps as they are listed; its own types ask for an int
    latents = torch.stack([noise_of(seed, unet) for seed in seeds]).to(embeds.device)
    both = torch.cat([embeds, empty.expand_as(embeds)])
    for timestep in scheduler.timesteps:
        positive, negative = unet(torch.cat([latents, latents]), timestep, encoder_hidden_states=both).sample.chunk(2)
        velocity = negative + guidance_scale * (positive - negative)
        latents = ddim.step(velocity, timestep, latents).prev_sample
    return latents

"""The decoder's second half of training, against a critic; the encoder and so all latents stay as they are."""

import time

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from tools.starter import autoencoder, critic, gpu
from tools.starter.checkpoint import save_tensors
from tools.starter.crowd import Shelf
from tools.starter.loop import Recipe, Training
from tools.starter.progress import Budget, ProgressLine
from tools.starter.stages import Images, Run, load_autoencoder, report_autoencoder

DECODER_RECIPE = Recipe(learning_rate=4e-4, decay_from=0.4, ema_decay=0.998, weight_decay=0.0)
CRITIC_RECIPE = Recipe(learning_rate=4e-4, decay_from=0.4, ema_decay=0.0, weight_decay=0.0)
STRAY = 0.2  # largest standard deviation of the noise that latents get; their own is 1
WARM_UP = 0.25  # share of the time over which the critic's part comes in
LOSS_ALLOWED = 2.5  # dB of PSNR that crispness may cost; a decoder that loses more is thrown away


def train_decoder(run: Run, pictures: Shelf, others: Shelf, budget: Budget) -> None:
    """decoder.safetensors: the autoencoder with its decoder trained further."""
    vae, judge = load_autoencoder(run), gpu.place(critic.Critic(), run.device)
    before = report_autoencoder(run, vae, "before")
    vae.decoder.requires_grad_(True)
    decoder = Training("decoder", vae, DECODER_RECIPE, run.file("decoder.pt"), recorded=False)
    examiner = Training("critic", judge, CRITIC_RECIPE, run.file("critic.pt"), recorded=False)
    images_at, line = Images(run, pictures, others), ProgressLine("decoder")
    started = time.monotonic()
    while (progress := budget.progress(decoder.step, time.monotonic() - started)) < 1:
        images, latents = example(run, vae, images_at, decoder.step)
        warmth = min(1.0, progress / WARM_UP)

        def loss_of(images: Tensor, latents: Tensor, warmth: float = warmth) -> Tensor:
            with run.autocast():
                return critic.decoder_loss(vae, judge, latents, images, warmth)

        def examine(images: Tensor, decoded: Tensor) -> Tensor:
            with run.autocast():
                return critic.critic_loss(judge, images, decoded)

        with torch.no_grad(), run.autocast():
            decoded = autoencoder.pictures_of(vae, latents)
        examiner.advance((images, decoded.float()), examine, progress)
        decoder.advance((images, latents), loss_of, progress)
        line.update(progress, f"step {decoder.step}, {decoder.recent():.4f}, critic {examiner.recent():.3f}")
    print(f"decoder: {decoder.step} steps, loss {decoder.recent():.4f}, critic {examiner.recent():.3f}", flush=True)
    decoder.load_ema()
    after = report_autoencoder(run, vae, "decoder")
    if after < before - LOSS_ALLOWED:
        print(f"decoder: kept as it was, since {before:.1f} dB fell to {after:.1f}", flush=True)
        vae = load_autoencoder(run)
    save_tensors(run.file("decoder.safetensors"), vae.state_dict())


@torch.no_grad()
def example(run: Run, vae: AutoencoderKL, images_at: Images, step: int) -> tuple[Tensor, Tensor]:
    """Pictures of a step, and their latents with noise."""
    images, noise = images_at(step)
    generator = torch.Generator(run.device).manual_seed(step)
    stray = STRAY * torch.rand(len(images), 1, 1, 1, generator=generator, device=run.device)
    with run.autocast():
        latents = autoencoder.encode(vae, images, len(images))
    return images, latents.clone() + stray * noise

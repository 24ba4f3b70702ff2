"""The decoder's second half of training: crisp outlines from latents as a denoiser makes them.

L1 alone blurs what the latents leave open. Here a critic of patches (PatchGAN, Isola et al. 2017, arXiv:1611.07004)
learns to tell drawings from decoded ones, and the decoder learns to please it and to match its features (Wang et al.
2018, arXiv:1711.11585, eq. 3), weighed against the plain loss by their gradients at the last layer (Esser et al. 2021,
arXiv:2012.09841, eq. 7). The encoder is frozen, so latents keep their meaning, and they are given noise: a denoiser's
latents are never exact, and what is off by a little should still decode to clean shapes.
"""

from itertools import pairwise

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

from tools.starter.autoencoder import picture_loss, pictures_of

CHANNELS = (48, 96, 192)
MATCHING = 4.0  # weight of the critic's features beside its verdict
PLEASING = 0.25  # share of the critic's part, in gradients at the last layer


class Critic(nn.Module):
    """Says of each patch of 128x128 pictures how much it looks drawn."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(0)
            self.layers = nn.ModuleList()
            for before, after in pairwise((3, *CHANNELS)):
                norm = nn.GroupNorm(8, after) if before > 3 else nn.Identity()
                self.layers.append(
                    nn.Sequential(nn.Conv2d(before, after, 4, 2, 1), norm, nn.LeakyReLU(0.2, inplace=False))
                )
            self.verdict = nn.Conv2d(CHANNELS[-1], 1, 3, 1, 1)

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Each layer's features, and the verdicts [pictures, 1, 16, 16]."""
        features: list[Tensor] = []
        for layer in self.layers:
            images = layer(images)
            features.append(images)
        return features, self.verdict(images)


def critic_loss(critic: Critic, drawn: Tensor, decoded: Tensor) -> Tensor:
    """Hinge loss: drawn pictures above 1, decoded ones below -1."""
    _, real = critic(drawn)
    _, made = critic(decoded)
    return functional.relu(1 - real.float()).mean() + functional.relu(1 + made.float()).mean()


def decoder_loss(vae: AutoencoderKL, critic: Critic, latents: Tensor, images: Tensor, warmth: float) -> Tensor:
    """The plain loss and the critic's part; warmth: how much of the latter counts, 0 to 1."""
    decoded = pictures_of(vae, latents)
    plain = picture_loss(decoded.float(), images)
    wanted, _ = critic(images)
    features, verdict = critic(decoded)
    matching = sum((a - b.detach()).abs().float().mean() for a, b in zip(features, wanted, strict=True))
    pleasing = MATCHING * matching - verdict.float().mean()
    last = vae.decoder.conv_out.weight
    slopes: list[Tensor] = [
        torch.autograd.grad(loss, last, retain_graph=True)[0].float().norm() for loss in (plain, pleasing)
    ]
    weight = (slopes[0] / (slopes[1] + 1e-6)).clamp(max=1e3).detach()
    return plain + warmth * PLEASING * weight * pleasing

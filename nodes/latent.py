"""Latents: the empty picture, noise, forward diffusion."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from nodegraph.node import BatchIndex, BatchSize, Range, Seed, node
from nodes import fit
from nodes.fit import Known, Latents
from nodes.types import PIXELS, Flow, Image, Latent, Mask, Model, NoiseSchedule, Vae

Side = Annotated[int, Range(0, 16_384, step=8, unit="px", zero="as trained")]
SeedNumber = Annotated[int, Range(0, 2**64 - 1), Seed()]
MAX_BATCH_INDEX = 9999  # the noise of all pictures before is drawn and dropped


def _empty(vae: Vae, width: int, height: int, batch: int) -> tuple[Latents]:
    width, height = width or vae.native_size, height or vae.native_size
    space = vae.space
    for name, length in (("width", width), ("height", height)):
        if length % space.multiple:
            raise ValueError(f"{name} must be a multiple of {space.multiple}, got {length}")
    shape = (batch, space.channels, height // space.factor, width // space.factor)
    return (Latents(shape, space),)


@node("latent.empty", aliases=("width", "height", "size", "batch"), outline=_empty)
def empty_latent(
    vae: Vae,
    width: Side = 0,
    height: Side = 0,
    batch: Annotated[int, Range(1, 64), BatchSize()] = 1,
) -> Latent:
    """A blank latent for pictures of this size; batch pictures are made at once.

    width, height: 0 is the size that the checkpoint was trained with, which suits it best.
    """
    import torch

    (shape,) = _empty(vae, width, height, batch)
    return Latent(torch.zeros(shape), vae.space, vae)


class Noised(NamedTuple):
    latent: Latent
    seed: int


def _noised(latent: Known, **_: object) -> tuple[Known, None]:
    return (latent, None)


@node("latent.noise", version=2, aliases=("random noise", "seed", "variation"), outline=_noised)
def noise(
    latent: Latent,
    sigma: Annotated[float, Range(0.0, 1000.0)],
    seed: SeedNumber = 0,
    batch_index: Annotated[int, Range(0, MAX_BATCH_INDEX), BatchIndex()] = 0,
    model: Model | None = None,
) -> Noised:
    """Add noise of level sigma: where a denoising starts.

    The seed decides the noise. It is passed on, for solvers that add more noise on the way.
    batch_index: which picture of a batch this is; 2 makes the third one of a batch alone, as it was there.
    model: for one that was trained with another process than its family; open, noise is put in as the family of the
    latent does.
    """
    from nodes.backend.noise import add_noise

    flow = isinstance(model.process, Flow) if model else latent.space.flow
    samples = add_noise(latent.samples, sigma, seed, batch_index, flow=flow)
    return Noised(replace(latent, samples=samples, batch_index=batch_index), seed)


def _scaled(latent: Known, scale: float, **_: object) -> tuple[Known]:
    return (fit.scaled(latent, scale),)


@node("latent.resize", aliases=("upscale latent", "scale"), outline=_scaled)
def resize_latent(
    latent: Latent,
    scale: Annotated[float, Range(0.1, 8.0, step=0.05)] = 1.5,
    method: Literal["bilinear", "bicubic", "nearest"] = "bilinear",
) -> Latent:
    """Enlarge or shrink a latent; denoise it again afterwards for detail."""
    from torch.nn.functional import interpolate

    if min(latent.samples.shape[-2:]) * scale < 1:
        raise ValueError(f"scale must leave at least one latent pixel, got {scale:g}")
    return replace(latent, samples=interpolate(latent.samples, scale_factor=scale, mode=method).contiguous())


def _unchanged(latent: Known, **_: object) -> tuple[Known]:
    return (latent,)


@node("latent.multiply", aliases=("scale values", "brightness"), outline=_unchanged)
def multiply_latent(latent: Latent, factor: float = 1.0) -> Latent:
    """Every value of a latent times a factor; 1 / sqrt(1 + sigma^2) brings a noised one back to unit variance."""
    return replace(latent, samples=latent.samples * factor)


@node("latent.channels", aliases=("look inside", "split"))
def latent_channels(latent: Latent) -> tuple[Image, ...]:
    """What each channel of a latent holds, as grey pictures of the size it stands for; -3 is black and 3 white."""
    from torch.nn.functional import interpolate

    grey = interpolate(((latent.samples + 3) / 6).clamp(0, 1), scale_factor=float(latent.space.factor), mode="nearest")
    return tuple(Image(channel[:, None].expand(-1, 3, -1, -1).contiguous()) for channel in grey.unbind(1))


def _kept_outside(latent: Known, original: Known, mask: Known, **_: object) -> tuple[Known]:
    return (fit.kept_outside(latent, original, mask),)


@node(
    "latent.keep_outside",
    version=3,
    title="Keep outside mask",
    aliases=("inpaint", "RePaint", "blend"),
    outline=_kept_outside,
)
def keep_outside(
    latent: Latent,
    original: Latent,
    mask: Mask,
    sigma: Annotated[float, Range(0.0, 1000.0)] = 0.0,
    seed: SeedNumber = 0,
) -> Latent:
    """Put the original back where the mask is 0, noised to sigma; for after each step of an inpainting.

    Lugmayr et al. 2022 (arXiv:2201.09865), eq. 8. sigma: the level that the latent has now, 0 after the last step.
    seed: that of Noise, so that outside the mask the noise is the same all the way.
    mask: of the proportions of the picture. A single mask or original goes with every latent of a batch, and a single
    latent with every one of them.
    """
    from torch.nn.functional import interpolate

    from nodes.backend.noise import add_noise

    x = latent.samples
    fit.kept_outside(Latents.of(latent), Latents.of(original), mask.weight.shape)
    weight = interpolate(mask.weight, x.shape[-2:], mode="area")
    count = max(len(x), len(original.samples), len(weight))
    originals = original.samples.expand(count, -1, -1, -1)  # each with the noise of its place in the batch
    kept = add_noise(originals, sigma, seed, latent.batch_index, flow=latent.space.flow)
    return replace(latent, samples=(weight * x + (1 - weight) * kept).contiguous())


def _from_pixels(image: Known) -> tuple[Known]:
    return (image and Latents(image, PIXELS),)


@node("latent.from_pixels", title="Pixels as latent", aliases=("pixel space",), outline=_from_pixels)
def from_pixels(image: Image) -> Latent:
    """A picture itself, scaled to -1..1, as what a pixel-space model denoises."""
    return Latent(image.pixels * 2 - 1, PIXELS)


def _to_pixels(latent: Known) -> tuple[Known]:
    if latent and latent[1] != 3:
        raise ValueError(f"pixels have 3 channels, this latent has {latent[1]}; use VAE decode")
    return (latent,)


@node("latent.to_pixels", title="Latent as pixels", aliases=("pixel space",), outline=_to_pixels)
def to_pixels(latent: Latent) -> Image:
    """The picture that a pixel-space model has made."""
    _to_pixels(latent.samples.shape)
    return Image(((latent.samples + 1) / 2).clamp(0, 1))


Betas = Literal["linear", "cosine"]


def _alpha_bar(schedule: Betas, timestep: int) -> float:
    """How much of the picture's variance is left: linear is DDPM's 0.0001 to 0.02, cosine is Nichol & Dhariwal's."""
    from nodes.backend.process import alpha_bars

    kinds = {"linear": NoiseSchedule("linear", 0.0001, 0.02), "cosine": NoiseSchedule("squaredcos_cap_v2")}
    return alpha_bars(kinds[schedule])[timestep]


@node("schedule.signal", title="Picture left", aliases=("alpha bar", "signal rate", "noise schedule"))
def signal(schedule: Betas = "cosine") -> tuple[float, ...]:
    """How much of the picture is left at each of the 1000 timesteps of forward diffusion: sqrt(alpha_bar).

    Ho et al. 2020 (arXiv:2006.11239), eq. 4.
    """
    return tuple(math.sqrt(_alpha_bar(schedule, timestep)) for timestep in range(1000))


def _diffused(image: Known, **_: object) -> tuple[Known]:
    return (image,)


@node(
    "image.forward_diffusion",
    version=2,
    title="Forward diffusion",
    aliases=("add noise", "DDPM"),
    outline=_diffused,
)
def forward_diffusion(
    image: Image,
    timestep: Annotated[int, Range(0, 999)] = 250,
    schedule: Betas = "cosine",
    seed: SeedNumber = 0,
) -> Image:
    """A picture as the denoiser meets it in training, noised to a timestep from 0 (clean) to 999 (noise).

    Ho et al. 2020 (arXiv:2006.11239), eq. 4.
    """
    from nodes.backend.noise import diffuse

    noised = diffuse(image.pixels * 2 - 1, _alpha_bar(schedule, timestep), seed)  # eq. 4 is for pixels in -1..1
    return Image(((noised + 1) / 2).clamp(0, 1))


@node(
    "latent.forward_diffusion",
    version=2,
    title="Forward diffusion of a latent",
    aliases=("add noise", "DDPM"),
    outline=_unchanged,
)
def latent_forward_diffusion(
    latent: Latent,
    timestep: Annotated[int, Range(0, 999)] = 250,
    schedule: Betas = "cosine",
    seed: SeedNumber = 0,
) -> Latent:
    """A latent noised to a timestep from 0 (clean) to 999 (noise), its variance kept.

    Ho et al. 2020 (arXiv:2006.11239), eq. 4. To denoise it afterwards use Noise instead, which adds without
    shrinking.
    """
    from nodes.backend.noise import diffuse

    return replace(latent, samples=diffuse(latent.samples, _alpha_bar(schedule, timestep), seed, latent.batch_index))

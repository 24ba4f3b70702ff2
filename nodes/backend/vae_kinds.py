"""How autoencoders of each class are used: what their latents are, and what is around their networks.

A new one is a row of KINDS. Latents are normalised, as denoisers have them; pixels are in -1..1; a batch is one
picture. Planning reads the first half of a row, so no module here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

Settings = Mapping[str, Any]


def _as_it_is(pixels: Tensor) -> Tensor:
    return pixels


class Kind(NamedTuple):
    """channels: of a latent. factor: pixels per latent pixel along a side.

    features: maps of a picture's size that are there at once on the way through, for the memory that it takes. encode:
    of (network, pixels [1, 3, height, width]), the mean of its distribution. decode: of (network, latent), pixels.
    shown: of decoded pixels in 0..1, [batch, channels, height, width], what people see of them, [batch, 3, ...].
    """

    channels: Callable[[Settings], int]
    factor: Callable[[Settings], int]
    features: Callable[[Settings], int]
    encode: Callable[[Any, Tensor], Tensor]
    decode: Callable[[Any, Tensor], Tensor]
    shown: Callable[[Tensor], Tensor] = _as_it_is


def of(name: str) -> Kind:
    """By the name of a class of diffusers, with or without its module."""
    return KINDS[name.rpartition(":")[2]]


# One number for all channels ---------------------------------------------------------------------------------


def _scaled_factor(settings: Settings) -> int:
    return 2 ** (len(settings["block_out_channels"]) - 1)


def _scaled_features(settings: Settings) -> int:
    """Five maps, each as wide as the last stage but one."""
    widths: list[int] = settings["block_out_channels"]
    return 5 * widths[min(1, len(widths) - 1)]


def _scaled_encode(vae: Any, pixels: Tensor) -> Tensor:
    latent = vae.encode(pixels).latent_dist.mode()
    return (latent - (vae.config.shift_factor or 0)) * vae.config.scaling_factor


def _scaled_decode(vae: Any, latent: Tensor) -> Tensor:
    latent = latent / vae.config.scaling_factor + (vae.config.shift_factor or 0)
    return vae.decode(latent, return_dict=False)[0]


# A mean and a deviation for each channel, of films of one frame ----------------------------------------------


def _film_channels(settings: Settings) -> int:
    return settings["z_dim"]


def _film_factor(settings: Settings) -> int:
    return 2 ** len(settings["temperal_downsample"])


def _film_features(settings: Settings) -> int:
    """The last widening: what is enlarged, in float32 and again as it was, and what is made of it.

    A convolution over three frames comes close, of which two are empty.
    """
    mults: list[int] = settings["dim_mult"]
    widest = max(settings["base_dim"], settings.get("decoder_base_dim") or 0)
    return 5 * widest * mults[min(1, len(mults) - 1)]


def _per_channel(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the deviation, [channels, 1, 1]."""
    mean, std = (like.new_tensor(vae.config[name])[:, None, None] for name in ("latents_mean", "latents_std"))
    return mean, std


def _film_encode(vae: Any, pixels: Tensor) -> Tensor:
    """As the network's own `encode` does it for a film, without keeping what only a second frame would need."""
    moments = vae.quant_conv(vae.encoder(pixels[:, :, None]))[:, :, 0]
    mean, std = _per_channel(vae, moments)
    return (moments.chunk(2, dim=1)[0] - mean) / std


def _film_decode(vae: Any, latent: Tensor) -> Tensor:
    mean, std = _per_channel(vae, latent)
    return vae.decoder(vae.post_quant_conv((latent * std + mean)[:, :, None]))[:, :, 0]


# The same with a fourth channel of pixels, how opaque they are ------------------------------------------------


def _opaque_encode(vae: Any, pixels: Tensor) -> Tensor:
    opaque = pixels.new_ones(len(pixels), 1, *pixels.shape[-2:])
    latent = vae.encode(_cat(pixels, opaque)[:, :, None]).latent_dist.mode()[:, :, 0]
    mean, std = _per_channel(vae, latent)
    return (latent - mean) / std


def _opaque_decode(vae: Any, latent: Tensor) -> Tensor:
    mean, std = _per_channel(vae, latent)
    return vae.decode((latent * std + mean)[:, :, None], return_dict=False)[0][:, :, 0]


def _on_white(pixels: Tensor) -> Tensor:
    colours, opaque = pixels[:, :3], pixels[:, 3:]
    return colours * opaque + (1 - opaque)


def _cat(*parts: Tensor) -> Tensor:
    import torch

    return torch.cat(parts, dim=1)


# Squares of pixels as channels, normalised as the batches of training were -----------------------------------


def _squares_channels(settings: Settings) -> int:
    height, width = settings["patch_size"]
    return settings["latent_channels"] * height * width


def _squares_factor(settings: Settings) -> int:
    return _scaled_factor(settings) * settings["patch_size"][0]


def _running(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the deviation, [channels, 1, 1]."""
    std = (vae.bn.running_var.float() + vae.config.batch_norm_eps).sqrt()
    return vae.bn.running_mean.to(like)[:, None, None], std.to(like)[:, None, None]


def _squares_encode(vae: Any, pixels: Tensor) -> Tensor:
    from torch.nn.functional import pixel_unshuffle

    latent = pixel_unshuffle(vae.encode(pixels).latent_dist.mode(), vae.config.patch_size[0])
    mean, std = _running(vae, latent)
    return (latent - mean) / std


def _squares_decode(vae: Any, latent: Tensor) -> Tensor:
    from torch.nn.functional import pixel_shuffle

    mean, std = _running(vae, latent)
    return vae.decode(pixel_shuffle(latent * std + mean, vae.config.patch_size[0]), return_dict=False)[0]


def _channels(settings: Settings) -> int:
    return settings["latent_channels"]


KINDS: Mapping[str, Kind] = {
    "AutoencoderKL": Kind(_channels, _scaled_factor, _scaled_features, _scaled_encode, _scaled_decode),
    "AutoencoderKLQwenImage": Kind(_film_channels, _film_factor, _film_features, _film_encode, _film_decode),
    "AutoencoderKLQwenImage21": Kind(
        _film_channels, _film_factor, _film_features, _opaque_encode, _opaque_decode, _on_white
    ),
    "AutoencoderKLFlux2": Kind(_squares_channels, _squares_factor, _scaled_features, _squares_encode, _squares_decode),
}

"""The starter model's autoencoder: AutoencoderKL, factor 8, 4 channels, 128 pixels.

It starts as an exact "average 8x8 pixels down, smooth up" in RGB and learns the rest as residuals: with a few minutes
of training, default weights do not even learn colour.
"""

from collections.abc import Callable
from typing import Any, Protocol, cast

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional

LATENT_CHANNELS = 4
FACTOR = 8
CHANNELS = (32, 64, 96, 96)
# log-variance of the posterior: a standard deviation of 0.05, next to latents of unit variance.
LOG_VARIANCE = -6.0
# Two channels of +-ANCHOR outweigh the picture in every normalisation, which then hardly depends on its content.
ANCHOR = 6.0

# Channels of the analytic start: +RGB, -RGB, +ANCHOR, -ANCHOR. silu(x) - silu(-x) = x, so pairs pass activations.
RGB_CHANNELS = 3
PLUS_ANCHOR, MINUS_ANCHOR = 6, 7
USED = 8

# As they are: torch leaves the types of its linear algebra out, and diffusers declares tuples of one block.
_eigh = cast("Callable[[Tensor], tuple[Tensor, Tensor]]", torch.linalg.eigh)
_autoencoder_kl = cast("Callable[..., AutoencoderKL]", AutoencoderKL)


class Convolution(Protocol):
    """What is used of an nn.Conv2d with a bias; the libraries' types leave open whether it and its bias are there."""

    weight: Tensor
    bias: Tensor
    in_channels: int

    def requires_grad_(self, requires_grad: bool) -> object: ...


def _convolution(module: object) -> Convolution:
    return cast("Convolution", module)


def build_autoencoder(channels: tuple[int, ...] = CHANNELS) -> AutoencoderKL:
    """AutoencoderKL, started analytically; one normalisation group, since more lose absolute colour on flat art."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        vae = _autoencoder_kl(
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * len(channels),
            up_block_types=("UpDecoderBlock2D",) * len(channels),
            block_out_channels=channels,
            layers_per_block=1,
            norm_num_groups=1,
            latent_channels=LATENT_CHANNELS,
            sample_size=128,
            scaling_factor=1.0,
            force_upcast=False,
        )
    with torch.no_grad():
        start_analytically(vae)
    # The whitening is folded into these two afterwards.
    for quantiser in _quantisers(vae):
        quantiser.requires_grad_(False)
    return vae


def start_analytically(vae: AutoencoderKL) -> None:
    """Sets the weights so that encoding averages 8x8 pixels and decoding smooths them up again."""
    average = torch.zeros(3, 3)
    average[:2, :2] = 0.25
    smooth = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            _silence(module.conv2)
            if module.conv_shortcut is not None:
                _pass_channels(_convolution(module.conv_shortcut))
        if isinstance(module, Attention) and module.to_out is not None:
            _silence(module.to_out[0])
        if isinstance(module, Downsample2D):
            _pass_channels(_convolution(module.conv), average, anchor_tap=(0, 0))
        if isinstance(module, Upsample2D):
            _pass_channels(_convolution(module.conv), smooth)
    for part in (vae.encoder, vae.decoder):
        _spread(_convolution(part.conv_in))
        _gather(_convolution(part.conv_out))
    _start_quantisers(vae)


def _silence(layer: nn.Module) -> None:
    """What is added to its own input adds nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _pass_channels(conv: Convolution, kernel: Tensor | None = None, anchor_tap: tuple[int, int] = (1, 1)) -> None:
    """Each used channel goes through with `kernel` (None: a 1x1 convolution); the constant ones through one tap."""
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    for channel in range(USED):
        if kernel is None:
            conv.weight[channel, channel, 0, 0] = 1
        elif channel < PLUS_ANCHOR:
            conv.weight[channel, channel] = kernel
        else:
            conv.weight[channel, channel, anchor_tap[0], anchor_tap[1]] = 1


def _spread(conv: Convolution) -> None:
    """RGB (the first inputs) to the channel pairs, and the constants; further inputs keep small random weights."""
    conv.weight.mul_(0.2)
    nn.init.zeros_(conv.bias)
    conv.weight[:USED] = 0
    conv.weight[:, :RGB_CHANNELS] = 0
    for channel in range(RGB_CHANNELS):
        conv.weight[channel, channel, 1, 1] = 1
        conv.weight[channel + RGB_CHANNELS, channel, 1, 1] = -1
    conv.bias[PLUS_ANCHOR] = ANCHOR
    conv.bias[MINUS_ANCHOR] = -ANCHOR


def _gather(conv: Convolution) -> None:
    """RGB back from the channel pairs, undoing the normalisation's scale; further outputs keep small random weights."""
    conv.weight.mul_(0.2)
    conv.weight[:RGB_CHANNELS] = 0
    nn.init.zeros_(conv.bias)
    scale = ANCHOR * (2 / conv.in_channels) ** 0.5 * 1.03
    for channel in range(RGB_CHANNELS):
        conv.weight[channel, channel, 1, 1] = scale
        conv.weight[channel, channel + RGB_CHANNELS, 1, 1] = -scale


def _quantisers(vae: AutoencoderKL) -> tuple[Convolution, Convolution]:
    """The 1x1 convolutions behind the encoder and in front of the decoder."""
    return _convolution(vae.quant_conv), _convolution(vae.post_quant_conv)


def _start_quantisers(vae: AutoencoderKL) -> None:
    identity = torch.eye(LATENT_CHANNELS)[:, :, None, None]
    behind, before = _quantisers(vae)
    nn.init.zeros_(behind.weight)
    nn.init.zeros_(behind.bias)
    behind.weight[:LATENT_CHANNELS, :LATENT_CHANNELS] = identity
    behind.bias[LATENT_CHANNELS:] = LOG_VARIANCE
    before.weight.copy_(identity)
    nn.init.zeros_(before.bias)


def posterior_of(vae: AutoencoderKL, images: Tensor) -> DiagonalGaussianDistribution:
    """The distribution of the latents of images, as the encoder tells it."""
    return cast("Any", vae).encode(images).latent_dist


def pictures_of(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """What the decoder makes of latents, in its own precision and not limited to [-1, 1]."""
    return cast("Any", vae).decode(latents).sample


def picture_loss(decoded: Tensor, images: Tensor) -> Tensor:
    """L1 and squared error on pixels, L1 on their differences (outlines)."""
    pixels = (decoded - images).abs().mean() + (decoded - images).square().mean()
    return pixels + sum((decoded.diff(dim=dim) - images.diff(dim=dim)).abs().mean() for dim in (2, 3))


def reconstruction_loss(vae: AutoencoderKL, images: Tensor, noise: Tensor) -> Tensor:
    """The loss of pictures decoded from a sample of the posterior; noise: the sample's, as large as the latents."""
    posterior = posterior_of(vae, images)
    latents = posterior.mean + posterior.std * noise
    decoded = pictures_of(vae, latents)
    return picture_loss(decoded.float(), images) + 1e-3 * latents.square().mean()


@torch.inference_mode()
def encode(vae: AutoencoderKL, images: Tensor, batch_size: int = 64) -> Tensor:
    """Posterior means [pictures, 4, 16, 16] of images [pictures, 3, 128, 128]."""
    return torch.cat([posterior_of(vae, batch).mean.float() for batch in torch.split(images, batch_size)])


@torch.inference_mode()
def decode(vae: AutoencoderKL, latents: Tensor, batch_size: int = 64) -> Tensor:
    """Pictures [pictures, 3, 128, 128] in [-1, 1] of latents [pictures, 4, 16, 16]."""
    return torch.cat([pictures_of(vae, batch).clamp(-1, 1) for batch in torch.split(latents, batch_size)])


@torch.no_grad()
def whiten(vae: AutoencoderKL, images: Tensor) -> None:
    """Folds into the 1x1 convolutions what gives these images' latents zero mean, unit variance, no correlation."""
    latents = encode(vae, images).double().permute(1, 0, 2, 3).flatten(1)
    mean = latents.mean(1)
    variances, directions = _eigh(torch.cov(latents))
    forward = torch.diag(variances.rsqrt()) @ directions.T
    backward = directions @ torch.diag(variances.sqrt())
    channels = slice(0, LATENT_CHANNELS)
    behind, before = _quantisers(vae)
    weight = behind.weight[channels, :, 0, 0].double()
    bias = behind.bias[channels].double()
    behind.weight[channels, :, 0, 0] = (forward @ weight).float()
    behind.bias[channels] = (forward @ (bias - mean)).float()
    after = before.weight[:, :, 0, 0].double()
    before.bias.add_((after @ mean).float())
    before.weight[:, :, 0, 0] = (after @ backward).float()


def psnr(images: Tensor, decoded: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1]."""
    return float(10 * torch.log10(4 / functional.mse_loss(decoded, images)))

"""The starter model's autoencoder: AutoencoderKL, factor 8, 4 channels, 128 pixels.

It starts as an exact "average 8x8 pixels down, smooth up" in RGB and learns the rest as residuals: with a few minutes
of training, default weights do not even learn colour.
"""

import torch
from diffusers import AutoencoderKL
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


def build_autoencoder(channels: tuple[int, ...] = CHANNELS) -> AutoencoderKL:
    """AutoencoderKL, started analytically; one normalisation group, since more lose absolute colour on flat art."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        vae = AutoencoderKL(
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
    vae.quant_conv.requires_grad_(False)
    vae.post_quant_conv.requires_grad_(False)
    return vae


def start_analytically(vae: AutoencoderKL) -> None:
    """Sets the weights so that encoding averages 8x8 pixels and decoding smooths them up again."""
    for module in vae.modules():
        if hasattr(module, "conv2") and hasattr(module, "conv_shortcut"):
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
            if module.conv_shortcut is not None:
                _pass_channels(module.conv_shortcut)
        if hasattr(module, "to_out"):
            nn.init.zeros_(module.to_out[0].weight)
            nn.init.zeros_(module.to_out[0].bias)
    average = torch.zeros(3, 3)
    average[:2, :2] = 0.25
    for block in vae.encoder.down_blocks:
        for sampler in block.downsamplers or ():
            _pass_channels(sampler.conv, average, anchor_tap=(0, 0))
    smooth = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16
    for block in vae.decoder.up_blocks:
        for sampler in block.upsamplers or ():
            _pass_channels(sampler.conv, smooth)
    _spread(vae.encoder.conv_in)
    _spread(vae.decoder.conv_in)
    _gather(vae.encoder.conv_out)
    _gather(vae.decoder.conv_out)
    _start_quantisers(vae)


def _pass_channels(conv: nn.Conv2d, kernel: Tensor | None = None, anchor_tap: tuple[int, int] = (1, 1)) -> None:
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


def _spread(conv: nn.Conv2d) -> None:
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


def _gather(conv: nn.Conv2d) -> None:
    """RGB back from the channel pairs, undoing the normalisation's scale; further outputs keep small random weights."""
    conv.weight.mul_(0.2)
    conv.weight[:RGB_CHANNELS] = 0
    nn.init.zeros_(conv.bias)
    scale = ANCHOR * (2 / conv.in_channels) ** 0.5 * 1.03
    for channel in range(RGB_CHANNELS):
        conv.weight[channel, channel, 1, 1] = scale
        conv.weight[channel, channel + RGB_CHANNELS, 1, 1] = -scale


def _start_quantisers(vae: AutoencoderKL) -> None:
    identity = torch.eye(LATENT_CHANNELS)[:, :, None, None]
    nn.init.zeros_(vae.quant_conv.weight)
    nn.init.zeros_(vae.quant_conv.bias)
    vae.quant_conv.weight[:LATENT_CHANNELS, :LATENT_CHANNELS] = identity
    vae.quant_conv.bias[LATENT_CHANNELS:] = LOG_VARIANCE
    vae.post_quant_conv.weight.copy_(identity)
    nn.init.zeros_(vae.post_quant_conv.bias)


def picture_loss(decoded: Tensor, images: Tensor) -> Tensor:
    """L1 and squared error on pixels, L1 on their differences (outlines)."""
    pixels = (decoded - images).abs().mean() + (decoded - images).square().mean()
    return pixels + sum((decoded.diff(dim=dim) - images.diff(dim=dim)).abs().mean() for dim in (2, 3))


def reconstruction_loss(vae: AutoencoderKL, images: Tensor, noise: Tensor) -> Tensor:
    """The loss of pictures decoded from a sample of the posterior; noise: the sample's, as large as the latents."""
    posterior = vae.encode(images).latent_dist
    latents = posterior.mean + posterior.std * noise
    decoded = vae.decode(latents).sample
    return picture_loss(decoded.float(), images) + 1e-3 * latents.square().mean()


@torch.inference_mode()
def encode(vae: AutoencoderKL, images: Tensor, batch_size: int = 64) -> Tensor:
    """Posterior means [pictures, 4, 16, 16] of images [pictures, 3, 128, 128]."""
    return torch.cat([vae.encode(batch).latent_dist.mean.float() for batch in images.split(batch_size)])


@torch.inference_mode()
def decode(vae: AutoencoderKL, latents: Tensor, batch_size: int = 64) -> Tensor:
    """Pictures [pictures, 3, 128, 128] in [-1, 1] of latents [pictures, 4, 16, 16]."""
    return torch.cat([vae.decode(batch).sample.clamp(-1, 1) for batch in latents.split(batch_size)])


@torch.no_grad()
def whiten(vae: AutoencoderKL, images: Tensor) -> None:
    """Folds into the 1x1 convolutions what gives these images' latents zero mean, unit variance, no correlation."""
    latents = encode(vae, images).double().permute(1, 0, 2, 3).flatten(1)
    mean = latents.mean(1)
    variances, directions = torch.linalg.eigh(torch.cov(latents))
    forward = torch.diag(variances.rsqrt()) @ directions.T
    backward = directions @ torch.diag(variances.sqrt())
    channels = slice(0, LATENT_CHANNELS)
    weight = vae.quant_conv.weight[channels, :, 0, 0].double()
    bias = vae.quant_conv.bias[channels].double()
    vae.quant_conv.weight[channels, :, 0, 0] = (forward @ weight).float()
    vae.quant_conv.bias[channels] = (forward @ (bias - mean)).float()
    after = vae.post_quant_conv.weight[:, :, 0, 0].double()
    vae.post_quant_conv.bias.add_((after @ mean).float())
    vae.post_quant_conv.weight[:, :, 0, 0] = (after @ backward).float()


def psnr(images: Tensor, decoded: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1]."""
    return float(10 * torch.log10(4 / functional.mse_loss(decoded, images)))

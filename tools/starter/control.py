"""The starter's ControlNet: a drawing's edges in, a thing of that outline out. Zhang et al. 2023 (arXiv:2302.05543)."""

from types import SimpleNamespace

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from nodes.backend import images

LOW, HIGH = 0.05, 0.15  # thresholds of the node Canny edges, as it comes
TOLERANCE = 2  # pixels by which an edge may be off and still counts as found
EMBEDDING_CHANNELS = (8, 16, 32, 64)  # each but the first halves the side: 128 pixels to 16
COPIED = (
    "in_channels",
    "block_out_channels",
    "down_block_types",
    "layers_per_block",
    "cross_attention_dim",
    "attention_head_dim",
    "norm_num_groups",
)


def build_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """A copy of the denoiser's encoder behind zero convolutions, 3.3 million parameters.

    Its middle block has no attention: what a thing is was read further up, and that saves a third of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        controlnet = ControlNetModel(
            **{name: unet.config[name] for name in COPIED},
            mid_block_type="UNetMidBlock2D",
            conditioning_embedding_out_channels=EMBEDDING_CHANNELS,
        )
    controlnet.load_state_dict(controlnet.state_dict() | _shared(unet, controlnet))
    return controlnet


def _shared(unet: UNet2DConditionModel, controlnet: ControlNetModel) -> dict[str, Tensor]:
    known = controlnet.state_dict()
    return {name: tensor for name, tensor in unet.state_dict().items() if name in known}


def edges(pictures: Tensor) -> Tensor:
    """What Canny edges makes of pictures [pictures, 3, 128, 128] in [0, 1]: 0 or 1, [pictures, 1, 128, 128]."""
    return images.canny(pictures, LOW, HIGH)[:, :1]


class Controlled:
    """A denoiser that follows edges: called as the denoiser is, so that training need not know.

    edges: [pictures, 1, 128, 128].
    """

    def __init__(self, unet: UNet2DConditionModel, controlnet: ControlNetModel, edges: Tensor) -> None:
        self.unet, self.controlnet, self.config = unet, controlnet, unet.config
        self.hint = edges.expand(-1, 3, -1, -1)

    def __call__(self, noisy: Tensor, timesteps: Tensor, encoder_hidden_states: Tensor) -> SimpleNamespace:
        down, mid = self.controlnet(noisy, timesteps, encoder_hidden_states, self.hint, return_dict=False)
        predicted = self.unet(
            noisy,
            timesteps,
            encoder_hidden_states=encoder_hidden_states,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
        )
        return SimpleNamespace(sample=predicted.sample)


def edge_f1(found: Tensor, given: Tensor) -> Tensor:
    """How well two edge maps [pictures, 1, height, width] agree, [pictures] in [0, 1].

    The harmonic mean of precision and recall, where an edge pixel is right when the other map has one no further away
    than the tolerance, as in boundary detection (Martin et al. 2004, IEEE PAMI 26(5)), without matching one to one.
    """
    precision = _share_near(found, given)
    recall = _share_near(given, found)
    return 2 * precision * recall / (precision + recall).clamp(min=1e-6)


def _share_near(edges: Tensor, others: Tensor) -> Tensor:
    """Share of the edge pixels that have one of the others within the tolerance."""
    offsets = torch.arange(-TOLERANCE, TOLERANCE + 1)
    disc = (offsets[:, None].square() + offsets.square() <= TOLERANCE**2).float()
    near = functional.conv2d(others, disc[None, None], padding=TOLERANCE) > 0
    return (edges * near).sum((1, 2, 3)) / edges.sum((1, 2, 3)).clamp(min=1)

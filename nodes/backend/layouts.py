"""What the tensors of a network are called in files: by diffusers, by its earlier versions, and by the original code.

Original names: CompVis' latent-diffusion (ldm/modules/diffusionmodules) and lllyasviel's ControlNet (cldm/cldm.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Settings = Mapping[str, Any]

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "controlnet_mid_block": "middle_block_out.0",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
EARLIER_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
"""Autoencoders that were published before diffusers renamed their attention layers."""

BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")
MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def original_unet(settings: Settings) -> Callable[[str], str]:
    """diffusers' name of a U-Net's or a ControlNet's tensor to the original one."""
    layers: int = settings.get("layers_per_block", 2)
    up: Iterable[str] = settings.get("up_block_types", ())
    attends = ["Attn" in kind for kind in up]
    num_hints = 2 * (len(settings.get("conditioning_embedding_out_channels", (0,))) - 1)

    def name(tensor: str) -> str:
        if match := BLOCK.fullmatch(tensor):
            half, block, kind, index, rest = match.groups()
            first = int(block) * (layers + 1)
            match kind:
                case "downsamplers":
                    return f"input_blocks.{first + layers + 1}.0.op.{rest.removeprefix('conv.')}"
                case "upsamplers":
                    return f"output_blocks.{first + layers}.{1 + attends[int(block)]}.{rest}"
                case _:
                    place = first + int(index)
                    stem = f"input_blocks.{place + 1}" if half == "down" else f"output_blocks.{place}"
                    return f"{stem}.0.{_renamed(rest, RESNET)}" if kind == "resnets" else f"{stem}.1.{rest}"
        if match := MIDDLE.fullmatch(tensor):
            kind, index, rest = match.groups()
            is_resnet = kind == "resnets"
            return f"middle_block.{2 * int(index)}.{_renamed(rest, RESNET)}" if is_resnet else f"middle_block.1.{rest}"
        if match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(.+)", tensor):
            return f"zero_convs.{match[1]}.0.{match[2]}"
        if match := re.fullmatch(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.(\d+))\.(.+)", tensor):
            order = {"conv_in": 0, "conv_out": num_hints + 1}
            return f"input_hint_block.{2 * order.get(match[1], int(match[2] or 0) + 1)}.{match[3]}"
        return _renamed(tensor, UNET_ENDS)

    return name


def original_vae(settings: Settings) -> Callable[[str], str]:
    """diffusers' name of an autoencoder's tensor to the original one."""
    last = len(settings.get("block_out_channels", (64,))) - 1

    def name(tensor: str) -> str:
        half, _, rest = tensor.partition(".")
        if match := BLOCK.fullmatch(rest):
            _, block, kind, index, inner = match.groups()
            stem = f"{half}.down.{block}" if half == "encoder" else f"{half}.up.{last - int(block)}"
            if kind == "resnets":
                return f"{stem}.block.{index}.{inner.replace('conv_shortcut', 'nin_shortcut')}"
            return f"{stem}.{kind.removesuffix('rs')}.{inner}"  # downsample, upsample
        if match := MIDDLE.fullmatch(rest):
            kind, index, inner = match.groups()
            if kind == "resnets":
                return f"{half}.mid.block_{int(index) + 1}.{inner}"
            return f"{half}.mid.attn_1.{_renamed(inner, ATTENTION)}"
        return tensor.replace("conv_norm_out", "norm_out")

    return name


def earlier_vae(tensor: str) -> str:
    """diffusers' present name of an autoencoder's tensor to its earlier one."""
    stem, mark, inner = tensor.partition(".attentions.0.")
    return f"{stem}{mark}{_renamed(inner, EARLIER_ATTENTION)}" if mark else tensor


def _renamed(tensor: str, table: Mapping[str, str]) -> str:
    layer, _, kind = tensor.rpartition(".")
    return f"{table[layer]}.{kind}" if layer in table else tensor

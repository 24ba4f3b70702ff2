"""U-Nets that read prompts by cross-attention, and their ControlNets.

Rombach et al. 2022 (arXiv:2112.10752), Podell et al. 2023 (arXiv:2307.01952) for what SDXL adds, Zhang et al. 2023
(arXiv:2302.05543). Original names: CompVis' latent-diffusion (ldm/modules/diffusionmodules) and lllyasviel's
ControlNet (cldm/cldm.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from nodes.backend.fields import Each, Either, Field, Flag, Only, Real, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import (
    CHANNELS,
    EPS,
    HEADS,
    LAYERS,
    NOT_USED,
    OFF,
    SCHEDULE,
    TRAINING,
    Architecture,
    Ignored,
    Settings,
    Shape,
    Spellings,
    Stored,
    Tensors,
    renamed,
)

MAX_BLOCKS = 8

ACTIVATION = Field(Only("silu", "swish"), "silu")
_NETWORK: Schema = {
    "in_channels": Field(CHANNELS, 4),
    "flip_sin_to_cos": Field(Flag(), True),
    "freq_shift": Field(Real(0, 1), 0),
    "only_cross_attention": OFF,
    "block_out_channels": Field(Each(CHANNELS, MAX_BLOCKS), (320, 640, 1280, 1280)),
    "down_block_types": Field(
        Each(Only("DownBlock2D", "CrossAttnDownBlock2D"), MAX_BLOCKS), ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    ),
    "layers_per_block": Field(LAYERS, 2),
    "downsample_padding": Field(Only(1), 1),
    "mid_block_scale_factor": Field(Real(1e-3, 1e3), 1),
    "act_fn": ACTIVATION,
    "norm_num_groups": Field(CHANNELS, 32),
    "norm_eps": Field(EPS, 1e-5),
    "cross_attention_dim": Field(CHANNELS, 1280),
    "transformer_layers_per_block": Field(Either(LAYERS, Each(LAYERS, MAX_BLOCKS)), 1),
    "attention_head_dim": Field(Either(HEADS, Each(HEADS, MAX_BLOCKS)), 8),
    "num_attention_heads": NOT_USED,
    "use_linear_projection": Field(Flag(), False),
    "upcast_attention": Field(Flag(), False),
    "resnet_time_scale_shift": Field(Only("default"), "default"),
    "encoder_hid_dim": NOT_USED,
    "encoder_hid_dim_type": NOT_USED,
    "class_embed_type": NOT_USED,
    "num_class_embeds": NOT_USED,
    "addition_embed_type": Field(Only(None, "text_time"), None),
    "addition_time_embed_dim": Field(Either(CHANNELS, Only(None)), None),
    "projection_class_embeddings_input_dim": Field(Either(Whole(1, 65_536), Only(None)), None),
}
"""What a U-Net and its ControlNet have in common."""

UNET_SETTINGS: Schema = {
    **_NETWORK,
    "sample_size": Field(Either(Whole(1, 4096), Only(None)), None),
    "out_channels": Field(CHANNELS, 4),
    "center_input_sample": Field(Flag(), False),
    "mid_block_type": Field(Only("UNetMidBlock2DCrossAttn", None), "UNetMidBlock2DCrossAttn"),
    "up_block_types": Field(
        Each(Only("UpBlock2D", "CrossAttnUpBlock2D"), MAX_BLOCKS), ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    ),
    "dropout": Field(Real(0, 1), 0.0),
    "reverse_transformer_layers_per_block": NOT_USED,
    "dual_cross_attention": OFF,
    "resnet_skip_time_act": OFF,
    "resnet_out_scale_factor": Field(Real(1e-3, 1e3), 1.0),
    "time_embedding_type": Field(Only("positional"), "positional"),
    "time_embedding_dim": NOT_USED,
    "time_embedding_act_fn": NOT_USED,
    "timestep_post_act": NOT_USED,
    "time_cond_proj_dim": Field(Either(CHANNELS, Only(None)), None),
    "conv_in_kernel": Field(Only(3), 3),
    "conv_out_kernel": Field(Only(3), 3),
    "attention_type": Field(Only("default"), "default"),
    "class_embeddings_concat": OFF,
    "mid_block_only_cross_attention": Field(Only(None, False), None),
    "cross_attention_norm": NOT_USED,
}

CONTROLNET_SETTINGS: Schema = {
    **_NETWORK,
    "conditioning_channels": Field(Only(3), 3),
    "mid_block_type": Field(Only("UNetMidBlock2DCrossAttn", "UNetMidBlock2D"), "UNetMidBlock2DCrossAttn"),
    "controlnet_conditioning_channel_order": Field(Only("rgb", "bgr"), "rgb"),
    "conditioning_embedding_out_channels": Field(Each(CHANNELS, MAX_BLOCKS), (16, 32, 96, 256)),
    "global_pool_conditions": OFF,
}


RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
FIRST = "conv_in.weight"
GUIDANCE = "time_embedding.cond_proj.weight"
UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "controlnet_mid_block": "middle_block_out.0",
}
BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")
MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def per_block(settings: Mapping[str, Any], name: str) -> list[int]:
    """A field that is one number for all blocks, or one for each."""
    value: list[int] | int = settings[name]
    return value if isinstance(value, list) else [value] * len(settings["block_out_channels"])


def uneven_blocks(settings: Settings) -> Iterator[str]:
    """What is wrong with the lists of a network in blocks."""
    widths = settings["block_out_channels"]
    for name in ("down_block_types", "up_block_types", "transformer_layers_per_block", "attention_head_dim"):
        value: Any = settings.get(name)
        if isinstance(value, list) and (count := len(cast("list[Any]", value))) != len(widths):
            yield f"{name} has {count} values, block_out_channels {len(widths)}"
            return
    groups = settings["norm_num_groups"]
    if uneven := next((width for width in widths if width % groups), None):
        yield f"block_out_channels has {uneven}, no multiple of norm_num_groups {groups}"


def _contradictions(settings: Settings) -> Iterator[str]:
    for problem in uneven_blocks(settings):
        yield problem
        return
    for width, heads in zip(settings["block_out_channels"], per_block(settings, "attention_head_dim"), strict=True):
        if width % heads:
            yield f"block_out_channels has {width}, no multiple of attention_head_dim {heads}, which is a count here"
    added = ("addition_time_embed_dim", "projection_class_embeddings_input_dim")
    if any((settings[name] is None) != (settings["addition_embed_type"] is None) for name in added):
        yield f"addition_embed_type is {settings['addition_embed_type']}, so {' and '.join(added)} must be given or not"


def resnet(tensors: Tensors, name: str, inputs: int, outputs: int, time_width: int = 0) -> None:
    """A residual block, of U-Nets and autoencoders alike. time_width: 0 where it is told no noise level."""
    tensors.norm(f"{name}.norm1", inputs)
    tensors.conv(f"{name}.conv1", inputs, outputs)
    if time_width:
        tensors.linear(f"{name}.time_emb_proj", time_width, outputs)
    tensors.norm(f"{name}.norm2", outputs)
    tensors.conv(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        tensors.conv(f"{name}.conv_shortcut", inputs, outputs, 1)


def _transformer(tensors: Tensors, name: str, channels: int, context: int, depth: int, *, linear: bool) -> None:
    tensors.norm(f"{name}.norm", channels)
    for projection in ("proj_in", "proj_out"):
        if linear:
            tensors.linear(f"{name}.{projection}", channels, channels)
        else:
            tensors.conv(f"{name}.{projection}", channels, channels, 1)
    for index in range(depth):
        block = f"{name}.transformer_blocks.{index}"
        for layer in ("norm1", "norm2", "norm3"):
            tensors.norm(f"{block}.{layer}", channels)
        for attention, source in (("attn1", channels), ("attn2", context)):
            tensors.linear(f"{block}.{attention}.to_q", channels, channels, bias=False)
            tensors.linear(f"{block}.{attention}.to_k", source, channels, bias=False)
            tensors.linear(f"{block}.{attention}.to_v", source, channels, bias=False)
            tensors.linear(f"{block}.{attention}.to_out.0", channels, channels)
        tensors.linear(f"{block}.ff.net.0.proj", channels, 8 * channels)  # GEGLU: values and gates, 4 times as wide
        tensors.linear(f"{block}.ff.net.2", 4 * channels, channels)


class _Unet:
    """What the halves of a U-Net share. down, up: whether each block reads the prompt."""

    def __init__(self, settings: Settings) -> None:
        self.widths: Sequence[int] = settings["block_out_channels"]
        self.num_blocks = len(self.widths)
        self.context: int = settings["cross_attention_dim"]
        self.layers: int = settings["layers_per_block"]
        self.depths = per_block(settings, "transformer_layers_per_block")
        self.linear: bool = settings["use_linear_projection"]
        self.time_width = 4 * self.widths[0]
        self.condition: int | None = settings.get("time_cond_proj_dim")
        self.added: int | None = settings["projection_class_embeddings_input_dim"]
        self.channels: int = settings["in_channels"]
        self.mid: str | None = settings["mid_block_type"]
        self.down = [kind == "CrossAttnDownBlock2D" for kind in settings["down_block_types"]]
        self.up = [kind == "CrossAttnUpBlock2D" for kind in settings.get("up_block_types", ())]

    def begin(self, tensors: Tensors) -> None:
        """From the input to the middle, which ControlNets have too."""
        tensors.conv("conv_in", self.channels, self.widths[0])
        tensors.linear("time_embedding.linear_1", self.widths[0], self.time_width)
        tensors.linear("time_embedding.linear_2", self.time_width, self.time_width)
        if self.condition:
            tensors.linear("time_embedding.cond_proj", self.condition, self.widths[0], bias=False)
        if self.added:
            tensors.linear("add_embedding.linear_1", self.added, self.time_width)
            tensors.linear("add_embedding.linear_2", self.time_width, self.time_width)
        before = self.widths[0]
        for index, width in enumerate(self.widths):
            for layer in range(self.layers):
                block = f"down_blocks.{index}"
                resnet(tensors, f"{block}.resnets.{layer}", before if layer == 0 else width, width, self.time_width)
                if self.down[index]:
                    self.attention(tensors, f"{block}.attentions.{layer}", index)
            if index < self.num_blocks - 1:
                tensors.conv(f"down_blocks.{index}.downsamplers.0.conv", width, width)
            before = width
        self._middle(tensors)

    def attention(self, tensors: Tensors, name: str, index: int) -> None:
        _transformer(tensors, name, self.widths[index], self.context, self.depths[index], linear=self.linear)

    def _middle(self, tensors: Tensors) -> None:
        if self.mid is None:  # distilled networks have none
            return
        width = self.widths[-1]
        resnet(tensors, "mid_block.resnets.0", width, width, self.time_width)
        if self.mid == "UNetMidBlock2DCrossAttn":
            self.attention(tensors, "mid_block.attentions.0", self.num_blocks - 1)
            resnet(tensors, "mid_block.resnets.1", width, width, self.time_width)


def _unet(settings: Settings) -> dict[str, Shape]:
    plan, tensors = _Unet(settings), Tensors()
    plan.begin(tensors)
    before = plan.widths[-1]
    last = plan.num_blocks - 1
    for index in range(plan.num_blocks):
        mirrored = last - index
        width, beside = plan.widths[mirrored], plan.widths[max(mirrored - 1, 0)]
        layers = plan.layers + 1
        for layer in range(layers):
            skip = beside if layer == layers - 1 else width  # what comes over from the first half
            block, inputs = f"up_blocks.{index}", (before if layer == 0 else width) + skip
            resnet(tensors, f"{block}.resnets.{layer}", inputs, width, plan.time_width)
            if plan.up[index]:
                plan.attention(tensors, f"{block}.attentions.{layer}", mirrored)
        if index < last:
            tensors.conv(f"up_blocks.{index}.upsamplers.0.conv", width, width)
        before = width
    tensors.norm("conv_norm_out", plan.widths[0])
    tensors.conv("conv_out", plan.widths[0], settings["out_channels"])
    return tensors


def _controlnet(settings: Settings) -> dict[str, Shape]:
    plan, tensors = _Unet(settings), Tensors()
    plan.begin(tensors)
    hint: Sequence[int] = settings["conditioning_embedding_out_channels"]
    stem = "controlnet_cond_embedding"
    tensors.conv(f"{stem}.conv_in", settings["conditioning_channels"], hint[0])
    for index, (inputs, outputs) in enumerate(pairwise(hint)):
        tensors.conv(f"{stem}.blocks.{2 * index}", inputs, inputs)
        tensors.conv(f"{stem}.blocks.{2 * index + 1}", inputs, outputs)
    tensors.conv(f"{stem}.conv_out", hint[-1], plan.widths[0])
    exits = [plan.widths[0]]
    for index, width in enumerate(plan.widths):
        exits += [width] * (plan.layers + (index < plan.num_blocks - 1))
    for index, width in enumerate(exits):
        tensors.conv(f"controlnet_down_blocks.{index}", width, width, 1)
    tensors.conv("controlnet_mid_block", plan.widths[-1], plan.widths[-1], 1)
    return tensors


def original(settings: Settings) -> Callable[[str], str]:
    """diffusers' name of a U-Net's or a ControlNet's tensor to the original one."""
    layers: int = settings["layers_per_block"]
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
                    return f"{stem}.0.{renamed(rest, RESNET)}" if kind == "resnets" else f"{stem}.1.{rest}"
        if match := MIDDLE.fullmatch(tensor):
            kind, index, rest = match.groups()
            is_resnet = kind == "resnets"
            return f"middle_block.{2 * int(index)}.{renamed(rest, RESNET)}" if is_resnet else f"middle_block.1.{rest}"
        if match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(.+)", tensor):
            return f"zero_convs.{match[1]}.0.{match[2]}"
        if match := re.fullmatch(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.(\d+))\.(.+)", tensor):
            order = {"conv_in": 0, "conv_out": num_hints + 1}
            return f"input_hint_block.{2 * order.get(match[1], int(match[2] or 0) + 1)}.{match[3]}"
        return renamed(tensor, UNET_ENDS)

    return name


def _spellings(settings: Settings) -> Spellings:
    theirs = original(settings)
    return lambda name: (Stored(name), Stored(theirs(name)))


def _told(settings: Settings, found: Shapes) -> Settings:
    """Of one family and size there are those that make and those that complete pictures, and those that were distilled.

    The first take other channels, the last have a layer that reads the guidance scale.
    """
    told: Settings = {}
    for field, name, dimensions in (("in_channels", FIRST, 4), ("time_cond_proj_dim", GUIDANCE, 2)):
        stored = (spelling.name for spelling in _spellings(settings)(name))
        for shape in (found[name] for name in stored if name in found):
            if len(shape) == dimensions:
                told[field] = shape[1]
    return settings | told


UNET = Architecture(
    "diffusers.models.unets.unet_2d_condition:UNet2DConditionModel",
    UNET_SETTINGS,
    _unet,
    _spellings,
    _contradictions,
    _told,
    ignored=TRAINING,
)
CONTROLNET = Architecture(
    "diffusers.models.controlnets.controlnet:ControlNetModel",
    CONTROLNET_SETTINGS,
    _controlnet,
    _spellings,
    _contradictions,
    ignored=(
        *TRAINING,
        SCHEDULE,
        Ignored(
            r"(model\.diffusion_model|first_stage_model|cond_stage_model)\..+",
            "the checkpoint that a ControlNet of the original layout was trained with",
        ),
    ),
)

"""The transformer of Qwen-Image, its editors and its ControlNets: blocks in which text and picture attend jointly.

Wu et al. 2025 (arXiv:2508.02324), sec. 3.3. Every file names its layers as diffusers does.
"""

from __future__ import annotations

from collections.abc import Iterator

from nodes.backend.fields import Each, Field, Flag, Only, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks import rotary
from nodes.backend.networks.architecture import OFF, Architecture, Ignored, Settings, Tensors, own_names
from nodes.backend.networks.mmdit import (
    CHANNELS,
    HEAD_CHANNELS,
    HEADS,
    MOST_LAYERS,
    TIME_CHANNELS,
    Sizes,
    attention,
    feed_forward,
    known,
    told_heads,
    width,
)
from nodes.backend.networks.rotary import NUM_AXES

PATCH = 2
"""Latent pixels a side that make a token."""

LATENT_CHANNELS = 16
TOKEN_CHANNELS = LATENT_CHANNELS * PATCH**2

MODULATION = 6
"""A shift, a scale and a gate, for the attention and for the feed-forward."""

POSITIONS = 4096
"""Of tokens along any axis, on either side of the middle; a text begins where its pictures end."""

REFERENCES_AT_ZERO = "__index_timestep_zero__"
"""An empty tensor, by which files in ComfyUI's naming tell that references are taken as free of noise."""

_NETWORK: Schema = {
    "patch_size": Field(Only(PATCH), PATCH),
    "in_channels": Field(CHANNELS, TOKEN_CHANNELS),
    "out_channels": Field(CHANNELS, LATENT_CHANNELS),
    "num_layers": Field(Whole(1, MOST_LAYERS), 60),
    "attention_head_dim": Field(HEAD_CHANNELS, 128),
    "num_attention_heads": Field(HEADS, 24),
    "joint_attention_dim": Field(CHANNELS, 3584),
    "axes_dims_rope": Field(Each(Whole(2, HEAD_CHANNELS.most), NUM_AXES), (16, 56, 56)),
}
SETTINGS: Schema = {
    **_NETWORK,
    "guidance_embeds": OFF,
    "zero_cond_t": Field(Flag(), False),
    "use_additional_t_cond": OFF,
    "use_layer3d_rope": OFF,
}
CONTROLNET_SETTINGS: Schema = {**_NETWORK, "extra_condition_channels": Field(Whole(0, CHANNELS.most), 0)}


def _transformer(settings: Settings) -> Tensors:
    tensors, w = _body(settings), width(settings)
    tensors.linear("norm_out.linear", w, 2 * w)
    tensors.linear("proj_out", w, PATCH**2 * settings["out_channels"])
    return tensors


def _controlnet(settings: Settings) -> Tensors:
    tensors, w = _body(settings), width(settings)
    for layer in range(settings["num_layers"]):
        tensors.linear(f"controlnet_blocks.{layer}", w, w)
    tensors.linear("controlnet_x_embedder", settings["in_channels"] + settings["extra_condition_channels"], w)
    return tensors


def _body(settings: Settings) -> Tensors:
    """All but what comes out at the end."""
    tensors, w, text = Tensors(), width(settings), settings["joint_attention_dim"]
    tensors.linear("time_text_embed.timestep_embedder.linear_1", TIME_CHANNELS, w)
    tensors.linear("time_text_embed.timestep_embedder.linear_2", w, w)
    tensors.scale("txt_norm", text)
    tensors.linear("img_in", settings["in_channels"], w)
    tensors.linear("txt_in", text, w)
    for layer in range(settings["num_layers"]):
        block = f"transformer_blocks.{layer}"
        attention(tensors, f"{block}.attn", settings, norm=True, added=True)
        tensors.linear(f"{block}.attn.to_add_out", w, w)
        for stream in ("img", "txt"):
            tensors.linear(f"{block}.{stream}_mod.1", w, MODULATION * w)
            feed_forward(tensors, f"{block}.{stream}_mlp", w)
    return tensors


def _contradictions(settings: Settings) -> Iterator[str]:
    axes, head = settings["axes_dims_rope"], settings["attention_head_dim"]
    if not rotary.fits(axes, head):
        yield f"axes_dims_rope is {axes}; it must be {NUM_AXES} even numbers that add up to attention_head_dim, {head}"


# What a file tells -----------------------------------------------------------------------------------------


def _told_body(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(own_names(settings), found)
    heads = told_heads(settings, sizes("img_in.weight", 0), sizes("transformer_blocks.0.attn.norm_q.weight", 0))
    head = heads.get("attention_head_dim", settings["attention_head_dim"])
    return {
        **settings,
        **heads,
        **known(in_channels=sizes("img_in.weight", 1), joint_attention_dim=sizes("txt_in.weight", 1)),
        "num_layers": sizes.count("transformer_blocks.{}.attn.norm_q.weight"),
        "axes_dims_rope": rotary.shared_out(settings["axes_dims_rope"], head, settings["axes_dims_rope"][-1]),
    }


def _told(settings: Settings, found: Shapes) -> Settings:
    made = Sizes(own_names(settings), found)("proj_out.weight", 0)
    return {
        **_told_body(settings, found),
        **known(out_channels=made // PATCH**2 if made and not made % PATCH**2 else None),
        "zero_cond_t": settings["zero_cond_t"] or REFERENCES_AT_ZERO in found,
    }


def _told_controlnet(settings: Settings, found: Shapes) -> Settings:
    told = _told_body(settings, found)
    read = Sizes(own_names(settings), found)("controlnet_x_embedder.weight", 1) or 0
    return {**told, "extra_condition_channels": max(read - told["in_channels"], 0)}


TRANSFORMER = Architecture(
    "nodes.backend.qwen_transformers:QwenImageTransformer2DModel",
    SETTINGS,
    _transformer,
    own_names,
    _contradictions,
    _told,
    ignored=(Ignored(REFERENCES_AT_ZERO, "tells that references are taken as free of noise, which is a setting"),),
)
CONTROLNET = Architecture(
    "diffusers.models.controlnets.controlnet_qwenimage:QwenImageControlNetModel",
    CONTROLNET_SETTINGS,
    _controlnet,
    own_names,
    _contradictions,
    _told_controlnet,
)

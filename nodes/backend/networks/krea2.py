"""Krea 2's transformer: one stream of the prompt's tokens and the picture's, after several layers of the text encoder
were fused to one state for each token.

Original names: Krea's own code, as ComfyUI's files have them. Queries share keys: Ainslie et al. 2023
(arXiv:2305.13245).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nodes.backend.fields import Each, Field, Real, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks import rotary
from nodes.backend.networks.architecture import (
    CHANNELS,
    EPS,
    HEADS,
    Architecture,
    Settings,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import HEAD_CHANNELS, MOST_LAYERS, Sizes, known, told_heads, width
from nodes.backend.networks.rotary import NUM_AXES

PATCH = 2
"""Latent pixels a side that make a token."""

MODULATIONS, LAST_MODULATIONS = 6, 2
"""A scale, a shift and a gate for the attention and for the feed-forward; a scale and a shift at the end."""

SETTINGS: Schema = {
    "in_channels": Field(CHANNELS, 64),
    "num_layers": Field(Whole(1, MOST_LAYERS), 28),
    "attention_head_dim": Field(HEAD_CHANNELS, 128),
    "num_attention_heads": Field(HEADS, 48),
    "num_key_value_heads": Field(HEADS, 12),
    "intermediate_size": Field(Whole(1, 8 * CHANNELS.most), 16_384),
    "timestep_embed_dim": Field(CHANNELS, 256),
    "text_hidden_dim": Field(CHANNELS, 2560),
    "num_text_layers": Field(Whole(1, MOST_LAYERS), 12),
    "text_num_attention_heads": Field(HEADS, 20),
    "text_num_key_value_heads": Field(HEADS, 20),
    "text_intermediate_size": Field(Whole(1, 8 * CHANNELS.most), 6912),
    "num_layerwise_text_blocks": Field(Whole(0, MOST_LAYERS), 2),
    "num_refiner_text_blocks": Field(Whole(0, MOST_LAYERS), 2),
    "axes_dims_rope": Field(Each(Whole(2, HEAD_CHANNELS.most), NUM_AXES), (32, 48, 48)),
    "rope_theta": Field(Real(1.0, 1e9), 1000.0),
    "norm_eps": Field(EPS, 1e-5),
}


def _shapes(settings: Settings) -> Tensors:
    tensors, w, text = Tensors(), width(settings), settings["text_hidden_dim"]
    tensors.linear("img_in", settings["in_channels"], w)
    tensors.linear("time_embed.linear_1", settings["timestep_embed_dim"], w)
    tensors.linear("time_embed.linear_2", w, w)
    tensors.linear("time_mod_proj", w, MODULATIONS * w)
    heads, shared = settings["text_num_attention_heads"], settings["text_num_key_value_heads"]
    for kind, count in (("layerwise", "num_layerwise_text_blocks"), ("refiner", "num_refiner_text_blocks")):
        for index in range(settings[count]):
            block = f"text_fusion.{kind}_blocks.{index}"
            _block(tensors, block, text, text // heads, shared, settings["text_intermediate_size"])
    tensors.linear("text_fusion.projector", settings["num_text_layers"], 1, bias=False)
    tensors.scale("txt_in.norm", text)
    tensors.linear("txt_in.linear_1", text, w)
    tensors.linear("txt_in.linear_2", w, w)
    head, shared = settings["attention_head_dim"], settings["num_key_value_heads"]
    for index in range(settings["num_layers"]):
        tensors[f"transformer_blocks.{index}.scale_shift_table"] = (MODULATIONS, w)
        _block(tensors, f"transformer_blocks.{index}", w, head, shared, settings["intermediate_size"])
    tensors["final_layer.scale_shift_table"] = (LAST_MODULATIONS, w)
    tensors.scale("final_layer.norm", w)
    tensors.linear("final_layer.linear", w, settings["in_channels"])
    return tensors


def _block(tensors: Tensors, block: str, w: int, head: int, shared: int, hidden: int) -> None:
    """head: channels of one. shared: how many heads keys and values have."""
    tensors.scale(f"{block}.norm1", w)
    tensors.scale(f"{block}.norm2", w)
    tensors.linear(f"{block}.attn.to_q", w, w, bias=False)
    tensors.linear(f"{block}.attn.to_k", w, shared * head, bias=False)
    tensors.linear(f"{block}.attn.to_v", w, shared * head, bias=False)
    tensors.linear(f"{block}.attn.to_gate", w, w, bias=False)
    tensors.linear(f"{block}.attn.to_out.0", w, w, bias=False)
    tensors.scale(f"{block}.attn.norm_q", head)
    tensors.scale(f"{block}.attn.norm_k", head)
    tensors.linear(f"{block}.ff.gate", w, hidden, bias=False)
    tensors.linear(f"{block}.ff.up", w, hidden, bias=False)
    tensors.linear(f"{block}.ff.down", hidden, w, bias=False)


def _contradictions(settings: Settings) -> Iterator[str]:
    axes, head = settings["axes_dims_rope"], settings["attention_head_dim"]
    if not rotary.fits(axes, head):
        yield f"axes_dims_rope is {axes}; it must be {NUM_AXES} even numbers that add up to attention_head_dim, {head}"
    for name in ("", "text_"):
        heads, shared = settings[f"{name}num_attention_heads"], settings[f"{name}num_key_value_heads"]
        if heads % shared:
            yield f"{name}num_attention_heads {heads} is no multiple of {name}num_key_value_heads {shared}"
    if settings["text_hidden_dim"] % settings["text_num_attention_heads"]:
        yield (
            f"text_hidden_dim {settings['text_hidden_dim']} is no multiple of text_num_attention_heads "
            f"{settings['text_num_attention_heads']}"
        )
    if settings["timestep_embed_dim"] % 2:
        yield f"timestep_embed_dim is {settings['timestep_embed_dim']}, which is odd"


# Names in files --------------------------------------------------------------------------------------------

ENDS = {
    "img_in": "first",
    "time_embed.linear_1": "tmlp.0",
    "time_embed.linear_2": "tmlp.2",
    "time_mod_proj": "tproj.1",
    "text_fusion.projector": "txtfusion.projector",
    "txt_in.norm": "txtmlp.0",
    "txt_in.linear_1": "txtmlp.1",
    "txt_in.linear_2": "txtmlp.3",
    "final_layer.linear": "last.linear",
    "final_layer.norm": "last.norm",
}
LAST_TABLE = "final_layer.scale_shift_table", "last.modulation.lin"
INNER = {
    "norm1": "prenorm",
    "norm2": "postnorm",
    "attn.to_q": "attn.wq",
    "attn.to_k": "attn.wk",
    "attn.to_v": "attn.wv",
    "attn.to_gate": "attn.gate",
    "attn.to_out.0": "attn.wo",
    "attn.norm_q": "attn.qknorm.qnorm",
    "attn.norm_k": "attn.qknorm.knorm",
    "ff.gate": "mlp.gate",
    "ff.up": "mlp.up",
    "ff.down": "mlp.down",
}
BLOCKS = {
    "transformer_blocks.": "blocks.",
    "text_fusion.layerwise_blocks.": "txtfusion.layerwise_blocks.",
    "text_fusion.refiner_blocks.": "txtfusion.refiner_blocks.",
}


def _spellings(_settings: Mapping[str, Any]) -> Spellings:
    return lambda name: (Stored(name), Stored(original(name), change="joined" if _is_table(name) else ""))


def _is_table(name: str) -> bool:
    """Whether it is one of the blocks' tables, of which the original has the rows in one."""
    return name.endswith(".scale_shift_table") and name != LAST_TABLE[0]


def original(name: str) -> str:
    """What Krea's code calls a tensor."""
    if name == LAST_TABLE[0]:
        return LAST_TABLE[1]
    start = next((start for start in BLOCKS if name.startswith(start)), None)
    if start is None:
        layer, _, kind = name.rpartition(".")
        return f"{ENDS[layer]}.{_kind(layer, kind)}"
    number, _, inner = name.removeprefix(start).partition(".")
    block = BLOCKS[start] + number
    if inner == "scale_shift_table":
        return f"{block}.mod.lin"
    layer, _, kind = inner.rpartition(".")
    return f"{block}.{INNER[layer]}.{_kind(layer, kind)}"


def _kind(layer: str, kind: str) -> str:
    """The weight of a norm is its scale."""
    return "scale" if layer.rpartition(".")[2].startswith("norm") else kind


# What a file tells -----------------------------------------------------------------------------------------


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    head = sizes("transformer_blocks.0.attn.norm_q.weight", 0)
    heads = told_heads(settings, sizes("img_in.weight", 0), head)
    kinds = ("text_fusion.layerwise_blocks.0", "text_fusion.refiner_blocks.0")
    block = next((kind for kind in kinds if f"{kind}.attn.norm_q.weight" in sizes), kinds[0])
    text, text_head = sizes("txt_in.linear_1.weight", 1), sizes(f"{block}.attn.norm_q.weight", 0)
    return {
        **settings,
        **heads,
        **known(
            in_channels=sizes("img_in.weight", 1),
            num_key_value_heads=_shared(sizes("transformer_blocks.0.attn.to_k.weight", 0), head),
            intermediate_size=sizes("transformer_blocks.0.ff.gate.weight", 0),
            timestep_embed_dim=sizes("time_embed.linear_1.weight", 1),
            text_hidden_dim=text,
            num_text_layers=sizes("text_fusion.projector.weight", 1),
            text_num_attention_heads=_shared(text, text_head),
            text_num_key_value_heads=_shared(sizes(f"{block}.attn.to_k.weight", 0), text_head),
            text_intermediate_size=sizes(f"{block}.ff.gate.weight", 0),
        ),
        "num_layers": sizes.count("transformer_blocks.{}.attn.norm_q.weight"),
        "num_layerwise_text_blocks": sizes.count("text_fusion.layerwise_blocks.{}.attn.norm_q.weight"),
        "num_refiner_text_blocks": sizes.count("text_fusion.refiner_blocks.{}.attn.norm_q.weight"),
        "axes_dims_rope": rotary.shared_out(settings["axes_dims_rope"], head or 0, 48),
    }


def _shared(channels: int | None, head: int | None) -> int | None:
    """How many heads so many channels are; None when that cannot be."""
    return channels // head if channels and head and not channels % head else None


ARCHITECTURE = Architecture(
    "diffusers.models.transformers.transformer_krea2:Krea2Transformer2DModel",
    SETTINGS,
    _shapes,
    _spellings,
    _contradictions,
    _told,
)

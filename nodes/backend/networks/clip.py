"""CLIP's text encoder: Radford et al. 2021 (arXiv:2103.00020), with and without its projection.

Names: transformers', and those of OpenCLIP (open_clip/transformer.py), which keeps query, key and value in one tensor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from nodes.backend.fields import Field, Only, Schema, Whole
from nodes.backend.networks.architecture import (
    CHANNELS,
    EPS,
    HEADS,
    Architecture,
    Ignored,
    Settings,
    Shape,
    Spellings,
    Stored,
    Tensors,
)

MAX_WORDS = 1_000_000
_SETTINGS: Schema = {
    "vocab_size": Field(Whole(3, MAX_WORDS), 49408),
    "hidden_size": Field(CHANNELS, 512),
    "intermediate_size": Field(Whole(1, 4 * CHANNELS.most), 2048),
    "num_hidden_layers": Field(Whole(1, 256), 12),
    "num_attention_heads": Field(HEADS, 8),
    "max_position_embeddings": Field(Whole(3, 8192), 77),
    "hidden_act": Field(Only("quick_gelu", "gelu"), "quick_gelu"),
    "layer_norm_eps": Field(EPS, 1e-5),
}
_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_OPEN_LAYERS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_FUSED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_OPEN_ENDS = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
IGNORED = (
    Ignored(r"(text_model\.)?embeddings\.position_ids|attn_mask", "the numbers 0, 1, 2 and so on, and a constant mask"),
    Ignored(r"logit_scale", "compares texts with pictures, after the prompt was read"),
    Ignored(r"vision_model\..+|visual_projection\..+", "the half of CLIP that reads pictures"),
)
_PROJECTION = Ignored(r"text_projection(\.weight)?", "compares texts with pictures, after the prompt was read")
PREFIX = "text_model."


def _shapes(settings: Settings) -> dict[str, Shape]:
    tensors = Tensors()
    width, inner = settings["hidden_size"], settings["intermediate_size"]
    tensors["embeddings.token_embedding.weight"] = (settings["vocab_size"], width)
    tensors["embeddings.position_embedding.weight"] = (settings["max_position_embeddings"], width)
    for index in range(settings["num_hidden_layers"]):
        layer = f"encoder.layers.{index}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            tensors.linear(f"{layer}.self_attn.{name}", width, width)
        tensors.norm(f"{layer}.layer_norm1", width)
        tensors.norm(f"{layer}.layer_norm2", width)
        tensors.linear(f"{layer}.mlp.fc1", width, inner)
        tensors.linear(f"{layer}.mlp.fc2", inner, width)
    tensors.norm("final_layer_norm", width)
    return tensors


def _projected_shapes(settings: Settings) -> dict[str, Shape]:
    tensors = {PREFIX + name: shape for name, shape in _shapes(settings).items()}
    return tensors | {"text_projection.weight": (settings["projection_dim"], settings["hidden_size"])}


def _contradictions(settings: Settings) -> Iterator[str]:
    width, heads = settings["hidden_size"], settings["num_attention_heads"]
    if width % heads:
        yield f"hidden_size {width} is no multiple of num_attention_heads {heads}"


def _spellings(settings: Settings) -> Spellings:
    width: int = settings["hidden_size"]

    def spelled(name: str) -> tuple[Stored, ...]:
        if name == "text_projection.weight":
            return (Stored(name), Stored("text_projection", change="transposed"))
        bare = name.removeprefix(PREFIX)
        theirs = _open_clip(bare, width)
        return (Stored(PREFIX + bare), Stored(bare), *([theirs] if theirs else []))

    return spelled


def _open_clip(name: str, width: int) -> Stored | None:
    match = _LAYER.fullmatch(name)
    if not match:
        return Stored(_OPEN_ENDS[name]) if name in _OPEN_ENDS else None
    index, layer, kind = match.groups()
    stem = f"transformer.resblocks.{index}"
    if layer in _OPEN_LAYERS:
        return Stored(f"{stem}.{_OPEN_LAYERS[layer]}.{kind}")
    if layer not in _FUSED:
        return None
    place = _FUSED.index(layer)
    return Stored(f"{stem}.attn.in_proj_{kind}", (place * width, (place + 1) * width))


CLIP = Architecture(
    "transformers:CLIPTextModel",
    _SETTINGS,
    _shapes,
    _spellings,
    _contradictions,
    ignored=(*IGNORED, _PROJECTION),
    # Which tokens begin and end a text is the tokenizer's to say; here they only choose the state that stands for the
    # whole text: 2 takes that of the highest number, which is the end's.
    constants={"bos_token_id": None, "eos_token_id": 2, "pad_token_id": None},
    stem="model",
)
"""Its last hidden states."""

CLIP_PROJECTED = replace(
    CLIP,
    library_class="transformers:CLIPTextModelWithProjection",
    schema=_SETTINGS | {"projection_dim": Field(CHANNELS, 512)},
    shapes=_projected_shapes,
    ignored=IGNORED,
)
"""Those, and the state at the end of the text, projected."""

CLIP_PROJECTED_AS_IS = replace(CLIP_PROJECTED, identities=("text_projection.weight",))
"""As SD3's smaller encoder, whose projection does nothing and is left out of files."""

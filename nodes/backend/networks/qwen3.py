"""Qwen3, a language model whose states tell of a prompt: Yang et al. 2025 (arXiv:2505.09388).

Files that hold all of it put `model.` before the names; the head that writes texts is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from nodes.backend.fields import Each, Either, Field, Only, Real, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import (
    CHANNELS,
    EPS,
    HEADS,
    NOT_USED,
    OFF,
    Architecture,
    Ignored,
    Settings,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import MOST_LAYERS, Sizes, known

THETA = Real(1.0, 1e9)
FULL = "full_attention"


@dataclass(frozen=True, slots=True)
class Rotation:
    """How places turn states, as transformers 5 writes it: no other stretch than the base."""

    def fits(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        told = cast("dict[str, Any]", value)
        rest = told.keys() - {"rope_type", "rope_theta"}
        return not rest and told.get("rope_type", "default") == "default" and THETA.fits(told.get("rope_theta"))

    def __str__(self) -> str:
        return f'{{"rope_type": "default", "rope_theta": {THETA}}}'


SCHEMA: Schema = {
    "vocab_size": Field(Whole(3, 1_000_000), 151_936),
    "hidden_size": Field(CHANNELS, 4096),
    "intermediate_size": Field(Whole(1, 8 * CHANNELS.most), 22_016),
    "num_hidden_layers": Field(Whole(2, MOST_LAYERS), 32),
    "num_attention_heads": Field(HEADS, 32),
    "num_key_value_heads": Field(HEADS, 32),
    "head_dim": Field(Whole(2, 1024), 128),
    "hidden_act": Field(Only("silu"), "silu"),
    "max_position_embeddings": Field(Whole(1, 10_000_000), 32_768),
    "rms_norm_eps": Field(EPS, 1e-6),
    "rope_theta": Field(Either(THETA, Only(None)), None),
    "rope_scaling": NOT_USED,
    "rope_parameters": Field(Either(Rotation(), Only(None)), None),
    "attention_bias": OFF,
    "use_sliding_window": OFF,
    "layer_types": Field(Either(Each(Only(FULL), MOST_LAYERS), Only(None)), None),
}

PUBLISHED_4B: Settings = {
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 40_960,
    "rope_theta": 1e6,
}
"""Those of the model of 4 billion weights; of larger ones a file's tensors tell what is otherwise."""

LAYER = "layers.{}.self_attn.q_norm.weight"


def shapes(settings: Settings) -> Tensors:
    head: int = settings["head_dim"]
    tensors = plain_shapes(settings, head)
    for index in range(settings["num_hidden_layers"]):
        tensors.scale(f"layers.{index}.self_attn.q_norm", head)
        tensors.scale(f"layers.{index}.self_attn.k_norm", head)
    return tensors


def plain_shapes(settings: Settings, head: int) -> Tensors:
    """Of a language model that norms no queries, as Mistral. head: how wide one is."""
    tensors = Tensors()
    width, inner = settings["hidden_size"], settings["intermediate_size"]
    queries, keys = settings["num_attention_heads"] * head, settings["num_key_value_heads"] * head
    tensors["embed_tokens.weight"] = (settings["vocab_size"], width)
    for index in range(settings["num_hidden_layers"]):
        layer = f"layers.{index}"
        tensors.linear(f"{layer}.self_attn.q_proj", width, queries, bias=False)
        tensors.linear(f"{layer}.self_attn.k_proj", width, keys, bias=False)
        tensors.linear(f"{layer}.self_attn.v_proj", width, keys, bias=False)
        tensors.linear(f"{layer}.self_attn.o_proj", queries, width, bias=False)
        tensors.linear(f"{layer}.mlp.gate_proj", width, inner, bias=False)
        tensors.linear(f"{layer}.mlp.up_proj", width, inner, bias=False)
        tensors.linear(f"{layer}.mlp.down_proj", inner, width, bias=False)
        tensors.scale(f"{layer}.input_layernorm", width)
        tensors.scale(f"{layer}.post_attention_layernorm", width)
    tensors.scale("norm", width)
    return tensors


def _spellings(_settings: Mapping[str, Any]) -> Spellings:
    return lambda name: (Stored(f"model.{name}"), Stored(name))


def contradictions(settings: Settings) -> Iterator[str]:
    heads, shared, layers = (
        settings[name] for name in ("num_attention_heads", "num_key_value_heads", "num_hidden_layers")
    )
    if heads % shared:
        yield f"num_attention_heads {heads} is no multiple of num_key_value_heads {shared}"
    if settings["head_dim"] % 2:
        yield f"head_dim is {settings['head_dim']}, which is odd"
    base, rotation = settings["rope_theta"], settings["rope_parameters"]
    if base is None and rotation is None:
        yield "rope_theta is missing, and rope_parameters too"
    if base and rotation and rotation["rope_theta"] != base:
        yield f"rope_theta is {base}, in rope_parameters {rotation['rope_theta']}"
    kinds = settings.get("layer_types")
    if kinds is not None and len(kinds) != layers:
        yield f"layer_types has {len(kinds)} entries for {layers} num_hidden_layers"


def _told(settings: Settings, found: Shapes) -> Settings:
    return told(settings, Sizes(_spellings(settings), found))


def told(settings: Settings, sizes: Sizes) -> Settings:
    """The sizes that a file's tensors show."""
    return plain_told(settings, sizes, sizes(LAYER.format(0), 0) or settings["head_dim"], LAYER)


def plain_told(settings: Settings, sizes: Sizes, head: int, layer: str) -> Settings:
    """head: how wide one is. layer: a tensor that each layer has, with {} for its number."""
    queries, keys = (sizes(f"layers.0.self_attn.{layer}_proj.weight", 0) for layer in "qk")
    return {
        **settings,
        **known(
            vocab_size=sizes("embed_tokens.weight", 0),
            hidden_size=sizes("embed_tokens.weight", 1),
            intermediate_size=sizes("layers.0.mlp.gate_proj.weight", 0),
            num_attention_heads=queries // head if queries and not queries % head else None,
            num_key_value_heads=keys // head if keys and not keys % head else None,
        ),
        "head_dim": head,
        "num_hidden_layers": sizes.count(layer),
    }


ARCHITECTURE = Architecture(
    "transformers:Qwen3Model",
    SCHEMA,
    shapes,
    _spellings,
    contradictions,
    _told,
    ignored=(Ignored(r"lm_head\.weight", "the head that writes texts"),),
    stem="model",
)

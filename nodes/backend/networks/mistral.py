"""Mistral's language model, whose states tell of a prompt: Jiang et al. 2023 (arXiv:2310.06825).

Mistral Small 3 reads pictures too; that half is left out, and so is the head that writes texts. ComfyUI's files for
Flux.2 end after the last layer that is read, without the norm after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from nodes.backend.fields import Either, Field, Only, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import (
    CHANNELS,
    EPS,
    HEADS,
    NOT_USED,
    Architecture,
    Ignored,
    Settings,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import MOST_LAYERS, Sizes
from nodes.backend.networks.qwen3 import THETA, Rotation, contradictions, plain_shapes, plain_told

TOKENIZER = "tekken_model"
"""The tensor of ComfyUI's files that holds Mistral's tokenizer as bytes."""

SCHEMA: Schema = {
    "vocab_size": Field(Whole(3, 1_000_000), 32_000),
    "hidden_size": Field(CHANNELS, 4096),
    "intermediate_size": Field(Whole(1, 8 * CHANNELS.most), 14_336),
    "num_hidden_layers": Field(Whole(2, MOST_LAYERS), 32),
    "num_attention_heads": Field(HEADS, 32),
    "num_key_value_heads": Field(HEADS, 8),
    "head_dim": Field(Either(Whole(2, 1024), Only(None)), None),
    "hidden_act": Field(Only("silu"), "silu"),
    "max_position_embeddings": Field(Whole(1, 10_000_000), 131_072),
    "rms_norm_eps": Field(EPS, 1e-6),
    "rope_theta": Field(Either(THETA, Only(None)), None),
    "rope_scaling": NOT_USED,
    "rope_parameters": Field(Either(Rotation(), Only(None)), None),
    "sliding_window": NOT_USED,
}

SMALL_3: Settings = {
    "vocab_size": 131_072,
    "hidden_size": 5120,
    "intermediate_size": 32_768,
    "num_hidden_layers": 40,
    "head_dim": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1e9,
}
"""Of Mistral Small 3, 24 billion weights."""

LAYER = "layers.{}.input_layernorm.weight"


def _opened(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of the half that reads texts."""
    within: Any = found.get("text_config")
    return cast("dict[str, Any]", within) if isinstance(within, dict) else found


def _head(settings: Mapping[str, Any]) -> int:
    return settings["head_dim"] or settings["hidden_size"] // settings["num_attention_heads"]


def _shapes(settings: Settings) -> Tensors:
    return plain_shapes(settings, _head(settings))


def _spellings(_settings: Mapping[str, Any]) -> Spellings:
    """As published, as transformers writes it today, and as ComfyUI does."""
    prefixes = ("language_model.model.", "model.language_model.", "model.", "")
    return lambda name: tuple(Stored(prefix + name) for prefix in prefixes)


def _contradictions(settings: Settings) -> Iterator[str]:
    yield from contradictions({**settings, "head_dim": _head(settings), "layer_types": None})


def _told(settings: Settings, found: Shapes) -> Settings:
    """The sizes that a file's tensors show; how a width is divided into heads they do not, so it is as given."""
    return plain_told(settings, Sizes(_spellings(settings), found), _head(settings), LAYER)


ARCHITECTURE = Architecture(
    "transformers:MistralModel",
    SCHEMA,
    _shapes,
    _spellings,
    _contradictions,
    _told,
    ignored=(
        Ignored(r"(language_model\.)?lm_head\.weight", "the head that writes texts"),
        Ignored(r"(model\.)?(vision_tower|multi_modal_projector)\..+", "the half that reads pictures"),
        Ignored(TOKENIZER, "the tokenizer, which is no weight and is read by itself"),
    ),
    identities=("norm.weight",),
    stem="model",
    opened=_opened,
)

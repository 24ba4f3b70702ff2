"""Qwen2.5-VL, a language model that sees pictures, whose states tell of a prompt: Bai et al. 2025 (arXiv:2502.13923).

Its published files name the language model's layers `model.layers.0` and the other half's `visual.blocks.0`; what
transformers 5 saves, `model.language_model.layers.0` and `model.visual.blocks.0`. The head that writes texts is left
out.
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
WIDE = Whole(1, 8 * CHANNELS.most)
MOST_TOKENS = 1_000_000

PATCH, FRAMES, MERGED = 14, 2, 2
"""Pixels a side of a patch; frames in one, which are equal in a picture; patches a side that make a token."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """How places turn states: time, rows and columns each turn their share of a head's channels."""

    def fits(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        told = cast("dict[str, Any]", value)
        kinds = {told.get(name, "default") for name in ("rope_type", "type")}
        return (
            not told.keys() - {"rope_type", "type", "rope_theta", "mrope_section"}
            and kinds <= {"default", "mrope"}
            and ("rope_theta" not in told or THETA.fits(told["rope_theta"]))
            and SECTIONS.fits(told.get("mrope_section"))
            and len(told["mrope_section"]) == NUM_AXES
        )

    def __str__(self) -> str:
        return '{"rope_type": "default", "mrope_section": [...]} with three numbers'


NUM_AXES = 3
SECTIONS = Each(Whole(1, 512), NUM_AXES)
ROTATION = Field(Either(Rotation(), Only(None)), None)

_TEXT: Schema = {
    "vocab_size": Field(Whole(3, MOST_TOKENS), 152_064),
    "hidden_size": Field(CHANNELS, 8192),
    "intermediate_size": Field(WIDE, 29_568),
    "num_hidden_layers": Field(Whole(2, MOST_LAYERS), 80),
    "num_attention_heads": Field(HEADS, 64),
    "num_key_value_heads": Field(HEADS, 8),
    "hidden_act": Field(Only("silu"), "silu"),
    "max_position_embeddings": Field(Whole(1, 10_000_000), 32_768),
    "rms_norm_eps": Field(EPS, 1e-5),
    "rope_theta": Field(Either(THETA, Only(None)), None),
    "rope_scaling": ROTATION,
    "rope_parameters": ROTATION,
    "use_sliding_window": OFF,
    "layer_types": Field(Either(Each(Only(FULL), MOST_LAYERS), Only(None)), None),
}
_VISION: Schema = {
    "depth": Field(Whole(1, MOST_LAYERS), 32),
    "hidden_size": Field(CHANNELS, 3584),
    "hidden_act": Field(Only("silu"), "silu"),
    "intermediate_size": Field(WIDE, 3420),
    "num_heads": Field(HEADS, 16),
    "in_channels": Field(Only(3), 3),
    "patch_size": Field(Only(PATCH), PATCH),
    "spatial_merge_size": Field(Only(MERGED), MERGED),
    "temporal_patch_size": Field(Only(FRAMES), FRAMES),
    "tokens_per_second": Field(Whole(1, 1000), 4),
    "window_size": Field(Whole(2 * PATCH, 10_000), 112),
    "out_hidden_size": Field(CHANNELS, 3584),
    "fullatt_block_indexes": Field(Each(Whole(0, MOST_LAYERS), MOST_LAYERS), (7, 15, 23, 31)),
}
_TOKEN = Whole(0, MOST_TOKENS)
SCHEMA: Schema = {
    **{f"text_config.{name}": field for name, field in _TEXT.items()},
    **{f"vision_config.{name}": field for name, field in _VISION.items()},
    "image_token_id": Field(_TOKEN, 151_655),
    "video_token_id": Field(_TOKEN, 151_656),
    "vision_start_token_id": Field(_TOKEN, 151_652),
    "vision_end_token_id": Field(_TOKEN, 151_653),
}

PUBLISHED_7B: Settings = {
    "text_config.hidden_size": 3584,
    "text_config.intermediate_size": 18_944,
    "text_config.num_hidden_layers": 28,
    "text_config.num_attention_heads": 28,
    "text_config.num_key_value_heads": 4,
    "text_config.max_position_embeddings": 128_000,
    "text_config.rms_norm_eps": 1e-6,
    "text_config.rope_parameters": {
        "rope_type": "default",
        "rope_theta": 1e6,
        "mrope_section": [16, 24, 24],
    },
    "vision_config.hidden_size": 1280,
    "vision_config.tokens_per_second": 2,
}


def _opened(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Earlier files have the language model's settings beside those of the whole."""
    return found if "text_config" in found else {**found, "text_config": dict(found)}


# Tensors ---------------------------------------------------------------------------------------------------


def _shapes(settings: Settings) -> Tensors:
    tensors = Tensors()
    text = {name: settings[f"text_config.{name}"] for name in _TEXT}
    width, inner = text["hidden_size"], text["intermediate_size"]
    keys = text["num_key_value_heads"] * (width // text["num_attention_heads"])
    tensors["language_model.embed_tokens.weight"] = (text["vocab_size"], width)
    for index in range(text["num_hidden_layers"]):
        layer = f"language_model.layers.{index}"
        tensors.linear(f"{layer}.self_attn.q_proj", width, width)
        tensors.linear(f"{layer}.self_attn.k_proj", width, keys)
        tensors.linear(f"{layer}.self_attn.v_proj", width, keys)
        tensors.linear(f"{layer}.self_attn.o_proj", width, width, bias=False)
        _gated(tensors, f"{layer}.mlp", width, inner, bias=False)
        tensors.scale(f"{layer}.input_layernorm", width)
        tensors.scale(f"{layer}.post_attention_layernorm", width)
    tensors.scale("language_model.norm", width)
    _vision(tensors, {name: settings[f"vision_config.{name}"] for name in _VISION})
    return tensors


def _vision(tensors: Tensors, vision: Settings) -> None:
    width = vision["hidden_size"]
    tensors["visual.patch_embed.proj.weight"] = (width, vision["in_channels"], FRAMES, PATCH, PATCH)
    for index in range(vision["depth"]):
        block = f"visual.blocks.{index}"
        tensors.scale(f"{block}.norm1", width)
        tensors.scale(f"{block}.norm2", width)
        tensors.linear(f"{block}.attn.qkv", width, 3 * width)
        tensors.linear(f"{block}.attn.proj", width, width)
        _gated(tensors, f"{block}.mlp", width, vision["intermediate_size"], bias=True)
    tensors.scale("visual.merger.ln_q", width)
    tensors.linear("visual.merger.mlp.0", MERGED**2 * width, MERGED**2 * width)
    tensors.linear("visual.merger.mlp.2", MERGED**2 * width, vision["out_hidden_size"])


def _gated(tensors: Tensors, name: str, width: int, inner: int, *, bias: bool) -> None:
    tensors.linear(f"{name}.gate_proj", width, inner, bias=bias)
    tensors.linear(f"{name}.up_proj", width, inner, bias=bias)
    tensors.linear(f"{name}.down_proj", inner, width, bias=bias)


def _contradictions(settings: Settings) -> Iterator[str]:
    text = {name: settings[f"text_config.{name}"] for name in _TEXT}
    vision = {name: settings[f"vision_config.{name}"] for name in _VISION}
    width, heads, shared = text["hidden_size"], text["num_attention_heads"], text["num_key_value_heads"]
    if width % heads or width // heads % 2:
        yield f"text_config.hidden_size {width} is no even multiple of num_attention_heads {heads}"
    if heads % shared:
        yield f"text_config.num_attention_heads {heads} is no multiple of num_key_value_heads {shared}"
    yield from _wrong_rotation(text, width // heads // 2)
    kinds, layers = text["layer_types"], text["num_hidden_layers"]
    if kinds is not None and len(kinds) != layers:
        yield f"text_config.layer_types has {len(kinds)} entries for {layers} num_hidden_layers"
    if vision["out_hidden_size"] != width:
        yield (
            f"vision_config.out_hidden_size is {vision['out_hidden_size']}; it must be text_config.hidden_size, {width}"
        )
    if vision["hidden_size"] % (4 * vision["num_heads"]):
        yield (
            f"vision_config.hidden_size {vision['hidden_size']} is no multiple of four times num_heads "
            f"{vision['num_heads']}"
        )
    if above := [index for index in vision["fullatt_block_indexes"] if index >= vision["depth"]]:
        yield f"vision_config.fullatt_block_indexes has {above[0]}, but there are {vision['depth']} blocks"
    if max(number for name, number in settings.items() if name.endswith("token_id")) >= text["vocab_size"]:
        yield f"image_token_id or another is above text_config.vocab_size, {text['vocab_size']}"


def _wrong_rotation(text: Settings, pairs: int) -> Iterator[str]:
    """pairs: of a head's channels, which are turned together."""
    told = [text[name] for name in ("rope_parameters", "rope_scaling") if text[name] is not None]
    if not told:
        yield "text_config.rope_parameters is missing, and rope_scaling too"
        return
    if any(sum(rotation["mrope_section"]) != pairs for rotation in told):
        yield f"text_config: mrope_section must add up to half of a head's channels, {pairs}"
    bases = {rotation["rope_theta"] for rotation in told if "rope_theta" in rotation} | {text["rope_theta"]} - {None}
    if not bases:
        yield "text_config.rope_theta is missing"
    if len(bases) > 1:
        yield f"text_config.rope_theta is told twice, as {' and '.join(map(str, sorted(bases)))}"


# Names in files --------------------------------------------------------------------------------------------


def _spellings(_settings: Mapping[str, Any]) -> Spellings:
    def spelled(name: str) -> tuple[Stored, ...]:
        saved = f"model.{name}"
        published = name if name.startswith("visual.") else f"model.{name.removeprefix('language_model.')}"
        return Stored(published), Stored(saved), Stored(name)

    return spelled


# What a file tells -----------------------------------------------------------------------------------------

LAYER, BLOCK = "language_model.layers.{}.input_layernorm.weight", "visual.blocks.{}.norm1.weight"


def _told(settings: Settings, found: Shapes) -> Settings:
    """The sizes that a file's tensors show."""
    sizes = Sizes(_spellings(settings), found)
    first = "language_model.layers.0"
    width = sizes("language_model.embed_tokens.weight", 1)
    sections = _sections(settings)
    head = 2 * sum(sections) if sections else 0
    keys = sizes(f"{first}.self_attn.k_proj.weight", 0)
    told = known(
        **{
            "text_config.vocab_size": sizes("language_model.embed_tokens.weight", 0),
            "text_config.hidden_size": width,
            "text_config.intermediate_size": sizes(f"{first}.mlp.gate_proj.weight", 0),
            "text_config.num_attention_heads": width // head if width and head and not width % head else None,
            "text_config.num_key_value_heads": keys // head if keys and head and not keys % head else None,
            "vision_config.hidden_size": sizes("visual.patch_embed.proj.weight", 0),
            "vision_config.intermediate_size": sizes("visual.blocks.0.mlp.gate_proj.weight", 0),
            "vision_config.out_hidden_size": sizes("visual.merger.mlp.2.weight", 0) or width,
        }
    )
    depth = sizes.count(BLOCK) or settings["vision_config.depth"]  # without any, that they are missing is said
    counted = {"text_config.num_hidden_layers": sizes.count(LAYER), "vision_config.depth": depth}
    return {**settings, **told, **counted}


def _sections(settings: Settings) -> list[int]:
    told = settings["text_config.rope_parameters"] or settings["text_config.rope_scaling"]
    return told["mrope_section"] if told else []


WITHOUT_EYES = {
    "visual.": "the part that sees pictures, which llama.cpp cuts off; take the text encoder as one .safetensors file "
    "instead, whose 8-bit ones are as large as GGUF's"
}

ARCHITECTURE = Architecture(
    "transformers:Qwen2_5_VLModel",
    SCHEMA,
    _shapes,
    _spellings,
    _contradictions,
    _told,
    ignored=(Ignored(r"lm_head\.weight", "the head that writes texts"),),
    stem="model",
    opened=_opened,
    apart=WITHOUT_EYES,
)

"""Qwen3-VL, a language model that sees pictures: Bai et al. 2025 (arXiv:2511.21631).

Its language part is Qwen3, but that places have three numbers (of text, the same one three times) and that what is seen
is added to the states of the first layers, too: Meng et al. 2024 (arXiv:2406.04334). ComfyUI's files have `model.`
before the names of that part, those of transformers `model.language_model.` or, without the head that writes texts,
`language_model.`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any, cast

from nodes.backend.fields import Each, Either, Field, Only, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks import qwen3
from nodes.backend.networks.architecture import (
    CHANNELS,
    HEADS,
    Architecture,
    Ignored,
    Settings,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import MOST_LAYERS, Sizes, known
from nodes.backend.networks.qwen25_vl import WITHOUT_EYES

NUM_AXES = 3
"""Time, row, column."""

SECTIONS = (24, 20, 20)
"""How many of a head's 64 pairs of channels turn with each axis, in the published models."""

TOKEN = Field(Whole(0, 10_000_000), 151_655)


@dataclass(frozen=True, slots=True)
class Rotation:
    """How places turn states, as transformers writes it: with no other stretch than the base.

    with_base: whether the base is among it, or beside it.
    """

    with_base: bool

    def fits(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        told = cast("dict[str, Any]", value)
        kinds = [told[name] for name in ("rope_type", "type") if name in told]
        rest = told.keys() - {"rope_type", "type", "rope_theta", "mrope_section", "mrope_interleaved"}
        has_base = qwen3.THETA.fits(told.get("rope_theta")) if self.with_base else "rope_theta" not in told
        return (
            not rest
            and has_base
            and all(kind == "default" for kind in kinds)
            and told.get("mrope_interleaved", True) is True
            and Each(Whole(0, 1024), NUM_AXES).fits(told.get("mrope_section", list(SECTIONS)))
        )

    def __str__(self) -> str:
        base = f'"rope_theta": {qwen3.THETA}, ' if self.with_base else ""
        return f'{{"rope_type": "default", {base}"mrope_section": three whole numbers, "mrope_interleaved": true}}'


LANGUAGE: Schema = {
    **{
        name: field
        for name, field in qwen3.SCHEMA.items()
        if name not in ("use_sliding_window", "layer_types", "max_position_embeddings")
    },
    "max_position_embeddings": Field(Whole(1, 10_000_000), 128_000),
    "rope_scaling": Field(Either(Rotation(with_base=False), Only(None)), None),
    "rope_parameters": Field(Either(Rotation(with_base=True), Only(None)), None),
}
VISION: Schema = {
    "depth": Field(Whole(1, MOST_LAYERS), 27),
    "hidden_size": Field(CHANNELS, 1152),
    "hidden_act": Field(Only("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
    "intermediate_size": Field(Whole(1, 8 * CHANNELS.most), 4304),
    "num_heads": Field(HEADS, 16),
    "in_channels": Field(Only(3), 3),
    "patch_size": Field(Whole(1, 256), 16),
    "spatial_merge_size": Field(Only(2), 2),
    "temporal_patch_size": Field(Only(2), 2),
    "out_hidden_size": Field(CHANNELS, 3584),
    "num_position_embeddings": Field(Whole(1, 1_000_000), 2304),
    "deepstack_visual_indexes": Field(Each(Whole(0, MOST_LAYERS), MOST_LAYERS), (8, 16, 24)),
}
TEXT, EYES = "text_config", "vision_config"
TEXT_SETTINGS: Schema = {f"{TEXT}.{name}": field for name, field in LANGUAGE.items()}
SETTINGS: Schema = {
    **TEXT_SETTINGS,
    **{f"{EYES}.{name}": field for name, field in VISION.items()},
    "image_token_id": TOKEN,
    "video_token_id": Field(TOKEN.kind, 151_656),
    "vision_start_token_id": Field(TOKEN.kind, 151_652),
    "vision_end_token_id": Field(TOKEN.kind, 151_653),
}

LANGUAGE_STEM, VISION_STEM = "language_model.", "visual."


def of(group: str, settings: Mapping[str, Any]) -> Settings:
    """The settings of one part of the network, as it calls them itself."""
    return {name.removeprefix(f"{group}."): value for name, value in settings.items() if name.startswith(f"{group}.")}


def _as(group: str, settings: Mapping[str, Any]) -> Settings:
    """The opposite."""
    return {f"{group}.{name}": value for name, value in settings.items()}


# Tensors ---------------------------------------------------------------------------------------------------


def _text_shapes(settings: Settings) -> Tensors:
    return qwen3.shapes(of(TEXT, settings))


def _shapes(settings: Settings) -> Tensors:
    tensors = Tensors()
    tensors.update({LANGUAGE_STEM + name: shape for name, shape in _text_shapes(settings).items()})
    tensors.update({VISION_STEM + name: shape for name, shape in _vision_shapes(of(EYES, settings)).items()})
    return tensors


def _vision_shapes(settings: Settings) -> Tensors:
    tensors, w, patch = Tensors(), settings["hidden_size"], settings["patch_size"]
    kernel = settings["temporal_patch_size"], patch, patch
    tensors["patch_embed.proj.weight"] = (w, settings["in_channels"], *kernel)
    tensors["patch_embed.proj.bias"] = (w,)
    tensors["pos_embed.weight"] = (settings["num_position_embeddings"], w)
    for index in range(settings["depth"]):
        block = f"blocks.{index}"
        tensors.norm(f"{block}.norm1", w)
        tensors.norm(f"{block}.norm2", w)
        tensors.linear(f"{block}.attn.qkv", w, 3 * w)
        tensors.linear(f"{block}.attn.proj", w, w)
        tensors.linear(f"{block}.mlp.linear_fc1", w, settings["intermediate_size"])
        tensors.linear(f"{block}.mlp.linear_fc2", settings["intermediate_size"], w)
    square = w * settings["spatial_merge_size"] ** 2
    _merger(tensors, "merger", w, square, settings["out_hidden_size"])
    for index in range(len(settings["deepstack_visual_indexes"])):
        _merger(tensors, f"deepstack_merger_list.{index}", square, square, settings["out_hidden_size"])
    return tensors


def _merger(tensors: Tensors, name: str, normed: int, square: int, outputs: int) -> None:
    """What makes one state of a square of them."""
    tensors.norm(f"{name}.norm", normed)
    tensors.linear(f"{name}.linear_fc1", square, square)
    tensors.linear(f"{name}.linear_fc2", square, outputs)


def _text_contradictions(settings: Settings) -> Iterator[str]:
    language = of(TEXT, settings)
    for problem in qwen3.contradictions(language):
        yield f"in text_config, {problem}"
    half = language["head_dim"] // 2
    rotations = (language["rope_parameters"], language["rope_scaling"])
    for sections in (rotation.get("mrope_section", list(SECTIONS)) for rotation in rotations if rotation):
        if len(sections) != NUM_AXES or sum(sections) != half:
            yield f"in text_config, mrope_section is {sections}; it must be three numbers that add up to {half}"


def _contradictions(settings: Settings) -> Iterator[str]:
    yield from _text_contradictions(settings)
    vision, language = of(EYES, settings), of(TEXT, settings)
    if vision["hidden_size"] % (4 * vision["num_heads"]):
        yield (
            f"in vision_config, hidden_size {vision['hidden_size']} is no multiple of 4 times num_heads, "
            f"{vision['num_heads']}"
        )
    if vision["out_hidden_size"] != language["hidden_size"]:
        yield (
            f"out_hidden_size of vision_config is {vision['out_hidden_size']}; it must be hidden_size of text_config, "
            f"{language['hidden_size']}"
        )
    if isqrt(vision["num_position_embeddings"]) ** 2 != vision["num_position_embeddings"]:
        yield f"in vision_config, num_position_embeddings {vision['num_position_embeddings']} is no square"
    seen, layers = vision["deepstack_visual_indexes"], language["num_hidden_layers"]
    if len(set(seen)) != len(seen) or max(seen) >= vision["depth"] or len(seen) > layers:
        yield (
            f"in vision_config, deepstack_visual_indexes is {seen}; it must be different layers below depth, "
            f"{vision['depth']}, and no more than num_hidden_layers, {layers}"
        )


# Names in files --------------------------------------------------------------------------------------------


def _text_spellings(_settings: Mapping[str, Any]) -> Spellings:
    stems = f"model.{LANGUAGE_STEM}", LANGUAGE_STEM, "model.", ""
    return lambda name: tuple(Stored(stem + name) for stem in stems)


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    language = _text_spellings(settings)

    def spelled(name: str) -> tuple[Stored, ...]:
        if name.startswith(LANGUAGE_STEM):
            return language(name.removeprefix(LANGUAGE_STEM))
        return Stored(f"model.{name}"), Stored(name)

    return spelled


HEAD = Ignored(r"lm_head\.weight", "the head that writes texts")
UNSEEN = Ignored(r"(model\.)?visual\..+", "the part that sees pictures, which are not shown to it here")


# What a file tells -----------------------------------------------------------------------------------------


def _told_text(settings: Settings, found: Shapes) -> Settings:
    language = qwen3.told(of(TEXT, settings), Sizes(_text_spellings(settings), found))
    return {**settings, **_as(TEXT, _with_sections(language))}


def _with_sections(language: Settings) -> Settings:
    """How a head's channels are shared out, which no tensor tells: as given, or in the proportion of 24, 20 and 20."""
    rotation: Settings = language["rope_scaling"] or {}
    half = language["head_dim"] // 2
    if sum(rotation.get("mrope_section", SECTIONS)) == half:
        return language
    side = half * SECTIONS[1] // sum(SECTIONS)
    return {**language, "rope_scaling": {**rotation, "mrope_section": [half - 2 * side, side, side]}}


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes, vision = Sizes(_spellings(settings), found), of(EYES, settings)
    width = sizes("visual.patch_embed.proj.weight", 0)
    text = _told_text(settings, found)
    if width is None:  # that they are missing is said
        return {**text, f"{EYES}.out_hidden_size": text[f"{TEXT}.hidden_size"]}
    seen = sizes.count("visual.deepstack_merger_list.{}.norm.weight")
    given = vision["deepstack_visual_indexes"]
    told = {
        **vision,
        **known(
            hidden_size=width,
            patch_size=sizes("visual.patch_embed.proj.weight", 3),
            intermediate_size=sizes("visual.blocks.0.mlp.linear_fc1.weight", 0),
            out_hidden_size=sizes("visual.merger.linear_fc2.weight", 0),
            num_position_embeddings=sizes("visual.pos_embed.weight", 0),
        ),
        "depth": sizes.count("visual.blocks.{}.norm1.weight"),
        "deepstack_visual_indexes": given if len(given) == seen else [*range(seen)],
    }
    return {**text, **_as(EYES, told)}


ARCHITECTURE = Architecture(
    "transformers:Qwen3VLModel",
    SETTINGS,
    _shapes,
    _spellings,
    _contradictions,
    _told,
    ignored=(HEAD,),
    stem="model",
    apart=WITHOUT_EYES,
)
TEXT_ALONE = Architecture(
    "transformers:Qwen3VLTextModel",
    TEXT_SETTINGS,
    _text_shapes,
    _text_spellings,
    _text_contradictions,
    _told_text,
    ignored=(HEAD, UNSEEN),
    stem="model",
    of=TEXT,
)
"""Without the part that sees pictures."""

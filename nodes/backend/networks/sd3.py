"""The transformers of Stable Diffusion 3 and 3.5, and their ControlNets.

Esser et al. 2024 (arXiv:2403.03206). Original names: Stability AI's sd3.5 (mmditx.py, dit_embedder.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any, cast

from nodes.backend.fields import Either, Field, Flag, Only, Schema, Whole
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import (
    Architecture,
    Ignored,
    Settings,
    Shape,
    Spellings,
    Stored,
    Tensors,
)
from nodes.backend.networks.mmdit import (
    ADDED_QKV,
    CHANNELS,
    HEAD_CHANNELS,
    HEADS,
    MOST_LAYERS,
    QKV,
    Sizes,
    attention,
    feed_forward,
    known,
    third,
    time_and_text,
    told_heads,
    width,
)

PATCH = 2
"""Pixels of the latent that make a token, each way."""


@dataclass(frozen=True, slots=True)
class _Layers:
    """A list of layers by their numbers; it may be empty."""

    def fits(self, value: Any) -> bool:
        if not isinstance(value, list) or len(cast("list[Any]", value)) > MOST_LAYERS:
            return False
        numbers = cast("list[Any]", value)
        return all(map(Whole(0, MOST_LAYERS - 1).fits, numbers)) and len(set(numbers)) == len(numbers)

    def __str__(self) -> str:
        return f"a list of whole numbers from 0 to {MOST_LAYERS - 1}, none of them twice"


POSITIONS = Whole(1, 1024)
SETTINGS: Schema = {
    "sample_size": Field(Whole(PATCH, 4096), 128),
    "patch_size": Field(Only(PATCH), PATCH),
    "in_channels": Field(CHANNELS, 16),
    "num_layers": Field(Whole(1, MOST_LAYERS), 18),
    "attention_head_dim": Field(HEAD_CHANNELS, 64),
    "num_attention_heads": Field(HEADS, 18),
    "joint_attention_dim": Field(CHANNELS, 4096),
    "caption_projection_dim": Field(CHANNELS, 1152),
    "pooled_projection_dim": Field(CHANNELS, 2048),
    "out_channels": Field(CHANNELS, 16),
    "pos_embed_max_size": Field(POSITIONS, 96),
    "dual_attention_layers": Field(_Layers(), ()),
    "qk_norm": Field(Only(None, "rms_norm"), None),
}

CONTROLNET_SETTINGS: Schema = {
    **SETTINGS,
    "joint_attention_dim": Field(Either(CHANNELS, Only(None)), 4096),
    "pos_embed_max_size": Field(Either(POSITIONS, Only(None)), 96),
    "extra_conditioning_channels": Field(Whole(0, CHANNELS.most), 0),
    "pos_embed_type": Field(Only("sincos", None), "sincos"),
    "use_pos_embed": Field(Flag(), True),
    "force_zeros_for_pooled_projection": Field(Flag(), True),
}


# Tensors ---------------------------------------------------------------------------------------------------


def transformer(settings: Settings) -> Mapping[str, Shape]:
    tensors, w, layers = Tensors(), width(settings), settings["num_layers"]
    _patches(tensors, settings)
    time_and_text(tensors, settings)
    tensors.linear("context_embedder", settings["joint_attention_dim"], settings["caption_projection_dim"])
    for layer in range(layers):
        _joint_block(tensors, layer, settings, is_last=layer == layers - 1)
    tensors.linear("norm_out.linear", w, 2 * w)
    tensors.linear("proj_out", w, PATCH * PATCH * settings["out_channels"])
    return tensors


def controlnet(settings: Settings) -> Mapping[str, Shape]:
    tensors, w = Tensors(), width(settings)
    if settings["use_pos_embed"]:
        _patches(tensors, settings, positions=settings["pos_embed_type"] is not None)
    time_and_text(tensors, settings)
    reads_prompt = settings["joint_attention_dim"] is not None
    if reads_prompt:
        tensors.linear("context_embedder", settings["joint_attention_dim"], settings["caption_projection_dim"])
    for layer in range(settings["num_layers"]):
        if reads_prompt:
            _joint_block(tensors, layer, settings, is_last=False)
        else:
            _single_block(tensors, layer, settings)
        tensors.linear(f"controlnet_blocks.{layer}", w, w)
    hint = settings["in_channels"] + settings["extra_conditioning_channels"]
    tensors.conv("pos_embed_input.proj", hint, w, PATCH)
    return tensors


def _patches(tensors: Tensors, settings: Settings, *, positions: bool = True) -> None:
    w = width(settings)
    tensors.conv("pos_embed.proj", settings["in_channels"], w, PATCH)
    if positions:
        tensors["pos_embed.pos_embed"] = (1, settings["pos_embed_max_size"] ** 2, w)


def _joint_block(tensors: Tensors, layer: int, settings: Settings, *, is_last: bool) -> None:
    """is_last: nothing comes after the text, so it is only read."""
    block, w = f"transformer_blocks.{layer}", width(settings)
    is_dual, norm = layer in settings["dual_attention_layers"], settings["qk_norm"] is not None
    # A shift, a scale and a gate for each attention and for the feed-forward; for what is only read, no gate.
    tensors.linear(f"{block}.norm1.linear", w, (9 if is_dual else 6) * w)
    tensors.linear(f"{block}.norm1_context.linear", w, (2 if is_last else 6) * w)
    attention(tensors, f"{block}.attn", settings, norm=norm, added=True)
    if is_dual:
        attention(tensors, f"{block}.attn2", settings, norm=norm, added=False)
    feed_forward(tensors, f"{block}.ff", w)
    if not is_last:
        tensors.linear(f"{block}.attn.to_add_out", w, w)
        feed_forward(tensors, f"{block}.ff_context", w)


def _single_block(tensors: Tensors, layer: int, settings: Settings) -> None:
    """For the picture alone, in ControlNets that read no prompt."""
    block, w = f"transformer_blocks.{layer}", width(settings)
    tensors.linear(f"{block}.norm1.linear", w, 6 * w)
    attention(tensors, f"{block}.attn", settings, norm=False, added=False)
    feed_forward(tensors, f"{block}.ff", w)


def _contradictions(settings: Settings) -> Iterator[str]:
    w, text, layers = width(settings), settings["caption_projection_dim"], settings["num_layers"]
    if settings["joint_attention_dim"] is not None and text != w:
        yield (
            f"caption_projection_dim is {text}, num_attention_heads x attention_head_dim {w}; the text becomes as wide "
            "as the picture"
        )
    if beyond := [layer for layer in settings["dual_attention_layers"] if layer >= layers]:
        yield f"dual_attention_layers has {beyond[0]}, num_layers is {layers}"
    if settings.get("use_pos_embed", True) and settings.get("pos_embed_type", "sincos") is not None:
        if settings["pos_embed_max_size"] is None:
            yield "pos_embed_max_size is null, and pos_embed_type is not"
        if w % 4:
            yield f"num_attention_heads x attention_head_dim is {w}, no multiple of 4, as pos_embed_type sincos needs"
    if settings["joint_attention_dim"] is None and (settings["qk_norm"] or settings["dual_attention_layers"]):
        yield "joint_attention_dim is null, and qk_norm or dual_attention_layers is not"


# Names in files --------------------------------------------------------------------------------------------

ENDS = {
    "pos_embed.proj": "x_embedder.proj",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
    "proj_out": "final_layer.linear",
}
PICTURE = {
    "norm1.linear": "adaLN_modulation.1",
    "attn.to_out.0": "attn.proj",
    "attn.norm_q": "attn.ln_q",
    "attn.norm_k": "attn.ln_k",
    "attn2.to_out.0": "attn2.proj",
    "attn2.norm_q": "attn2.ln_q",
    "attn2.norm_k": "attn2.ln_k",
    "ff.net.0.proj": "mlp.fc1",
    "ff.net.2": "mlp.fc2",
}
TEXT = {
    "norm1_context.linear": "adaLN_modulation.1",
    "attn.to_add_out": "attn.proj",
    "attn.norm_added_q": "attn.ln_q",
    "attn.norm_added_k": "attn.ln_k",
    "ff_context.net.0.proj": "mlp.fc1",
    "ff_context.net.2": "mlp.fc2",
}
BLOCK = re.compile(r"transformer_blocks\.(\d+)\.(.+)\.(weight|bias)")


def _spellings(settings: Mapping[str, Any]) -> Spellings:
    w, last = width(settings), settings["num_layers"] - 1

    def spelled(name: str) -> tuple[Stored, ...]:
        if match := BLOCK.fullmatch(name):
            layer, inner, kind = match.groups()
            return Stored(name), _in_block(f"joint_blocks.{layer}", inner, kind, w, is_last=int(layer) == last)
        if name == "pos_embed.pos_embed":
            return Stored(name), Stored("pos_embed")
        layer, _, kind = name.rpartition(".")
        if layer not in ENDS:
            return (Stored(name),)
        # Here it is the scale first, then the shift.
        return Stored(name), Stored(f"{ENDS[layer]}.{kind}", change="swapped" if layer == "norm_out.linear" else "")

    return spelled


def _in_block(block: str, inner: str, kind: str, w: int, *, is_last: bool) -> Stored:
    if inner in TEXT:
        swapped = is_last and inner == "norm1_context.linear"
        return Stored(f"{block}.context_block.{TEXT[inner]}.{kind}", change="swapped" if swapped else "")
    if inner in ADDED_QKV:
        return third(f"{block}.context_block.attn.qkv.{kind}", ADDED_QKV[inner], w)
    return _of_picture(f"{block}.x_block", inner, kind, w)


def _of_picture(block: str, inner: str, kind: str, w: int) -> Stored:
    first_or_second, _, layer = inner.partition(".")
    if (part := QKV.get(f"attn.{layer}")) is not None:
        return third(f"{block}.{first_or_second}.qkv.{kind}", part, w)
    return Stored(f"{block}.{PICTURE[inner]}.{kind}")


def _controlnet_spellings(settings: Mapping[str, Any]) -> Spellings:
    """All bear diffusers' names, but for the blocks of those that Stability published for 3.5 Large."""
    if settings["joint_attention_dim"] is not None:
        return lambda name: (Stored(name),)
    w = width(settings)

    def spelled(name: str) -> tuple[Stored, ...]:
        if not (match := BLOCK.fullmatch(name)):
            return (Stored(name),)
        layer, inner, kind = match.groups()
        return Stored(name), _of_picture(f"transformer_blocks.{layer}", inner, kind, w)

    return spelled


# What a file tells -----------------------------------------------------------------------------------------


def _told(settings: Settings, found: Shapes) -> Settings:
    sizes = Sizes(_spellings(settings), found)
    told = settings | _told_alike(settings, sizes)
    outputs = sizes("proj_out.weight", 0)
    return told | known(
        out_channels=outputs // PATCH**2 if outputs else None,
        in_channels=sizes("pos_embed.proj.weight", 1),
        joint_attention_dim=sizes("context_embedder.weight", 1),
        sample_size=_largest_sample(told),
    )


def _told_controlnet(settings: Settings, found: Shapes) -> Settings:
    reads_prompt = "context_embedder.weight" in found
    told: Settings = {**settings, **({} if reads_prompt else {"joint_attention_dim": None})}
    sizes = Sizes(_controlnet_spellings(told), found)
    kind: Settings = {
        "use_pos_embed": "pos_embed.proj.weight" in sizes,
        "pos_embed_type": "sincos" if "pos_embed.pos_embed" in sizes else None,
        # Those without a prompt are Stability's, which were trained with the pooled one; the others without.
        "force_zeros_for_pooled_projection": reads_prompt,
    }
    told |= _told_alike(told, sizes) | kind
    told |= known(joint_attention_dim=sizes("context_embedder.weight", 1), sample_size=_largest_sample(told))
    return told | _told_channels(told["in_channels"], sizes)


def _told_channels(given: int, sizes: Sizes) -> Settings:
    """Of the latent and of what a hint has more. given: of the latent, for files that tell the sum alone."""
    hint = sizes("pos_embed_input.proj.weight", 1) or given
    channels = sizes("pos_embed.proj.weight", 1) or min(given, hint)
    return {"in_channels": channels, "extra_conditioning_channels": max(0, hint - channels)}


def _told_alike(settings: Settings, sizes: Sizes) -> Settings:
    """What transformers and ControlNets tell in the same way."""
    layers = sizes.count("transformer_blocks.{}.ff.net.0.proj.weight")
    w = sizes("time_text_embed.timestep_embedder.linear_2.weight", 0)
    head = sizes("transformer_blocks.0.attn.norm_q.weight", 0)
    positions = sizes("pos_embed.pos_embed", 1)
    dual = [layer for layer in range(layers) if f"transformer_blocks.{layer}.attn2.to_q.weight" in sizes]
    return {
        **told_heads(settings, w, head),
        **known(
            num_layers=layers or None,
            caption_projection_dim=sizes("context_embedder.weight", 0),
            pooled_projection_dim=sizes("time_text_embed.text_embedder.linear_1.weight", 1),
            pos_embed_max_size=isqrt(positions) if positions else None,
        ),
        "dual_attention_layers": dual,
        "qk_norm": "rms_norm" if head else None,
    }


def _largest_sample(settings: Settings) -> int:
    """A file does not tell for which size it was trained, only up to which it has positions."""
    most = settings["pos_embed_max_size"]
    return min(settings["sample_size"], PATCH * most) if most else settings["sample_size"]


ARCHITECTURE = Architecture(
    "diffusers.models.transformers.transformer_sd3:SD3Transformer2DModel",
    SETTINGS,
    transformer,
    _spellings,
    _contradictions,
    _told,
)
CONTROLNET = Architecture(
    "diffusers.models.controlnets.controlnet_sd3:SD3ControlNetModel",
    CONTROLNET_SETTINGS,
    controlnet,
    _controlnet_spellings,
    _contradictions,
    _told_controlnet,
    (Ignored("control_type", "the number of the kind of hint, as Stability's own program wants it"),),
)

"""The settings that each part of a checkpoint may have: all that is read from a checkpoint folder's JSON.

A folder may come from anywhere. What it says of sizes has limits, what it says of kinds is one of a few words whose
meaning is known here, and every other field is dropped: nothing in it can choose code, a class, a kernel or an address.
Names and defaults are those of diffusers' and transformers' configurations (tests compare them).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from nodes.backend.fields import Each, Either, Field, Flag, Only, Real, Schema, Text, Whole, read_settings
from nodes.backend.schedules import betas
from nodes.types import NoiseSchedule, Part, Prediction

Settings = dict[str, Any]

MAX_BLOCKS = 8
CHANNELS = Whole(1, 16_384)
LAYERS = Whole(1, 16)
HEADS = Whole(1, 1024)
EPS = Real(1e-12, 0.9)
NOT_USED = Field(Only(None), None)
OFF = Field(Only(False), False)

_ACTIVATION = Field(Only("silu", "swish"), "silu")
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
    "act_fn": _ACTIVATION,
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
    "addition_embed_type": NOT_USED,
}
"""What a U-Net and its ControlNet have in common."""

UNET: Schema = {
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

CONTROLNET: Schema = {
    **_NETWORK,
    "conditioning_channels": Field(Only(3), 3),
    "mid_block_type": Field(Only("UNetMidBlock2DCrossAttn", "UNetMidBlock2D"), "UNetMidBlock2DCrossAttn"),
    "controlnet_conditioning_channel_order": Field(Only("rgb", "bgr"), "rgb"),
    "conditioning_embedding_out_channels": Field(Each(CHANNELS, MAX_BLOCKS), (16, 32, 96, 256)),
    "global_pool_conditions": OFF,
}

VAE: Schema = {
    "in_channels": Field(Only(3), 3),
    "out_channels": Field(Only(3), 3),
    "down_block_types": Field(Each(Only("DownEncoderBlock2D"), MAX_BLOCKS), ("DownEncoderBlock2D",)),
    "up_block_types": Field(Each(Only("UpDecoderBlock2D"), MAX_BLOCKS), ("UpDecoderBlock2D",)),
    "block_out_channels": Field(Each(CHANNELS, MAX_BLOCKS), (64,)),
    "layers_per_block": Field(LAYERS, 1),
    "act_fn": _ACTIVATION,
    "latent_channels": Field(CHANNELS, 4),
    "norm_num_groups": Field(CHANNELS, 32),
    "scaling_factor": Field(Real(1e-4, 1e4), 0.18215),
    "shift_factor": Field(Either(Real(-1e4, 1e4), Only(None)), None),
    "latents_mean": NOT_USED,
    "latents_std": NOT_USED,
    "force_upcast": Field(Flag(), True),
    "use_quant_conv": Field(Flag(), True),
    "use_post_quant_conv": Field(Flag(), True),
    "mid_block_add_attention": Field(Flag(), True),
}

MAX_WORDS = 1_000_000
TEXT_ENCODER: Schema = {
    "vocab_size": Field(Whole(3, MAX_WORDS), 49408),
    "hidden_size": Field(CHANNELS, 512),
    "intermediate_size": Field(Whole(1, 4 * CHANNELS.most), 2048),
    "num_hidden_layers": Field(Whole(1, 256), 12),
    "num_attention_heads": Field(HEADS, 8),
    "max_position_embeddings": Field(Whole(3, 8192), 77),
    "hidden_act": Field(Only("quick_gelu", "gelu"), "quick_gelu"),
    "layer_norm_eps": Field(EPS, 1e-5),
}

SCHEDULER: Schema = {
    "prediction_type": Field(Only(*get_args(Prediction)), "epsilon"),
    "beta_schedule": Field(Only("linear", "scaled_linear", "squaredcos_cap_v2"), "linear"),
    "beta_start": Field(Real(1e-8, 0.999), 0.0001),
    "beta_end": Field(Real(1e-8, 0.999), 0.02),
    "num_train_timesteps": Field(Whole(2, 10_000), 1000),
    "rescale_betas_zero_snr": Field(Only(False, None), False),
    "trained_betas": NOT_USED,
}

KIND: Schema = {
    "_class_name": Field(Text(), "model of an unknown kind"),
    "addition_embed_type": Field(Either(Text(), Only(None)), None),
}
"""What tells families apart, in a model_index.json or a part's settings: words to compare and to show."""

SCHEMAS: Mapping[Part, Schema] = {"unet": UNET, "vae": VAE, "text_encoder": TEXT_ENCODER, "controlnet": CONTROLNET}

MAX_LOG_SIGMA = 15.0
"""exp(15) is 700 times the highest noise level of any published model."""


def read_part(path: Path, part: Part) -> Settings:
    """The settings of one part. Raises ValueError when a field, or two of them together, cannot be meant."""
    settings = read_settings(path, SCHEMAS[part])
    if problem := next(_contradictions(part, settings), None):
        raise ValueError(f"{path}: {problem}")
    return settings


def read_training(path: Path) -> tuple[Prediction, NoiseSchedule]:
    """How a denoiser was trained, from its scheduler's settings. Raises ValueError when they cannot be meant."""
    settings = read_settings(path, SCHEDULER)
    kind, start, end = settings["beta_schedule"], float(settings["beta_start"]), float(settings["beta_end"])
    schedule = NoiseSchedule(kind, start, end, settings["num_train_timesteps"])
    if start > end:
        raise ValueError(f"{path}: beta_start is {start:g}, above beta_end, which is {end:g}")
    if -sum(math.log1p(-beta) for beta in betas(schedule)) > 2 * MAX_LOG_SIGMA:
        raise ValueError(
            f"{path}: beta_end {end:g} over num_train_timesteps {schedule.num_timesteps:,} is too much noise"
        )
    return settings["prediction_type"], schedule


def per_block(settings: Mapping[str, Any], name: str) -> list[int]:
    """A field that is one number for all blocks, or one for each."""
    value: list[int] | int = settings[name]
    return value if isinstance(value, list) else [value] * len(settings["block_out_channels"])


def _contradictions(part: Part, settings: Settings) -> Iterator[str]:
    if part == "text_encoder":
        width, heads = settings["hidden_size"], settings["num_attention_heads"]
        if width % heads:
            yield f"hidden_size {width} is no multiple of num_attention_heads {heads}"
        return
    widths = settings["block_out_channels"]
    for name in ("down_block_types", "up_block_types", "transformer_layers_per_block", "attention_head_dim"):
        value: Any = settings.get(name)
        if isinstance(value, list) and (count := len(cast("list[Any]", value))) != len(widths):
            yield f"{name} has {count} values, block_out_channels {len(widths)}"
            return
    groups = settings["norm_num_groups"]
    if uneven := next((width for width in widths if width % groups), None):
        yield f"block_out_channels has {uneven}, no multiple of norm_num_groups {groups}"
    if part == "vae":
        return
    for width, heads in zip(widths, per_block(settings, "attention_head_dim"), strict=True):
        if width % heads:
            yield f"block_out_channels has {width}, no multiple of attention_head_dim {heads}, which is a count here"

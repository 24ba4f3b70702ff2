"""Krea 2 by Krea, raw and Turbo. A transformer over one stream of the prompt's tokens and the picture's.

The language part of Qwen3-VL tells of the prompt token by token, with the states of twelve of its layers. Pictures are
in the space of Qwen-Image, whose VAE it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.backend.families.family import Asked, Defaults, Family, Found, Reader, Role, Tokenizer
from nodes.backend.families.qwenimage import CHAT, SPACE, VAE
from nodes.backend.families.sd import ATTENTION
from nodes.backend.families.transformer import transformer
from nodes.backend.fields import Each, Either, Field, Flag, Only, Schema, Whole, check_fields, read_settings
from nodes.backend.networks import krea2, qwen3vl
from nodes.backend.networks.architecture import Settings
from nodes.backend.networks.krea2 import PATCH
from nodes.backend.scheduler_settings import read_flow
from nodes.types import Conditioning, Flow, Model, SizeShift, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

LAYERS = tuple(range(2, 36, 3))
"""After how many layers of the text encoder the states are taken."""

CHAT_TOKENS = 546
"""The most, of which 39 are around the prompt: what the published pipeline reads."""

TURBO_SHIFT = SizeShift(base=1.15, most=1.15, base_tokens=256, most_tokens=6400, patch=PATCH)
"""Turbo was distilled at one shift for all sizes; its scheduler's file has that of the raw model all the same."""


def _text_contradictions(settings: Settings) -> Iterator[str]:
    yield from qwen3vl.TEXT_ALONE.contradictions(settings)
    if (count := settings["text_config.num_hidden_layers"]) < LAYERS[-1]:
        yield f"in text_config, num_hidden_layers is {count}; Krea 2 reads the states after layer {LAYERS[-1]}"


TRANSFORMER = replace(transformer(krea2.ARCHITECTURE), prefixes=("model.diffusion_model.", "diffusion_model.", ""))
TEXT_ENCODER = Role(
    "Qwen3-VL text encoder",
    replace(qwen3vl.TEXT_ALONE, contradictions=_text_contradictions),
    "text_encoder",
    prefixes=("text_encoders.qwen3vl_4b.transformer.",),
    tokenizer=Tokenizer("qwen", "tokenizer"),
    precision="bfloat16",
)

INDEX: Schema = {
    "is_distilled": Field(Flag(), False),
    "patch_size": Field(Only(PATCH), PATCH),
    "text_encoder_select_layers": Field(Either(Each(Whole(0, 1000), 1000), Only(None)), None),
}
"""What the index of a checkpoint's folder says."""

ORIGINAL_NAMES = ("first.weight", "last.linear.weight", "txtfusion.projector.weight", "blocks.0.attn.wq.weight")
OWN_NAMES = (
    "img_in.weight",
    "final_layer.linear.weight",
    "text_fusion.projector.weight",
    "transformer_blocks.0.attn.to_gate.weight",
)

_SETTINGS: dict[str, Settings] = {
    "transformer": {},
    "vae": {},
    "text_encoder": {
        "text_config": {
            "hidden_size": 2560,
            "intermediate_size": 9728,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "max_position_embeddings": 262_144,
            "rope_theta": 5e6,
        }
    },
}


class Krea2(Family):
    name = "krea2"
    title = "Krea 2"
    roles: ClassVar = {"transformer": TRANSFORMER, "text_encoder": TEXT_ENCODER, "vae": VAE}
    denoiser = "transformer"
    trained: ClassVar = {
        "attention": (*ATTENTION, "to_gate"),
        "all": (*ATTENTION, "to_gate", "ff.gate", "ff.up", "ff.down"),
    }
    encoders = ("text_encoder",)
    reads = ("krea2",)
    space = SPACE
    defaults = Defaults(1024, 8, 1.0, "euler", "normal")
    meaningless: ClassVar = {
        **Family.meaningless,
        ("text.clip_skip", ""): "Krea 2 reads twelve layers of its text encoder; leave it out",
    }

    def recognises(self, found: Found) -> bool:
        if found.kinds:
            return "Krea2Transformer2DModel" in (found.kind("transformer"), found.kind(""))
        return any(
            all(prefix + name in found.shapes for name in names)
            for prefix in TRANSFORMER.prefixes
            for names in (ORIGINAL_NAMES, OWN_NAMES)
        )

    def process(self, found: Found, settings: Path | None) -> Flow:
        """Files far from any settings are taken for Turbo, which pictures are made with; no tensor tells."""
        if settings is None:
            return Flow(by_size=TURBO_SHIFT)
        flow, index = read_flow(settings, PATCH, to_least=False), settings.parents[1] / "model_index.json"
        told = read_settings(index, INDEX) if index.is_file() else check_fields(index, {}, INDEX)
        if (layers := told["text_encoder_select_layers"]) not in (None, list(LAYERS)):
            raise ValueError(f"{index}: text_encoder_select_layers is {layers}; it must be {list(LAYERS)}")
        return replace(flow, by_size=TURBO_SHIFT) if told["is_distilled"] and flow.by_size else flow

    def default_settings(self, role: str) -> Settings:
        return _SETTINGS[role]

    def complaint(self, denoiser: Settings) -> str | None:
        channels, ours = denoiser["in_channels"], self.space.channels * PATCH**2
        if channels != ours:
            return f"it takes {channels} channels; this program can run those of {ours}"
        layers = denoiser["num_text_layers"]
        if layers != len(LAYERS):
            return f"it reads {layers} layers of its text encoder; this program can run those that read {len(LAYERS)}"
        return None

    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        return len(LAYERS) * encoders["text_encoder"]["text_config.hidden_size"]

    def read_width(self, denoiser: Settings) -> int:
        return denoiser["num_text_layers"] * denoiser["text_hidden_dim"]

    def text_complaint(self, text: TextEncoder) -> str | None:
        if text.skip_layers:
            return f"{self.title} reads twelve layers of its text encoder; take Clip skip out, or set it to 0"
        return None

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        from nodes.backend import qwen_prompt

        (qwen,) = readers
        embeds = qwen_prompt.encode_own(prompt, CHAT, qwen.tokenizer, qwen.encoder, length=CHAT_TOKENS, layers=LAYERS)
        return Conditioning(self.name, prompt, embeds)

    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        from nodes.backend.families import krea2_calls

        return krea2_calls.predict(net, asked)

    def blocks(self, net: Any) -> Sequence[Any]:
        return [*net.text_fusion.layerwise_blocks, *net.text_fusion.refiner_blocks, *net.transformer_blocks]


FAMILY = Krea2()

"""Qwen-Image 2.1 by Alibaba, Turbo too: text to picture and editing in one. A transformer over one stream of tokens.

Qwen3-VL, a language model that sees pictures, tells of the prompt; where it saw a picture in the text, the transformer
sees its latent. Its VAE knows how opaque a picture is: those given to it are opaque, and what it makes is put on white.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.backend.families import qwen_sizes
from nodes.backend.families.family import Asked, Defaults, Family, Found, Reader, Role, Tokenizer
from nodes.backend.families.sd import ATTENTION
from nodes.backend.families.transformer import transformer
from nodes.backend.fields import Each, Either, Field, Only, Real, Schema, read_settings
from nodes.backend.networks import qwen3vl, qwen21_vae, qwenimage21
from nodes.backend.networks.architecture import Settings
from nodes.backend.scheduler_settings import read_flow
from nodes.types import Conditioning, Flow, Model, SizeShift, Space, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

CHANNELS, FACTOR = 64, 16
SPACE = Space("qwenimage21", CHANNELS, FACTOR, multiple=2 * FACTOR, flow=True)
"""The language model sees squares of 32 x 32 pixels."""

SYSTEM = "<|im_start|>system\nComprehend and analyze the provided prompt.<|im_end|>\n"
CHAT = f"{SYSTEM}<|im_start|>user\n{{}}<|im_end|>\n<|im_start|>assistant\n"
NUMBERED = "<image{}>{}"
"""A picture in front of a prompt, with its number and what stands for it; a space is between two of them."""

CHAT_TOKENS = 4096
"""The most beside those of pictures, of which the transformer has places for twice as many."""

REFERENCE_AREA = 1024 * 1024
"""Pixels of a picture as both see it: diffusers' pipeline_qwenimage21."""

MOST_SIDE = 2048 * FACTOR
"""Of a picture, whose places are counted from its middle, up to 1024 to either side."""

SHIFT = SizeShift(0.5, 0.9, 256, 8192, patch=1)
TERMINAL = 0.02
"""Of the published model; others have theirs in their scheduler's settings."""

TRANSFORMER = transformer(qwenimage21.ARCHITECTURE)
TEXT_ENCODER = Role(
    "Qwen3-VL text encoder",
    qwen3vl.ARCHITECTURE,
    "text_encoder",
    prefixes=("text_encoders.qwen3vl_8b.transformer.",),
    tokenizer=Tokenizer("qwen", "processor"),
    precision="bfloat16",
)
VAE = Role("VAE", qwen21_vae.ARCHITECTURE, "vae", prefixes=("vae.", "first_stage_model."))

CLASS = "QwenImage21Transformer2DModel"
NAMES = ("txt_in.text_norm.weight", "img_in.weight", "modulation.1.weight", "transformer_blocks.0.attn.to_q.weight")

INDEX: Schema = {"sample_sigmas": Field(Either(Each(Real(1e-6, 1.0), 1000), Only(None)), None)}
"""What the index of a checkpoint's folder says: the levels that a model was distilled at."""

_SETTINGS: dict[str, Settings] = {
    "transformer": {},
    "vae": {},
    "text_encoder": {
        "text_config": {
            "hidden_size": 4096,
            "intermediate_size": 12_288,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "max_position_embeddings": 262_144,
            "rope_theta": 5e6,
        },
        "vision_config": {"out_hidden_size": 4096},
    },
}


class QwenImage21(Family):
    name = "qwenimage21"
    title = "Qwen-Image 2.1"
    roles: ClassVar = {"transformer": TRANSFORMER, "text_encoder": TEXT_ENCODER, "vae": VAE}
    denoiser = "transformer"
    trained: ClassVar = {
        "attention": ATTENTION,
        "all": (*ATTENTION, "img_mlp.gate_layer", "img_mlp.proj", "img_mlp.out"),
    }
    encoders = ("text_encoder",)
    reads = ("qwenimage21",)
    space = SPACE
    defaults = Defaults(1024, 40, 1.0, "euler", "normal")
    meaningless: ClassVar = {
        **Family.meaningless,
        ("text.clip_skip", ""): "Qwen-Image 2.1 reads the last layer of its text encoder; leave it out",
    }
    most_pictures = 10
    places_pictures = True

    def recognises(self, found: Found) -> bool:
        if found.kinds:
            return CLASS in (found.kind("transformer"), found.kind(""))
        return any(all(prefix + name in found.shapes for name in NAMES) for prefix in TRANSFORMER.prefixes)

    def process(self, found: Found, settings: Path | None) -> Flow:
        if settings is None:
            return Flow(by_size=SHIFT, terminal=TERMINAL)
        flow, index = read_flow(settings, patch=1, to_least=False), settings.parents[1] / "model_index.json"
        own = read_settings(index, INDEX)["sample_sigmas"] if index.is_file() else None
        if own is None:
            return flow
        if any(after >= before for before, after in pairwise(own)):
            raise ValueError(f"{index}: sample_sigmas is {own}; they must fall")
        return replace(flow, own=tuple(map(float, own)))

    def default_settings(self, role: str) -> Settings:
        return _SETTINGS[role]

    def complaint(self, denoiser: Settings) -> str | None:
        channels, made = denoiser["in_channels"], denoiser["out_channels"] or denoiser["in_channels"]
        if (channels, made) == (CHANNELS, CHANNELS):
            return None
        return f"it takes {channels} channels and makes {made}; this program can run those of {CHANNELS}"

    def takes(self, denoiser: Settings) -> frozenset[str]:
        return frozenset({"references"})

    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        return encoders["text_encoder"]["text_config.hidden_size"]

    def read_width(self, denoiser: Settings) -> int:
        return denoiser["context_in_dim"]

    def most_side(self, network: Settings) -> int:
        return MOST_SIDE

    def reference_size(self, width: int, height: int) -> tuple[int, int]:
        return qwen_sizes.of_area(REFERENCE_AREA, width, height)

    def text_complaint(self, text: TextEncoder) -> str | None:
        if text.skip_layers:
            return f"{self.title} reads the last layer of its text encoder; take Clip skip out, or set it to 0"
        return None

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        return self.encode_with_pictures(readers, text, prompt, ())

    def encode_with_pictures(
        self, readers: Sequence[Reader], text: TextEncoder, prompt: str, pictures: Sequence[Tensor]
    ) -> Conditioning:
        from nodes.backend import qwen_pictures

        (qwen,) = readers
        shown = [qwen_pictures.seen(self.shown_to_vae(picture), qwen_pictures.QWEN3) for picture in pictures]
        frames = (NUMBERED.format(number, qwen_pictures.FRAME) for number in range(1, len(pictures) + 1))
        embeds, starts = qwen_pictures.encode_unnormed(
            prompt or " ",  # the pipeline's own, whose tokenizer has nothing that a text begins with
            CHAT.replace("{}", " ".join(frames) + "{}"),
            shown,
            qwen.tokenizer,
            qwen.encoder,
            length=CHAT_TOKENS,
        )
        before = len(qwen.tokenizer.encode(SYSTEM, add_special_tokens=False).ids)
        return Conditioning(
            self.name, prompt, embeds[:, before:].contiguous(), shown_at=tuple(start - before for start in starts)
        )

    def shown_to_vae(self, picture: Tensor) -> Tensor:
        from nodes.backend import qwen_pictures

        return qwen_pictures.resized(picture, *self.reference_size(picture.shape[-1], picture.shape[-2]))

    def together(self, prompts: Sequence[Conditioning]) -> bool:
        seen = {(prompt.shown_at, tuple(reference.shape for reference in prompt.references)) for prompt in prompts}
        return super().together(prompts) and len(seen) == 1

    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        from nodes.backend.families import qwenimage21_calls

        return qwenimage21_calls.predict(net, asked)

    def blocks(self, net: Any) -> Sequence[Any]:
        return net.transformer_blocks


FAMILY = QwenImage21()

"""Flux.2 by Black Forest Labs: Klein, of two sizes, and dev. A transformer over tokens of 16 x 16 pixels.

A language model tells of the prompt, token by token and by three of its layers. All of them see other pictures beside
the one that they make. dev is told the guidance scale; Klein is asked twice for it, or was distilled and needs none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.backend.families.family import Asked, Defaults, Family, Found, Reader, Role, Room, Tokenizer
from nodes.backend.families.sd import ATTENTION
from nodes.backend.families.sd3 import ATTENTION_TO_TEXT
from nodes.backend.families.transformer import transformer
from nodes.backend.networks import flux2, mistral, qwen3, vae_flux2
from nodes.backend.networks.architecture import Architecture, Settings
from nodes.backend.networks.flux2 import FACTOR, LATENT_CHANNELS
from nodes.backend.scheduler_settings import read_flow
from nodes.types import Conditioning, Flow, Model, Space, StepShift, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

SPACE = Space("flux2", LATENT_CHANNELS, FACTOR, multiple=FACTOR, flow=True)

TEXT_TOKENS = 512
"""All of them are read, those that fill a prompt up too."""

REFERENCE_AREA = 1024 * 1024
"""Pixels; larger pictures are shrunk: diffusers' pipelines, after Black Forest Labs' flux2 (sampling.py)."""

CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
"""What Qwen3's chat template makes of one message that it is not to think about."""

DEV_CHAT = (
    "<s>[SYSTEM_PROMPT]You are an AI that reasons about image descriptions. You give structured responses focusing on "
    "object relationships, object\nattribution and actions without speculation.[/SYSTEM_PROMPT][INST]{}[/INST]"
)
"""What Mistral's chat template makes of one message after the system's: flux2, system_messages.py."""

KLEIN_LAYERS, DEV_LAYERS = (9, 18, 27), (10, 20, 30)


def _of_layers(architecture: Architecture, least: int) -> Architecture:
    """A kind of network that has at least so many layers."""

    def contradictions(settings: Settings) -> Iterator[str]:
        yield from architecture.contradictions(settings)
        if (count := settings["num_hidden_layers"]) < least:
            yield f"num_hidden_layers is {count}; Flux.2 reads the states after layer {least}"

    return replace(architecture, contradictions=contradictions)


TRANSFORMER = transformer(flux2.ARCHITECTURE)
QWEN3 = Role(
    "Qwen3 text encoder",
    _of_layers(qwen3.ARCHITECTURE, KLEIN_LAYERS[-1]),
    "text_encoder",
    prefixes=("text_encoders.qwen3_4b.transformer.", "text_encoders.qwen3_8b.transformer."),
    tokenizer=Tokenizer("qwen", "tokenizer"),
    precision="bfloat16",
)
MISTRAL = Role(
    "Mistral text encoder",
    _of_layers(mistral.ARCHITECTURE, DEV_LAYERS[-1]),
    "text_encoder",
    prefixes=("text_encoders.mistral3_24b.transformer.",),
    tokenizer=Tokenizer("mistral", "tokenizer"),
    precision="bfloat16",
)
VAE = Role("VAE", vae_flux2.ARCHITECTURE, "vae", prefixes=("vae.", "first_stage_model."))

MARKS = ("double_stream_modulation_img.lin.weight", "double_stream_modulation_img.linear.weight")
"""In files of either layout: the layer that modulates all blocks of a kind, which no other transformer has."""

GUIDANCE = ("guidance_in.in_layer.weight", "time_guidance_embed.guidance_embedder.linear_1.weight")
"""The layer that reads the guidance scale."""

CLASS = "Flux2Transformer2DModel"


class Flux2(Family):
    """guided: whether its denoisers are told the guidance scale. layers: of its text encoder, whose states are read."""

    roles: ClassVar[Mapping[str, Role]]
    denoiser = "transformer"
    trained: ClassVar = {
        "attention": (*ATTENTION, *ATTENTION_TO_TEXT, "attn.to_qkv_mlp_proj", "attn.to_out"),
        "all": (
            *(*ATTENTION, *ATTENTION_TO_TEXT, "attn.to_qkv_mlp_proj", "attn.to_out"),
            *("ff.linear_in", "ff.linear_out", "ff_context.linear_in", "ff_context.linear_out"),
        ),
    }
    encoders = ("text_encoder",)
    space = SPACE
    guided: bool
    layers: tuple[int, ...]

    def recognises(self, found: Found) -> bool:
        if found.kinds:
            settings = next((k for k in found.kinds.values() if k["_class_name"] == CLASS), None)
            return settings is not None and (settings["guidance_embeds"] is not False) == self.guided
        for prefix in TRANSFORMER.prefixes:
            if any(prefix + name in found.shapes for name in MARKS):
                return any(prefix + name in found.shapes for name in GUIDANCE) == self.guided
        return False

    def process(self, found: Found, settings: Path | None) -> Flow:
        if settings is None:
            return Flow(by_size=StepShift())
        flow = read_flow(settings, patch=1, to_least=False)
        # the published pipelines count by a rule of their own, whatever the scheduler's settings say of sizes
        return replace(flow, by_size=StepShift()) if flow.by_size else flow

    def default_settings(self, role: str) -> Settings:
        return {}

    def complaint(self, denoiser: Settings) -> str | None:
        channels, made = denoiser["in_channels"], denoiser["out_channels"] or denoiser["in_channels"]
        if (channels, made) == (LATENT_CHANNELS, LATENT_CHANNELS):
            return None
        return f"it takes {channels} channels and makes {made}; this program can run those of {LATENT_CHANNELS}"

    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        return len(self.layers) * encoders["text_encoder"]["hidden_size"]

    def read_width(self, denoiser: Settings) -> int:
        return denoiser["joint_attention_dim"]

    def takes(self, denoiser: Settings) -> frozenset[str]:
        return frozenset({"references", *({"distilled_guidance"} if denoiser["guidance_embeds"] else ())})

    def text_complaint(self, text: TextEncoder) -> str | None:
        if text.skip_layers:
            return f"{self.title} reads certain layers of its text encoder; take Clip skip out, or set it to 0"
        return None

    def reference_size(self, width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, sqrt(REFERENCE_AREA / (width * height)))
        wide, high = (max(int(side * scale) // FACTOR, 1) * FACTOR for side in (width, height))
        return wide, high

    def together(self, prompts: Sequence[Conditioning]) -> bool:
        sizes = {tuple(reference.shape for reference in prompt.references) for prompt in prompts}
        return super().together(prompts) and len(sizes) == 1

    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        from nodes.backend.families import flux2_calls

        return flux2_calls.predict(net, asked)

    def blocks(self, net: Any) -> Sequence[Any]:
        return [*net.transformer_blocks, *net.single_transformer_blocks]


class Klein(Flux2):
    name = "klein"
    title = "Flux.2 Klein"
    roles: ClassVar = {"transformer": TRANSFORMER, "text_encoder": QWEN3, "vae": VAE}
    reads = ("klein",)
    defaults = Defaults(1024, 4, 1.0, "euler", "normal")
    meaningless: ClassVar = {
        **Family.meaningless,
        ("text.clip_skip", ""): "Flux.2 reads certain layers of its text encoder; leave it out",
    }
    guided = False
    layers = KLEIN_LAYERS

    def default_settings(self, role: str) -> Settings:
        match role:
            case "text_encoder":
                return qwen3.PUBLISHED_4B
            case "transformer":
                return {"guidance_embeds": False}
            case _:
                return {}

    def reads_at_once(self, roles: frozenset[str]) -> Room | None:
        return Room("text_encoder", TEXT_TOKENS, CHAT)

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        from nodes.backend import qwen_prompt

        (qwen,) = readers
        embeds = qwen_prompt.encode_filled(
            prompt, CHAT, qwen.tokenizer, qwen.encoder, length=TEXT_TOKENS, layers=self.layers
        )
        return Conditioning(self.name, prompt, embeds)


class Dev(Flux2):
    name = "flux2"
    title = "Flux.2 dev"
    roles: ClassVar = {"transformer": TRANSFORMER, "text_encoder": MISTRAL, "vae": VAE}
    reads = ("flux2",)
    defaults = Defaults(1024, 50, 1.0, "euler", "normal")
    meaningless = Klein.meaningless
    guided = True
    layers = DEV_LAYERS

    def default_settings(self, role: str) -> Settings:
        return mistral.SMALL_3 if role == "text_encoder" else {}

    def reads_at_once(self, roles: frozenset[str]) -> Room | None:
        return Room("text_encoder", TEXT_TOKENS, DEV_CHAT)

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        from nodes.backend import mistral_prompt

        (reader,) = readers
        embeds = mistral_prompt.encode_filled(
            prompt, DEV_CHAT, reader.tokenizer, reader.encoder, length=TEXT_TOKENS, layers=self.layers
        )
        return Conditioning(self.name, prompt, embeds)


KLEIN, DEV = Klein(), Dev()

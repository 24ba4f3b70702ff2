"""Z-Image by Tongyi-MAI, Turbo too. A transformer over one stream of the picture's tokens and the prompt's.

Qwen3, a language model, tells of the prompt token by token. Pictures are in the space of Flux.1, whose VAE it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.backend.families import flux
from nodes.backend.families.family import (
    Asked,
    Completes,
    Defaults,
    Family,
    Follower,
    Found,
    Reader,
    Role,
    Room,
    Tokenizer,
)
from nodes.backend.families.sd import ATTENTION
from nodes.backend.families.transformer import transformer
from nodes.backend.networks import qwen3, zimage
from nodes.backend.networks.architecture import Settings
from nodes.backend.networks.zimage import PATCH, TEXT_TOKENS
from nodes.backend.scheduler_settings import read_flow
from nodes.types import Conditioning, Flow, Model, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

SHIFT = 3.0
"""Of Turbo, which most files are; other models have it in their scheduler's settings."""

CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
"""What Qwen3's chat template makes of one message."""

LAYERS_BACK = 1

TRANSFORMER = transformer(zimage.ARCHITECTURE)
TEXT_ENCODER = Role(
    "Qwen3 text encoder",
    qwen3.ARCHITECTURE,
    "text_encoder",
    prefixes=("text_encoders.qwen3_4b.transformer.",),
    tokenizer=Tokenizer("qwen", "tokenizer"),
    precision="bfloat16",
)
VAE = flux.VAE
CONTROLNET = Role("ControlNet", zimage.CONTROLNET, "controlnet", alone=True, precision="bfloat16")

ORIGINAL_NAMES = ("x_embedder.weight", "final_layer.linear.weight", "layers.0.attention.qkv.weight")
OWN_NAMES = (f"{zimage.X_EMBEDDER}.weight", f"{zimage.FINAL_LAYER}.linear.weight", "layers.0.attention.to_q.weight")
BOTH_NAMES = ("x_pad_token", "cap_pad_token", "cap_embedder.1.weight", "context_refiner.0.attention_norm1.weight")
"""Lumina 2, from whose blocks its own are made, has no tokens that fill up."""

_SETTINGS: dict[str, Settings] = {
    "transformer": {},
    "controlnet": {
        "control_layers_places": [*zimage.PUBLISHED_PLACES[zimage.UNION_2]],
        "control_refiner_layers_places": [0, 1],
        "control_in_dim": 33,
        "add_control_noise_refiner": "control_noise_refiner",
    },
    "text_encoder": qwen3.PUBLISHED_4B,
}


class ZImage(Family):
    name = "zimage"
    title = "Z-Image"
    roles: ClassVar = {"transformer": TRANSFORMER, "text_encoder": TEXT_ENCODER, "vae": VAE, "controlnet": CONTROLNET}
    denoiser = "transformer"
    trained: ClassVar = {
        "attention": ATTENTION,
        "all": (*ATTENTION, "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"),
    }
    encoders = ("text_encoder",)
    reads = ("zimage",)
    space = flux.SPACE
    defaults = Defaults(1024, 8, 1.0, "euler", "normal")
    hole = 0.5  # 0 as the VAE counts brightness
    meaningless: ClassVar = {
        **Family.meaningless,
        ("text.clip_skip", ""): "Z-Image reads one layer of its text encoder; leave it out",
    }

    def recognises(self, found: Found) -> bool:
        if found.kinds:
            return "ZImageTransformer2DModel" in (found.kind("transformer"), found.kind(""))
        return any(
            all(prefix + name in found.shapes for name in (*BOTH_NAMES, *names))
            for prefix in TRANSFORMER.prefixes
            for names in (ORIGINAL_NAMES, OWN_NAMES)
        )

    def recognises_controlnet(self, found: Found) -> bool:
        if found.kinds:
            return found.kind("") == "ZImageControlNetModel"
        return found.has(f"{zimage.CONTROL_EMBEDDER}.", "control_layers.0.after_proj.")

    def process(self, found: Found, settings: Path | None) -> Flow:
        return read_flow(settings, PATCH, to_least=False) if settings else Flow(SHIFT)

    def default_settings(self, role: str) -> Settings:
        return flux.FAMILY.default_settings(role) if role == "vae" else _SETTINGS[role]

    def complaint(self, denoiser: Settings) -> str | None:
        channels, ours = denoiser["in_channels"], self.space.channels
        return None if channels == ours else f"it takes {channels} channels; this program can run those of {ours}"

    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        return encoders["text_encoder"]["hidden_size"]

    def read_width(self, denoiser: Settings) -> int:
        return denoiser["cap_feat_dim"]

    def most_side(self, network: Settings) -> int | None:
        if "axes_lens" not in network:  # a ControlNet has the transformer's places
            return None
        return min(network["axes_lens"][1:]) * PATCH * self.space.factor

    def reads_latents(self, controlnet: Settings) -> bool:
        return True

    def completes(self, controlnet: Settings) -> Completes:
        return "never" if controlnet["control_in_dim"] == self.space.channels else "also"

    def controlnet_complaint(self, denoiser: Settings, controlnet: Settings) -> str | None:
        for told, name in (("tokens of width", "dim"), ("heads:", "n_heads"), ("refiners:", "n_refiner_layers")):
            if controlnet[name] != denoiser[name]:
                return f"{told} {controlnet[name]}, not {denoiser[name]}"
        if (last := controlnet["control_layers_places"][-1]) >= denoiser["n_layers"]:
            return f"it adds after layer {last}, the last is {denoiser['n_layers'] - 1}"
        channels, ours = controlnet["control_in_dim"], denoiser["in_channels"]
        if channels not in (ours, ours + zimage.EMPTY_CHANNELS):
            return f"it takes hints of {channels} channels, not {ours} or {ours + zimage.EMPTY_CHANNELS}"
        return None

    def text_complaint(self, text: TextEncoder) -> str | None:
        if text.skip_layers:
            return f"{self.title} reads one layer of its text encoder; take Clip skip out, or set it to 0"
        return None

    def reads_at_once(self, roles: frozenset[str]) -> Room | None:
        return Room("text_encoder", TEXT_TOKENS, CHAT)

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        from nodes.backend import qwen_prompt

        (qwen,) = readers
        embeds = qwen_prompt.encode(
            prompt, CHAT, qwen.tokenizer, qwen.encoder, length=TEXT_TOKENS, layers_back=LAYERS_BACK
        )
        return Conditioning(self.name, prompt, embeds)

    def together(self, prompts: Sequence[Conditioning]) -> bool:
        return True  # each has its own place in a list

    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        from nodes.backend.families import zimage_calls

        return zimage_calls.predict(net, asked)

    def residuals(self, net: Any, followers: Sequence[Follower], asked: Asked) -> Any:
        from nodes.backend.families import zimage_calls

        return zimage_calls.residuals(net, followers, asked)

    def blocks(self, net: Any) -> Sequence[Any]:
        return [*net.noise_refiner, *net.context_refiner, *net.layers]


FAMILY = ZImage()

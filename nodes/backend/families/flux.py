"""Flux.1 by Black Forest Labs: dev, schnell, Fill and Kontext. A transformer over tokens of 2 x 2 latent pixels.

T5 tells it of the prompt token by token, CLIP of the text as a whole. dev, Fill and Kontext are distilled from
guidance, whose scale they are told: Meng et al. 2023 (arXiv:2210.03142). Kontext, which sees other pictures beside the
one it makes: Labs et al. 2025 (arXiv:2506.15742).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.backend.families import sd, sd3
from nodes.backend.families.family import Asked, Defaults, Family, Follower, Found, Reader, Role, Room, Tokenizer
from nodes.backend.networks import flux, mmdit, t5
from nodes.backend.networks.architecture import Settings
from nodes.backend.networks.flux import FACTOR, FILL_CHANNELS, LATENT_CHANNELS, PATCH, TOKEN_CHANNELS
from nodes.backend.scheduler_settings import read_flow
from nodes.types import Conditioning, Flow, Model, SizeShift, Space, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

SPACE = Space("flux", LATENT_CHANNELS, FACTOR, multiple=FACTOR * PATCH, flow=True)

T5_TOKENS = 512
T5_WIDTH, CLIP_WIDTH = 4096, 768

TRANSFORMER = Role(
    "Transformer",
    flux.ARCHITECTURE,
    "transformer",
    prefixes=("model.diffusion_model.", ""),
    adapter_names=("transformer.", "diffusion_model.", ""),
    flat_adapter_names=("lora_transformer_", "lora_unet_"),
    precision="bfloat16",
)
TEXT_ENCODER = Role(
    "CLIP text encoder",
    sd.TEXT_ENCODER.architecture,
    "text_encoder",
    prefixes=("text_encoders.clip_l.transformer.",),
    tokenizer=Tokenizer("clip", "tokenizer"),
    adapter_names=("text_encoder.",),
    flat_adapter_names=("lora_te1_",),
    embedding_names=("clip_l",),
)
T5 = Role(
    "T5 text encoder",
    t5.ARCHITECTURE,
    "text_encoder_2",
    prefixes=("text_encoders.t5xxl.transformer.",),
    tokenizer=Tokenizer("t5", "tokenizer_2"),
    adapter_names=("text_encoder_2.",),
    flat_adapter_names=("lora_te2_", "lora_te3_"),  # OneTrainer's and kohya's
    precision="bfloat16",
)
VAE = replace(sd.VAE, prefixes=("vae.", "first_stage_model."))
CONTROLNET = Role("ControlNet", flux.CONTROLNET, "controlnet", alone=True, precision="bfloat16")

_TALL = (672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104)
KONTEXT_SIZES = (*_TALL, (1024, 1024), *((height, width) for width, height in reversed(_TALL)))
"""(width, height): all of about a megapixel."""

ORIGINAL_NAMES = (
    "double_blocks.0.img_attn.qkv.weight",
    "single_blocks.0.linear1.weight",
    "vector_in.in_layer.weight",
    "final_layer.linear.weight",
)
OWN_NAMES = (
    "x_embedder.weight",
    "context_embedder.weight",
    "time_text_embed.text_embedder.linear_1.weight",
    "single_transformer_blocks.0.proj_mlp.weight",
)
"""In files of either layout. Later transformers have some of them, none has all."""

CONTROLNET_ENTRANCES = ("controlnet_x_embedder.weight", "pos_embed_input.weight")
CONTROLNET_READS = ("time_text_embed.text_embedder.linear_1.weight", "vector_in.in_layer.weight")
"""In either layout, the layer that reads the text as a whole: ControlNets of Qwen-Image have none."""

CONTROLNET_EXITS = ("controlnet_blocks.0.", "controlnet_single_blocks.0.")

_SETTINGS: dict[str, Settings] = {
    "transformer": {},
    "controlnet": {},
    "text_encoder": {
        "hidden_size": CLIP_WIDTH,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    },
    "text_encoder_2": {
        "d_model": T5_WIDTH,
        "d_kv": 64,
        "d_ff": 10240,
        "num_layers": 24,
        "num_heads": 64,
        "feed_forward_proj": "gated-gelu",
    },
    "vae": {
        **sd.VAE_SETTINGS,
        "latent_channels": SPACE.channels,
        "scaling_factor": 0.3611,
        "shift_factor": 0.1159,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    },
}


class Flux(Family):
    name = "flux"
    title = "Flux.1"
    roles: ClassVar = {
        "transformer": TRANSFORMER,
        "text_encoder": TEXT_ENCODER,
        "text_encoder_2": T5,
        "vae": VAE,
        "controlnet": CONTROLNET,
    }
    denoiser = "transformer"
    trained: ClassVar = {
        "attention": (*sd.ATTENTION, *sd3.ATTENTION_TO_TEXT),
        "all": (*sd.ATTENTION, *sd3.ATTENTION_TO_TEXT, *sd3.FEED_FORWARD, "proj_mlp", "proj_out"),
    }
    encoders = ("text_encoder", "text_encoder_2")
    reads = ("flux",)
    space = SPACE
    defaults = Defaults(1024, 28, 1.0, "euler", "normal")
    meaningless: ClassVar = {
        **Family.meaningless,
        ("text.clip_skip", ""): "Flux.1 reads the last layers of its text encoders; leave it out",
    }
    reference_sizes: ClassVar = KONTEXT_SIZES
    hint_modes: ClassVar = {"canny": 0, "tile": 1, "depth": 2, "blur": 3, "pose": 4, "grey": 5, "low quality": 6}

    def recognises(self, found: Found) -> bool:
        if found.kinds:
            return "FluxTransformer2DModel" in (found.kind("transformer"), found.kind(""))
        return not self.recognises_controlnet(found) and any(
            all(prefix + name in found.shapes for name in names)
            for prefix in TRANSFORMER.prefixes
            for names in (ORIGINAL_NAMES, OWN_NAMES)
        )

    def recognises_controlnet(self, found: Found) -> bool:
        if found.kinds:
            return found.kind("") == "FluxControlNetModel"
        return (
            any(name in found.shapes for name in CONTROLNET_ENTRANCES)
            and any(name in found.shapes for name in CONTROLNET_READS)
            and found.has_any(CONTROLNET_EXITS)
        )

    def process(self, found: Found, settings: Path | None) -> Flow:
        """Of those published, the ones that are told a guidance scale have a shift that grows with the picture."""
        if settings:
            return read_flow(settings, PATCH, to_least=False)
        return Flow(by_size=SizeShift(patch=PATCH)) if _is_told_guidance(found) else Flow()

    def default_settings(self, role: str) -> Settings:
        return _SETTINGS[role]

    def complaint(self, denoiser: Settings) -> str | None:
        channels = denoiser["in_channels"]
        if channels not in (TOKEN_CHANNELS, FILL_CHANNELS):
            return (
                f"it takes {channels} channels for each token; this program can run those of {TOKEN_CHANNELS} (dev, "
                f"schnell, Kontext) and of {FILL_CHANNELS} (Fill)"
            )
        made = denoiser["out_channels"] or channels
        return None if made == TOKEN_CHANNELS else f"it makes {made} channels for each token, not {TOKEN_CHANNELS}"

    def takes(self, denoiser: Settings) -> frozenset[str]:
        fills = denoiser["in_channels"] == FILL_CHANNELS
        guided = {"distilled_guidance"} if denoiser["guidance_embeds"] else set[str]()
        return frozenset({"masked" if fills else "references", *guided})

    def task(self, denoiser: Settings) -> str:
        if "masked" in self.takes(denoiser):
            return "fill"
        return "text" if denoiser["guidance_embeds"] else "few_steps"

    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        return encoders["text_encoder_2"]["d_model"]

    def read_width(self, denoiser: Settings) -> int:
        return denoiser["joint_attention_dim"]

    def pooled_width(self, encoders: Mapping[str, Settings]) -> int:
        return encoders["text_encoder"]["hidden_size"]

    def read_pooled_width(self, denoiser: Settings) -> int:
        return denoiser["pooled_projection_dim"]

    def reads_latents(self, controlnet: Settings) -> bool:
        return controlnet["conditioning_embedding_channels"] is None

    def text_complaint(self, text: TextEncoder) -> str | None:
        if text.skip_layers:
            return f"{self.title} reads the last layers of its text encoders; take Clip skip out, or set it to 0"
        return None

    def controlnet_complaint(self, denoiser: Settings, controlnet: Settings) -> str | None:
        for told, theirs, ours in (
            ("tokens of width", mmdit.width(controlnet), mmdit.width(denoiser)),
            ("prompts of width", controlnet["joint_attention_dim"], denoiser["joint_attention_dim"]),
            ("texts of width", controlnet["pooled_projection_dim"], denoiser["pooled_projection_dim"]),
            ("channels in a token:", controlnet["in_channels"], TOKEN_CHANNELS),
        ):
            if theirs != ours:
                return f"{told} {theirs}, not {ours}"
        for layers in ("num_layers", "num_single_layers"):
            if controlnet[layers] > denoiser[layers]:
                return f"{layers} {controlnet[layers]}, above {denoiser[layers]}"
        return None

    def num_hint_modes(self, controlnet: Settings) -> int:
        return controlnet["num_mode"] or 0

    def reads_at_once(self, roles: frozenset[str]) -> Room | None:
        return Room(self.encoders[-1], T5_TOKENS - 1)

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        from nodes.backend import t5_prompt
        from nodes.backend.prompt import parse, read

        clip, t5 = readers
        embeds = t5_prompt.encode(parse(prompt), t5.tokenizer, t5.encoder, T5_TOKENS)
        return Conditioning(self.name, prompt, embeds, read(prompt, *clip, layers_back=0, normed=True).pooled)

    def together(self, prompts: Sequence[Conditioning]) -> bool:
        sizes = {tuple(reference.shape for reference in prompt.references) for prompt in prompts}
        return super().together(prompts) and len(sizes) == 1

    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        from nodes.backend.families import flux_calls

        return flux_calls.predict(net, asked)

    def residuals(self, net: Any, followers: Sequence[Follower], asked: Asked) -> Any:
        from nodes.backend.families import flux_calls

        return flux_calls.residuals(net, followers, asked)

    def blocks(self, net: Any) -> Sequence[Any]:
        return [*net.transformer_blocks, *net.single_transformer_blocks]


def _is_told_guidance(found: Found) -> bool:
    if found.kinds:
        return any(kind.get("guidance_embeds") for kind in found.kinds.values())
    return any("guidance_in." in name or ".guidance_embedder." in name for name in found.shapes)


FAMILY = Flux()

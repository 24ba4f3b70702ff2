"""Stable Diffusion 3 and 3.5: Esser et al. 2024 (arXiv:2403.03206)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.backend.families.family import Asked, Defaults, Family, Follower, Found, Reader, Role, Room, Tokenizer
from nodes.backend.families.sd import ATTENTION, VAE, VAE_SETTINGS
from nodes.backend.networks import clip, mmdit, sd3, t5
from nodes.backend.networks.architecture import Settings
from nodes.backend.scheduler_settings import read_flow
from nodes.types import Conditioning, Flow, Model, Space, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

TRANSFORMER = Role(
    "Transformer",
    sd3.ARCHITECTURE,
    "transformer",
    prefixes=("model.diffusion_model.",),
    adapter_names=("transformer.", "diffusion_model.", ""),
    flat_adapter_names=("lora_transformer_", "lora_unet_"),
    precision="bfloat16",
)
SMALLER = Role(
    "Smaller text encoder",
    clip.CLIP_PROJECTED_AS_IS,
    "text_encoder",
    prefixes=("text_encoders.clip_l.transformer.",),
    tokenizer=Tokenizer("clip", "tokenizer"),
    always={"hidden_act": "quick_gelu"},
    adapter_names=("text_encoder.",),
    flat_adapter_names=("lora_te1_",),
    embedding_names=("clip_l",),
)
LARGER = replace(
    SMALLER,
    title="Larger text encoder",
    architecture=clip.CLIP_PROJECTED,
    folder="text_encoder_2",
    prefixes=("text_encoders.clip_g.transformer.",),
    tokenizer=Tokenizer("clip", "tokenizer_2", pad="!"),
    always={"hidden_act": "gelu"},
    adapter_names=("text_encoder_2.",),
    flat_adapter_names=("lora_te2_",),
    embedding_names=("clip_g",),
)
T5 = Role(
    "T5",
    t5.ARCHITECTURE,
    "text_encoder_3",
    prefixes=("text_encoders.t5xxl.transformer.",),
    tokenizer=Tokenizer("t5", "tokenizer_3"),
    optional=True,
    adapter_names=("text_encoder_3.",),
    flat_adapter_names=("lora_te3_",),
    precision="bfloat16",  # T5 overflows in float16
)
CONTROLNET = Role(
    "ControlNet",
    sd3.CONTROLNET,
    "controlnet",
    alone=True,
    precision="bfloat16",
)
ATTENTION_TO_TEXT = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
FEED_FORWARD = ("net.0.proj", "net.2")  # of the picture and of the text

CLIPS = "text_encoder", "text_encoder_2"
READS_AT_ONCE = "text_encoder_3"

SHIFT = 3.0
NUM_T5_TOKENS = 256
_SETTINGS: dict[str, Settings] = {
    "text_encoder": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "projection_dim": 768,
    },
    "text_encoder_2": {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "hidden_act": "gelu",
        "projection_dim": 1280,
    },
    "text_encoder_3": {
        "d_model": 4096,
        "d_ff": 10240,
        "num_layers": 24,
        "num_heads": 64,
        "feed_forward_proj": "gated-gelu",
    },
    "vae": {
        **VAE_SETTINGS,
        "latent_channels": 16,
        "scaling_factor": 1.5305,
        "shift_factor": 0.0609,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    },
}


class StableDiffusion3(Family):
    """The CLIPs' states lie side by side and then T5's end to end with them; without T5, zeros take its place."""

    name = "sd3"
    title = "Stable Diffusion 3"
    roles: ClassVar = {
        "transformer": TRANSFORMER,
        "text_encoder": SMALLER,
        "text_encoder_2": LARGER,
        "text_encoder_3": T5,
        "vae": VAE,
        "controlnet": CONTROLNET,
    }
    denoiser = "transformer"
    trained: ClassVar = {
        "attention": (*ATTENTION, *ATTENTION_TO_TEXT),
        "all": (*ATTENTION, *ATTENTION_TO_TEXT, *FEED_FORWARD),
    }
    encoders = (*CLIPS, READS_AT_ONCE)
    reads = ("sd3",)
    space = Space("sd3", 16, 8, multiple=16, flow=True)
    defaults = Defaults(1024, 28, 4.5, "euler", "normal")

    def recognises(self, found: Found) -> bool:
        if found.kinds:
            return "SD3Transformer2DModel" in (found.kind("transformer"), found.kind(""))
        first = ("joint_blocks.0.x_block.adaLN_modulation.1.weight", "transformer_blocks.0.norm1_context.linear.weight")
        positions = ("pos_embed", "pos_embed.pos_embed")
        return not self.recognises_controlnet(found) and any(
            f"{prefix}{block}" in found.shapes and f"{prefix}{place}" in found.shapes
            for prefix in ("", *TRANSFORMER.prefixes)
            for block, place in zip(first, positions, strict=True)
        )

    def recognises_controlnet(self, found: Found) -> bool:
        if found.kinds:
            return found.kind("") == "SD3ControlNetModel"
        return {"controlnet_blocks.0.weight", "pos_embed_input.proj.weight"} <= found.shapes.keys()

    def process(self, found: Found, settings: Path | None) -> Flow:
        return read_flow(settings, sd3.PATCH, to_least=True) if settings else Flow(SHIFT, to_least=True)

    def default_settings(self, role: str) -> Settings:
        return _SETTINGS.get(role, {})

    def complaint(self, denoiser: Settings) -> str | None:
        if denoiser["in_channels"] == denoiser["out_channels"] == self.space.channels:
            return None
        return f"it takes {denoiser['in_channels']} channels and makes {denoiser['out_channels']}, not 16"

    def native_size(self, denoiser: Settings) -> int:
        return denoiser["sample_size"] * self.space.factor

    def most_side(self, network: Settings) -> int | None:
        has_positions = network.get("use_pos_embed", True) and network.get("pos_embed_type", "sincos")
        return network["pos_embed_max_size"] * sd3.PATCH * self.space.factor if has_positions else None

    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        both = sum(encoders[role]["hidden_size"] for role in CLIPS)
        if READS_AT_ONCE not in encoders:
            return both
        width = encoders[READS_AT_ONCE]["d_model"]
        if both > width:
            raise ValueError(
                f"the states of both CLIPs are {both} wide together, those of T5 {width}, which must have room for them"
            )
        return width

    def read_width(self, denoiser: Settings) -> int:
        return denoiser["joint_attention_dim"]

    def reads_width(self, denoiser: Settings, width: int) -> bool:
        """What T5 did not read is as wide as both CLIPs; `sd3_calls.without_t5` fills it up."""
        return width in (denoiser["joint_attention_dim"], denoiser["pooled_projection_dim"])

    def pooled_width(self, encoders: Mapping[str, Settings]) -> int:
        return sum(encoders[role]["projection_dim"] for role in CLIPS)

    def read_pooled_width(self, denoiser: Settings) -> int:
        return denoiser["pooled_projection_dim"]

    def reads_latents(self, controlnet: Settings) -> bool:
        return True

    def controlnet_complaint(self, denoiser: Settings, controlnet: Settings) -> str | None:
        if controlnet["extra_conditioning_channels"]:
            return "it reads a mask beside the picture, which this program does not give it"
        widths = [("tokens", mmdit.width(denoiser), mmdit.width(controlnet))]
        widths += [
            (what, denoiser[name], controlnet[name])
            for name, what in (
                ("in_channels", "latents"),
                ("joint_attention_dim", "prompts"),
                ("pooled_projection_dim", "pooled prompts"),
            )
            if controlnet[name] is not None
        ]
        return next((f"{what} {theirs} wide, not {ours}" for what, ours, theirs in widths if ours != theirs), None)

    def reads_at_once(self, roles: frozenset[str]) -> Room | None:
        return Room(READS_AT_ONCE, NUM_T5_TOKENS - 1) if READS_AT_ONCE in roles else None

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        from nodes.backend.families import sd3_calls

        by_role = {network.role: reader for network, reader in zip(text.encoders, readers, strict=True)}
        embeds, pooled = sd3_calls.read_clips(prompt, [by_role[role] for role in CLIPS], text.skip_layers)
        if READS_AT_ONCE in by_role:
            embeds = sd3_calls.with_t5(embeds, prompt, by_role[READS_AT_ONCE], NUM_T5_TOKENS)
        return Conditioning(self.name, prompt, embeds, pooled)

    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        from nodes.backend.families import sd3_calls

        return sd3_calls.predict(net, asked, NUM_T5_TOKENS)

    def residuals(self, net: Any, followers: Sequence[Follower], asked: Asked) -> Any:
        from nodes.backend.families import sd3_calls

        return sd3_calls.residuals(net, followers, asked, NUM_T5_TOKENS)

    def blocks(self, net: Any) -> Sequence[Any]:
        return net.transformer_blocks


FAMILY = StableDiffusion3()

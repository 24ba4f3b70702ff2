"""What the families of Stable Diffusion share: a U-Net that is told of CLIP's states by cross-attention.

Rombach et al. 2022 (arXiv:2112.10752).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from nodes.backend.families.family import Asked, Family, Follower, Found, Reader, Role, Tokenizer
from nodes.backend.networks import clip, unet, vae
from nodes.backend.networks.architecture import Settings
from nodes.backend.scheduler_settings import read_diffusion
from nodes.types import Conditioning, Diffusion, Model, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
UNET = Role(
    "U-Net",
    unet.UNET,
    "unet",
    prefixes=("model.diffusion_model.",),
    adapter_names=("unet.", "diffusion_model.", ""),
    flat_adapter_names=("lora_unet_",),
)
VAE = Role("VAE", vae.VAE, "vae", prefixes=("first_stage_model.",))  # see `autoencoder`
CONTROLNET = Role("ControlNet", unet.CONTROLNET, "controlnet", prefixes=("control_model.",), alone=True)
TEXT_ENCODER = Role(
    "Text encoder",
    clip.CLIP,
    "text_encoder",
    prefixes=("cond_stage_model.transformer.",),
    tokenizer=Tokenizer("clip", "tokenizer"),
    adapter_names=("text_encoder.", ""),
    flat_adapter_names=("lora_te_",),
)

VAE_SETTINGS: Settings = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
}
LATENT_SIZE = 64
"""Side of the latents that Stable Diffusion 1.x was trained with, where the settings do not say."""


class StableDiffusion(Family):
    denoiser = "unet"
    trained: ClassVar = {
        "attention": ATTENTION,
        "all": (*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2", "conv_shortcut"),
    }

    def process(self, found: Found, settings: Path | None) -> Diffusion:
        return read_diffusion(settings) if settings else Diffusion()

    def nearly(self, found: Found) -> str | None:
        width = 0 if found.kinds or not is_unet(found) else cross_attention_width(found)
        if not width:
            return None
        return (
            f"a U-Net that reads prompts {width} wide, without its settings: nothing in the file says how it is built. "
            "Put its config.json beside it, or choose the folder of its checkpoint"
        )

    def recognises_controlnet(self, found: Found) -> bool:
        if found.kinds:
            return found.kind("") == "ControlNetModel" and self.takes_hints_of(found.kinds[""]["addition_embed_type"])
        if not (found.has_within("zero_convs.0.") or found.has("controlnet_down_blocks.")):
            return False
        sized = any(re.match(r"(control_model\.)?(add_embedding|label_emb)\.", name) for name in found.shapes)
        return self.takes_hints_of("text_time" if sized else None)

    def takes_hints_of(self, addition_embed_type: str | None) -> bool:
        """Whether its ControlNets are told what the setting of this name says."""
        return "controlnet" in self.roles and addition_embed_type is None

    def complaint(self, denoiser: Settings) -> str | None:
        channels = self.space.channels
        if denoiser["in_channels"] in (channels, _shown_channels(channels)):
            return None
        return (
            f"it takes {denoiser['in_channels']} channels; this program can run those of {channels}, and of "
            f"{_shown_channels(channels)}, which complete pictures"
        )

    def takes(self, denoiser: Settings) -> frozenset[str]:
        completes = {"masked"} if denoiser["in_channels"] != self.space.channels else set[str]()
        return frozenset(completes | ({"distilled_guidance"} if self.is_told_guidance(denoiser) else set[str]()))

    def native_size(self, denoiser: Settings) -> int:
        return (denoiser["sample_size"] or LATENT_SIZE) * self.space.factor

    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        return sum(settings["hidden_size"] for settings in encoders.values())

    def read_width(self, denoiser: Settings) -> int:
        return denoiser["cross_attention_dim"]

    def is_told_guidance(self, denoiser: Settings) -> bool:
        return denoiser["time_cond_proj_dim"] is not None

    def controlnet_complaint(self, denoiser: Settings, controlnet: Settings) -> str | None:
        if controlnet["in_channels"] != self.space.channels:
            return f"latent channels: {controlnet['in_channels']}, not {self.space.channels}"
        for name, what in (
            ("cross_attention_dim", "prompts of width"),
            ("block_out_channels", "blocks of"),
            ("layers_per_block", "layers in a block:"),
        ):
            if denoiser[name] != controlnet[name]:
                return f"{what} {_told(controlnet[name])}, not {_told(denoiser[name])}"
        return None

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        from nodes.backend.prompt import read

        (reader,) = readers
        states = read(prompt, *reader, layers_back=text.skip_layers, normed=True)
        return Conditioning(self.name, prompt, states.embeds)

    def together(self, prompts: Sequence[Conditioning]) -> bool:
        return True  # see unet_calls.embeds

    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        from nodes.backend.families import unet_calls

        return unet_calls.predict(net, asked, self.added(net, asked))

    def residuals(self, net: Any, followers: Sequence[Follower], asked: Asked) -> Any:
        from nodes.backend.families import unet_calls

        return unet_calls.residuals([(f.controlnet, f.hint) for f in followers], asked, self.added)

    def added(self, net: Any, asked: Asked) -> dict[str, Tensor] | None:
        """What the network is told besides the noise level and the prompt; None when nothing."""
        return None

    def blocks(self, net: Any) -> Sequence[Any]:
        middle = [net.mid_block] if net.mid_block is not None else []  # distilled networks have none
        return [*net.down_blocks, *middle, *net.up_blocks]


def _shown_channels(channels: int) -> int:
    """Of a U-Net that is shown a mask and the rest of the picture beside the latent."""
    return channels + 1 + channels


def _told(value: Any) -> str:
    return ", ".join(map(str, cast("list[int]", value))) if isinstance(value, list) else str(value)


def cross_attention_width(found: Found) -> int:
    """How wide the prompts are that the U-Net of a file reads; 0 when it has no attention."""
    keys = (shape for name, shape in found.shapes.items() if name.endswith("attn2.to_k.weight") and len(shape) == 2)
    return next(keys, (0, 0))[1]


def alone(found: Found) -> Settings | None:
    """What the settings of a U-Net say that has a folder of its own; None when it is another kind of place."""
    return found.kinds[""] if found.kind("") == "UNet2DConditionModel" else None


def is_unet(found: Found) -> bool:
    """Whether there is a U-Net that reads prompts, in a folder or under either naming in a file."""
    if found.kinds:
        return "UNet2DConditionModel" in (found.kind("unet"), found.kind(""))
    return _first(found) is not None and cross_attention_width(found) > 0


def input_channels(found: Found) -> int:
    """How many channels the U-Net of a file takes; 0 when there is none."""
    shape = _first(found) or ()
    return shape[1] if len(shape) == 4 else 0


def _first(found: Found) -> tuple[int, ...] | None:
    """The shape of a file's first convolution."""
    names = ("input_blocks.0.0.weight", "conv_in.weight")
    first = (prefix + name for prefix in ("", *UNET.prefixes) for name in names)
    return next((found.shapes[name] for name in first if name in found.shapes), None)


def takes_size(found: Found) -> bool:
    """Whether the U-Net is told the size of the picture, as those of SDXL are."""
    if found.kinds:
        told = (kind.get("addition_embed_type") for kind in (found.kinds.get("unet"), found.kinds.get("")) if kind)
        return any(told)
    return any("label_emb.0.0." in name or name.startswith("add_embedding.") for name in found.shapes)

"""Qwen-Image, 2512 too, and its editors, Edit 2509 and 2511. A transformer over tokens of 2 x 2 latent pixels.

Qwen2.5-VL, a language model that sees pictures, tells of the prompt and of the pictures that it speaks of; the editors'
transformers see these as latents too. Wu et al. 2025 (arXiv:2508.02324).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.backend.families import qwen_sizes
from nodes.backend.families.family import Asked, Completes, Defaults, Family, Follower, Found, Reader, Role, Tokenizer
from nodes.backend.families.sd import ATTENTION
from nodes.backend.families.sd3 import ATTENTION_TO_TEXT
from nodes.backend.families.transformer import transformer
from nodes.backend.networks import mmdit, qwen25_vl, qwen_vae, qwenimage
from nodes.backend.networks.architecture import Settings
from nodes.backend.networks.qwenimage import LATENT_CHANNELS, PATCH, TOKEN_CHANNELS
from nodes.backend.scheduler_settings import read_flow
from nodes.types import Conditioning, Flow, Model, SizeShift, Space, TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

FACTOR = 8
SPACE = Space("qwenimage", LATENT_CHANNELS, FACTOR, multiple=FACTOR * PATCH, flow=True)

CHAT = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
EDIT_CHAT = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. Generate a new image "
    "that meets the user's requirements while maintaining consistency with the original input where appropriate."
    "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
NUMBERED = "Picture {}: {}"
"""A picture in front of a prompt, with its number and what stands for it."""

DROPPED, EDIT_DROPPED = 34, 64
"""Tokens of what the chats begin with, whose states are left out: the pipelines count on them."""

TEXT_TOKENS = 1024
"""The most that a prompt may have, with what comes after it in the chat."""

SEEN_AREA, REFERENCE_AREA = 384 * 384, 1024 * 1024
"""Pixels of a picture as the text encoder and as the transformer see it: diffusers' pipeline_qwenimage_edit_plus."""

MASK_CHANNELS = PATCH**2
"""Of a token, on top of the picture's, in ControlNets that complete pictures."""

SHIFT = SizeShift(0.5, 0.9, 256, 8192, PATCH)
TERMINAL = 0.02
"""Of the published models; others have theirs in their scheduler's settings."""

TRANSFORMER = transformer(qwenimage.TRANSFORMER)
TEXT_ENCODER = Role(
    "Qwen2.5-VL text encoder",
    qwen25_vl.ARCHITECTURE,
    "text_encoder",
    prefixes=("text_encoders.qwen25_7b.transformer.",),
    tokenizer=Tokenizer("qwen2.5", "tokenizer"),
    precision="bfloat16",
)
VAE = Role("VAE", qwen_vae.ARCHITECTURE, "vae", prefixes=("vae.", "first_stage_model."))
CONTROLNET = Role("ControlNet", qwenimage.CONTROLNET, "controlnet", alone=True, precision="bfloat16")

NAMES = (
    "txt_norm.weight",
    "img_in.weight",
    "transformer_blocks.0.img_mod.1.weight",
    "transformer_blocks.0.txt_mod.1.weight",
)
CONTROLNET_NAMES = ("controlnet_x_embedder.weight", "controlnet_blocks.0.weight")
CLASS, CONTROLNET_CLASS = "QwenImageTransformer2DModel", "QwenImageControlNetModel"

_SETTINGS: dict[str, Settings] = {"text_encoder": qwen25_vl.PUBLISHED_7B}


class QwenImage(Family):
    name = "qwenimage"
    title = "Qwen-Image"
    roles: ClassVar = {"transformer": TRANSFORMER, "text_encoder": TEXT_ENCODER, "vae": VAE, "controlnet": CONTROLNET}
    denoiser = "transformer"
    trained: ClassVar = {
        "attention": (*ATTENTION, *ATTENTION_TO_TEXT),
        "all": (
            *(*ATTENTION, *ATTENTION_TO_TEXT),
            *(f"{stream}_mlp.net.{layer}" for stream in ("img", "txt") for layer in ("0.proj", "2")),
            *("img_mod.1", "txt_mod.1"),
        ),
    }
    encoders = ("text_encoder",)
    reads = ("qwenimage",)
    space = SPACE
    defaults = Defaults(1328, 50, 4.0, "euler", "normal")
    meaningless: ClassVar = {
        **Family.meaningless,
        ("text.clip_skip", ""): "Qwen-Image reads the last layer of its text encoder; leave it out",
    }
    most_pictures = 3
    controlled_by_positive = True

    def recognises(self, found: Found) -> bool:
        if found.kinds:
            return CLASS in (found.kind("transformer"), found.kind(""))
        return not self.recognises_controlnet(found) and any(
            all(prefix + name in found.shapes for name in NAMES) for prefix in TRANSFORMER.prefixes
        )

    def recognises_controlnet(self, found: Found) -> bool:
        if found.kinds:
            return found.kind("") == CONTROLNET_CLASS
        return all(name in found.shapes for name in (*NAMES, *CONTROLNET_NAMES))

    def process(self, found: Found, settings: Path | None) -> Flow:
        if settings is None:
            return Flow(by_size=SHIFT, terminal=TERMINAL)
        return read_flow(settings, PATCH, to_least=False)

    def default_settings(self, role: str) -> Settings:
        return _SETTINGS.get(role, {})

    def complaint(self, denoiser: Settings) -> str | None:
        channels, made = denoiser["in_channels"], denoiser["out_channels"] * PATCH**2
        if (channels, made) == (TOKEN_CHANNELS, TOKEN_CHANNELS):
            return None
        ours = f"this program can run those of {TOKEN_CHANNELS}"
        return f"it takes {channels} channels for each token and makes {made}; {ours}"

    def takes(self, denoiser: Settings) -> frozenset[str]:
        return frozenset({"references"})

    def task(self, denoiser: Settings) -> str:
        return "edit" if denoiser["zero_cond_t"] else "text"

    def prompt_width(self, encoders: Mapping[str, Settings]) -> int:
        return encoders["text_encoder"]["text_config.hidden_size"]

    def read_width(self, denoiser: Settings) -> int:
        return denoiser["joint_attention_dim"]

    def reference_size(self, width: int, height: int) -> tuple[int, int]:
        return qwen_sizes.of_area(REFERENCE_AREA, width, height)

    def reads_latents(self, controlnet: Settings) -> bool:
        return True

    def completes(self, controlnet: Settings) -> Completes:
        return "always" if controlnet["extra_condition_channels"] == MASK_CHANNELS else "never"

    def text_complaint(self, text: TextEncoder) -> str | None:
        if text.skip_layers:
            return f"{self.title} reads the last layer of its text encoder; take Clip skip out, or set it to 0"
        return None

    def controlnet_complaint(self, denoiser: Settings, controlnet: Settings) -> str | None:
        for told, theirs, ours in (
            ("tokens of width", mmdit.width(controlnet), mmdit.width(denoiser)),
            ("prompts of width", controlnet["joint_attention_dim"], denoiser["joint_attention_dim"]),
            ("channels in a token:", controlnet["in_channels"], denoiser["in_channels"]),
        ):
            if theirs != ours:
                return f"{told} {theirs}, not {ours}"
        if controlnet["extra_condition_channels"] not in (0, MASK_CHANNELS):
            return f"it reads {controlnet['extra_condition_channels']} more channels, which is no mask"
        if controlnet["num_layers"] > denoiser["num_layers"]:
            return f"num_layers {controlnet['num_layers']}, above {denoiser['num_layers']}"
        return None

    def encode(self, readers: Sequence[Reader], text: TextEncoder, prompt: str) -> Conditioning:
        from nodes.backend import qwen_prompt

        (qwen,) = readers
        embeds = qwen_prompt.encode(
            prompt, CHAT, qwen.tokenizer, qwen.encoder, length=DROPPED + TEXT_TOKENS, layers_back=0
        )
        return Conditioning(self.name, prompt, embeds[:, DROPPED:].contiguous())

    def encode_with_pictures(
        self, readers: Sequence[Reader], text: TextEncoder, prompt: str, pictures: Sequence[Tensor]
    ) -> Conditioning:
        from nodes.backend import qwen_pictures

        (qwen,) = readers
        sizes = (qwen_sizes.of_area(SEEN_AREA, picture.shape[-1], picture.shape[-2]) for picture in pictures)
        shown = [
            qwen_pictures.seen(qwen_pictures.resized(picture, *size), qwen_pictures.QWEN25)
            for picture, size in zip(pictures, sizes, strict=True)
        ]
        lead = "".join(NUMBERED.format(number, qwen_pictures.FRAME) for number in range(1, len(pictures) + 1))
        chat = EDIT_CHAT.replace("{}", lead + "{}")
        embeds = qwen_pictures.encode(
            prompt, chat, shown, qwen.tokenizer, qwen.encoder, length=EDIT_DROPPED + TEXT_TOKENS
        )
        return Conditioning(self.name, prompt, embeds[:, EDIT_DROPPED:].contiguous())

    def shown_to_vae(self, picture: Tensor) -> Tensor:
        from nodes.backend import qwen_pictures

        return qwen_pictures.resized(picture, *self.reference_size(picture.shape[-1], picture.shape[-2]))

    def combined(self, x: Tensor, cond: Tensor, uncond: Tensor, guidance_scale: float) -> Tensor:
        from nodes.backend.families import qwenimage_calls

        return qwenimage_calls.guided(x, cond, uncond, guidance_scale)

    def together(self, prompts: Sequence[Conditioning]) -> bool:
        sizes = {tuple(reference.shape for reference in prompt.references) for prompt in prompts}
        return super().together(prompts) and len(sizes) == 1

    def predict(self, net: Any, model: Model, asked: Asked) -> Tensor:
        from nodes.backend.families import qwenimage_calls

        return qwenimage_calls.predict(net, asked)

    def residuals(self, net: Any, followers: Sequence[Follower], asked: Asked) -> Any:
        from nodes.backend.families import qwenimage_calls

        return qwenimage_calls.residuals(net, followers, asked)

    def blocks(self, net: Any) -> Sequence[Any]:
        return net.transformer_blocks


FAMILY = QwenImage()

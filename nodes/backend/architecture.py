"""Which tensors a network has, told from its settings alone: what a file is held against before anything is loaded.

The networks are those of Stable Diffusion 1.x and 2.x (Rombach et al. 2022, arXiv:2112.10752), ControlNet (Zhang et
al. 2023, arXiv:2302.05543) and CLIP's text encoder (Radford et al. 2021, arXiv:2103.00020), with the names that
diffusers and transformers give to their tensors. Planning has no torch to ask. settings: those of `part_settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from nodes.backend.part_settings import Settings, per_block
from nodes.types import Part

Shape = tuple[int, ...]


class _Tensors(dict[str, Shape]):
    """Shapes by name, filled layer by layer."""

    def linear(self, name: str, inputs: int, outputs: int, *, bias: bool = True) -> None:
        self[f"{name}.weight"] = (outputs, inputs)
        if bias:
            self[f"{name}.bias"] = (outputs,)

    def conv(self, name: str, inputs: int, outputs: int, kernel: int = 3) -> None:
        self[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        self[f"{name}.bias"] = (outputs,)

    def norm(self, name: str, channels: int) -> None:
        self[f"{name}.weight"] = self[f"{name}.bias"] = (channels,)

    def resnet(self, name: str, inputs: int, outputs: int, time_width: int = 0) -> None:
        self.norm(f"{name}.norm1", inputs)
        self.conv(f"{name}.conv1", inputs, outputs)
        if time_width:
            self.linear(f"{name}.time_emb_proj", time_width, outputs)
        self.norm(f"{name}.norm2", outputs)
        self.conv(f"{name}.conv2", outputs, outputs)
        if inputs != outputs:
            self.conv(f"{name}.conv_shortcut", inputs, outputs, 1)

    def transformer(self, name: str, channels: int, context: int, depth: int, *, linear: bool) -> None:
        self.norm(f"{name}.norm", channels)
        for projection in ("proj_in", "proj_out"):
            if linear:
                self.linear(f"{name}.{projection}", channels, channels)
            else:
                self.conv(f"{name}.{projection}", channels, channels, 1)
        for index in range(depth):
            block = f"{name}.transformer_blocks.{index}"
            for layer in ("norm1", "norm2", "norm3"):
                self.norm(f"{block}.{layer}", channels)
            for attention, source in (("attn1", channels), ("attn2", context)):
                self.linear(f"{block}.{attention}.to_q", channels, channels, bias=False)
                self.linear(f"{block}.{attention}.to_k", source, channels, bias=False)
                self.linear(f"{block}.{attention}.to_v", source, channels, bias=False)
                self.linear(f"{block}.{attention}.to_out.0", channels, channels)
            self.linear(f"{block}.ff.net.0.proj", channels, 8 * channels)  # GEGLU: values and gates, 4 times as wide
            self.linear(f"{block}.ff.net.2", 4 * channels, channels)


class _Unet:
    """What the halves of a U-Net share. down, up: whether each block reads the prompt."""

    def __init__(self, settings: Settings) -> None:
        self.widths: Sequence[int] = settings["block_out_channels"]
        self.num_blocks = len(self.widths)
        self.context: int = settings["cross_attention_dim"]
        self.layers: int = settings["layers_per_block"]
        self.depths = per_block(settings, "transformer_layers_per_block")
        self.linear: bool = settings["use_linear_projection"]
        self.time_width = 4 * self.widths[0]
        self.condition: int | None = settings.get("time_cond_proj_dim")
        self.channels: int = settings["in_channels"]
        self.mid: str | None = settings["mid_block_type"]
        self.down = [kind == "CrossAttnDownBlock2D" for kind in settings["down_block_types"]]
        self.up = [kind == "CrossAttnUpBlock2D" for kind in settings.get("up_block_types", ())]

    def begin(self, tensors: _Tensors) -> None:
        """From the input to the middle, which ControlNets have too."""
        tensors.conv("conv_in", self.channels, self.widths[0])
        tensors.linear("time_embedding.linear_1", self.widths[0], self.time_width)
        tensors.linear("time_embedding.linear_2", self.time_width, self.time_width)
        if self.condition:
            tensors.linear("time_embedding.cond_proj", self.condition, self.widths[0], bias=False)
        before = self.widths[0]
        for index, width in enumerate(self.widths):
            for layer in range(self.layers):
                block = f"down_blocks.{index}"
                tensors.resnet(f"{block}.resnets.{layer}", before if layer == 0 else width, width, self.time_width)
                if self.down[index]:
                    self.attention(tensors, f"{block}.attentions.{layer}", index)
            if index < self.num_blocks - 1:
                tensors.conv(f"down_blocks.{index}.downsamplers.0.conv", width, width)
            before = width
        self._middle(tensors)

    def attention(self, tensors: _Tensors, name: str, index: int) -> None:
        tensors.transformer(name, self.widths[index], self.context, self.depths[index], linear=self.linear)

    def _middle(self, tensors: _Tensors) -> None:
        if self.mid is None:  # distilled networks have none
            return
        width = self.widths[-1]
        tensors.resnet("mid_block.resnets.0", width, width, self.time_width)
        if self.mid == "UNetMidBlock2DCrossAttn":
            self.attention(tensors, "mid_block.attentions.0", self.num_blocks - 1)
            tensors.resnet("mid_block.resnets.1", width, width, self.time_width)


def unet(settings: Settings) -> dict[str, Shape]:
    """A UNet2DConditionModel."""
    plan, tensors = _Unet(settings), _Tensors()
    plan.begin(tensors)
    before = plan.widths[-1]
    last = plan.num_blocks - 1
    for index in range(plan.num_blocks):
        mirrored = last - index
        width, beside = plan.widths[mirrored], plan.widths[max(mirrored - 1, 0)]
        layers = plan.layers + 1
        for layer in range(layers):
            skip = beside if layer == layers - 1 else width  # what comes over from the first half
            block, inputs = f"up_blocks.{index}", (before if layer == 0 else width) + skip
            tensors.resnet(f"{block}.resnets.{layer}", inputs, width, plan.time_width)
            if plan.up[index]:
                plan.attention(tensors, f"{block}.attentions.{layer}", mirrored)
        if index < last:
            tensors.conv(f"up_blocks.{index}.upsamplers.0.conv", width, width)
        before = width
    tensors.norm("conv_norm_out", plan.widths[0])
    tensors.conv("conv_out", plan.widths[0], settings["out_channels"])
    return tensors


def controlnet(settings: Settings) -> dict[str, Shape]:
    """A ControlNetModel."""
    plan, tensors = _Unet(settings), _Tensors()
    plan.begin(tensors)
    hint: Sequence[int] = settings["conditioning_embedding_out_channels"]
    stem = "controlnet_cond_embedding"
    tensors.conv(f"{stem}.conv_in", settings["conditioning_channels"], hint[0])
    for index, (inputs, outputs) in enumerate(pairwise(hint)):
        tensors.conv(f"{stem}.blocks.{2 * index}", inputs, inputs)
        tensors.conv(f"{stem}.blocks.{2 * index + 1}", inputs, outputs)
    tensors.conv(f"{stem}.conv_out", hint[-1], plan.widths[0])
    exits = [plan.widths[0]]
    for index, width in enumerate(plan.widths):
        exits += [width] * (plan.layers + (index < plan.num_blocks - 1))
    for index, width in enumerate(exits):
        tensors.conv(f"controlnet_down_blocks.{index}", width, width, 1)
    tensors.conv("controlnet_mid_block", plan.widths[-1], plan.widths[-1], 1)
    return tensors


def vae(settings: Settings) -> dict[str, Shape]:
    """An AutoencoderKL."""
    tensors = _Tensors()
    widths: Sequence[int] = settings["block_out_channels"]
    layers, latent = settings["layers_per_block"], settings["latent_channels"]
    tensors.conv("encoder.conv_in", settings["in_channels"], widths[0])
    _vae_blocks(tensors, "encoder.down_blocks", "downsamplers", widths, layers)
    tensors.conv("decoder.conv_in", latent, widths[-1])
    _vae_blocks(tensors, "decoder.up_blocks", "upsamplers", widths[::-1], layers + 1)
    for half, width, channels in (
        ("encoder", widths[-1], 2 * latent),  # mean and variance
        ("decoder", widths[0], settings["out_channels"]),
    ):
        _vae_middle(tensors, f"{half}.mid_block", widths[-1], attends=settings["mid_block_add_attention"])
        tensors.norm(f"{half}.conv_norm_out", width)
        tensors.conv(f"{half}.conv_out", width, channels)
    if settings["use_quant_conv"]:
        tensors.conv("quant_conv", 2 * latent, 2 * latent, 1)
    if settings["use_post_quant_conv"]:
        tensors.conv("post_quant_conv", latent, latent, 1)
    return tensors


def _vae_blocks(tensors: _Tensors, stem: str, sampler: str, widths: Sequence[int], layers: int) -> None:
    before = widths[0]
    for index, width in enumerate(widths):
        for layer in range(layers):
            tensors.resnet(f"{stem}.{index}.resnets.{layer}", before if layer == 0 else width, width)
        if index < len(widths) - 1:
            tensors.conv(f"{stem}.{index}.{sampler}.0.conv", width, width)
        before = width


def _vae_middle(tensors: _Tensors, name: str, width: int, *, attends: bool) -> None:
    tensors.resnet(f"{name}.resnets.0", width, width)
    tensors.resnet(f"{name}.resnets.1", width, width)
    if not attends:
        return
    tensors.norm(f"{name}.attentions.0.group_norm", width)
    for layer in ("to_q", "to_k", "to_v", "to_out.0"):
        tensors.linear(f"{name}.attentions.0.{layer}", width, width)


def text_encoder(settings: Settings) -> dict[str, Shape]:
    """A CLIPTextModel."""
    tensors = _Tensors()
    width, inner = settings["hidden_size"], settings["intermediate_size"]
    tensors["embeddings.token_embedding.weight"] = (settings["vocab_size"], width)
    tensors["embeddings.position_embedding.weight"] = (settings["max_position_embeddings"], width)
    for index in range(settings["num_hidden_layers"]):
        layer = f"encoder.layers.{index}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            tensors.linear(f"{layer}.self_attn.{name}", width, width)
        tensors.norm(f"{layer}.layer_norm1", width)
        tensors.norm(f"{layer}.layer_norm2", width)
        tensors.linear(f"{layer}.mlp.fc1", width, inner)
        tensors.linear(f"{layer}.mlp.fc2", inner, width)
    tensors.norm("final_layer_norm", width)
    return tensors


OF: dict[Part, Callable[[Settings], dict[str, Shape]]] = {
    "unet": unet,
    "vae": vae,
    "text_encoder": text_encoder,
    "controlnet": controlnet,
}
"""By the part of a checkpoint."""

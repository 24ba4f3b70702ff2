"""The transformers of Qwen-Image as one launch can call them: where tokens are, they are told, and ask nobody.

diffusers' own work it out in every call, by numbers that they read back from the device, or put there from main memory:
a graph can record neither. Layers and arithmetic are theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from diffusers.models.transformers import transformer_qwenimage, transformer_qwenimage21
from torch import Tensor

_image: Any = transformer_qwenimage.QwenImageTransformer2DModel
_image21: Any = transformer_qwenimage21.QwenImage21Transformer2DModel


class QwenImageTransformer2DModel(_image):
    """Of Qwen-Image and its editors."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        img_shapes: Sequence[Sequence[tuple[int, int, int]]],
        modulate_index: Tensor | None = None,
        controlnet_block_samples: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """[batch, tokens, channels], of pictures that are tokens as well.

        modulate_index: [1, tokens], 1 for those that are free of noise, for an editor that takes references so.
        """
        pictures, told = self.img_in(hidden_states), timestep.to(hidden_states.dtype)
        text = self.txt_in(self.txt_norm(encoder_hidden_states))
        times = told if modulate_index is None else torch.cat([told, torch.zeros_like(told)])
        embedded = self.time_text_embed(times, pictures)
        places = self.pos_embed(img_shapes, max_txt_seq_len=text.shape[1], device=pictures.device)
        added = controlnet_block_samples or ()
        for number, block in enumerate(self.transformer_blocks):
            text, pictures = _called(self, block, pictures, text, None, embedded, places, None, modulate_index)
            if added:
                pictures = pictures + added[number // math.ceil(len(self.transformer_blocks) / len(added))]
        return self.proj_out(self.norm_out(pictures, embedded[: len(told)]))


class QwenImage21Transformer2DModel(_image21):
    """Of Qwen-Image 2.1."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        order: Tensor,
        rotary_emb: Tensor,
        target_token_mask: Tensor,
        segments: Sequence[tuple[int, int, bool]],
    ) -> Tensor:
        """[batch, tokens, channels], of all tokens in the order in which they stand; the picture being made is last.

        order: [tokens], of each its number among the text's and, behind those, the pictures'. rotary_emb: [tokens,
        head / 2], complex. target_token_mask: [tokens], those of the picture being made. segments: what stands before
        it, (first, last + 1, whether it is text).
        """
        pictures = self.img_in(hidden_states)
        tokens = torch.cat([self.txt_in(encoder_hidden_states), pictures], dim=1).index_select(1, order)
        told, made = timestep.to(pictures.dtype), None
        if self.config.causal_condition:  # all but the picture being made is free of noise
            told, made = torch.cat([told, told.new_zeros(1)]), target_token_mask
        embedded = self.time_text_embed(told, pictures)
        modulation = self.modulation(embedded)
        for block in self.transformer_blocks:
            tokens = _called(self, block, tokens, modulation, rotary_emb, None, made, None, None, None, segments)
        return self.proj_out(self.norm_out(tokens, embedded, made))


def _called(net: Any, block: Any, *given: Any) -> Any:
    """A block; where a training has no room for what is in it, one that is run again on the way back."""
    if net.gradient_checkpointing and torch.is_grad_enabled():
        return net._gradient_checkpointing_func(block, *given)
    return block(*given)

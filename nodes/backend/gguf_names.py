"""What llama.cpp calls the tensors of language models, in the names that those were published with.

Denoisers keep their own names in GGUF. Of the language models that read prompts, the families whose weights llama.cpp
leaves in their order are known. Others are refused: it turns the heads of some round (Llama, Mistral), and cuts off the
part that sees pictures, into a file of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")

QWEN = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "blk.{}.attn_norm": "model.layers.{}.input_layernorm",
    "blk.{}.attn_q": "model.layers.{}.self_attn.q_proj",
    "blk.{}.attn_k": "model.layers.{}.self_attn.k_proj",
    "blk.{}.attn_v": "model.layers.{}.self_attn.v_proj",
    "blk.{}.attn_output": "model.layers.{}.self_attn.o_proj",
    "blk.{}.attn_q_norm": "model.layers.{}.self_attn.q_norm",
    "blk.{}.attn_k_norm": "model.layers.{}.self_attn.k_norm",
    "blk.{}.ffn_norm": "model.layers.{}.post_attention_layernorm",
    "blk.{}.ffn_gate": "model.layers.{}.mlp.gate_proj",
    "blk.{}.ffn_up": "model.layers.{}.mlp.up_proj",
    "blk.{}.ffn_down": "model.layers.{}.mlp.down_proj",
}
T5 = {
    "token_embd": "shared",
    "enc.output_norm": "encoder.final_layer_norm",
    "output": "lm_head",
    "enc.blk.{}.attn_norm": "encoder.block.{}.layer.0.layer_norm",
    "enc.blk.{}.attn_q": "encoder.block.{}.layer.0.SelfAttention.q",
    "enc.blk.{}.attn_k": "encoder.block.{}.layer.0.SelfAttention.k",
    "enc.blk.{}.attn_v": "encoder.block.{}.layer.0.SelfAttention.v",
    "enc.blk.{}.attn_o": "encoder.block.{}.layer.0.SelfAttention.o",
    "enc.blk.{}.attn_rel_b": "encoder.block.{}.layer.0.SelfAttention.relative_attention_bias",
    "enc.blk.{}.ffn_norm": "encoder.block.{}.layer.1.layer_norm",
    "enc.blk.{}.ffn_gate": "encoder.block.{}.layer.1.DenseReluDense.wi_0",
    "enc.blk.{}.ffn_up": "encoder.block.{}.layer.1.DenseReluDense.wi_1",
    "enc.blk.{}.ffn_down": "encoder.block.{}.layer.1.DenseReluDense.wo",
}
TABLES = {"qwen2": QWEN, "qwen2vl": QWEN, "qwen3": QWEN, "qwen3vl": QWEN, "t5": T5, "t5encoder": T5}
"""By the architecture that a file says it is of."""

TURNED = (
    "a language model whose heads llama.cpp has turned round (Llama, Mistral); take the text encoder's .safetensors "
    "file instead, which for Flux.2 dev has its tokenizer in it: mistral_3_small_flux2_fp8.safetensors"
)
EYES = (
    "the part of a language model that sees pictures, cut off by llama.cpp (mmproj); take the text encoder as one "
    ".safetensors file instead, which has both parts: qwen_2.5_vl_7b_fp8_scaled.safetensors"
)
REFUSED = {"llama": TURNED, "mistral3": TURNED, "clip": EYES}
"""By architecture, what cannot be read under llama.cpp's names, and what can be taken in its place."""

OWN_NAME = re.compile(r"(v\.)?blk\.0\..+")

NAME = re.compile(r"(?P<layer>.+)\.(?P<kind>weight|bias)")
NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def published(found: Mapping[str, V], architecture: str) -> dict[str, V]:
    """Tensors by their published names; names that are not llama.cpp's stay.

    Raises ValueError where those are, of a model that cannot be read under them.
    """
    if architecture in REFUSED and any(map(OWN_NAME.fullmatch, found)):
        raise ValueError(f"it is {REFUSED[architecture]}")
    table = TABLES.get(architecture, {})
    return {_published(name, table): value for name, value in found.items()}


def _published(name: str, table: Mapping[str, str]) -> str:
    match = NAME.fullmatch(name)
    if match is None:
        return name
    number = NUMBER.search(match["layer"])
    layer = NUMBER.sub("{}", match["layer"], count=1)
    own = table.get(layer)
    return name if own is None else f"{own.format(number[0] if number else '')}.{match['kind']}"

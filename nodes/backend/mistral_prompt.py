"""Prompts read by Mistral's language model: what a person wrote, put into a chat, with what fills it up before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from nodes.backend import qwen_prompt, states
from nodes.backend.mistral_words import Words

PAD = "<pad>"
PICTURE = "[IMG]"
"""Stands for a picture in a chat; in a prompt it is left out, as in the stock pipelines."""


def tokenizer(words: Words) -> Tokenizer:
    """What cuts a text into tokens: byte-level BPE, Radford et al. 2019 (GPT-2). How it cuts is told with the words."""
    built: Any = Tokenizer(models.BPE(vocab=dict(words.numbers), merges=list(words.merges), ignore_merges=words.whole))
    if words.composed:
        built.normalizer = normalizers.NFC()
    built.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words.pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    built.add_tokens([AddedToken(**entry) for _, entry in sorted(words.added.items())])
    return built


def encode_filled(
    prompt: str, chat: str, tokenizer: Tokenizer, encoder: Any, *, length: int, layers: Sequence[int]
) -> Tensor:
    """[1, length, layers * width], float32 on the CPU: states of what fills the chat up, and of it, of several layers.

    Raises ValueError as `qwen_prompt.read` does. layers: counted from 1, rising.
    """
    pad = tokenizer.token_to_id(PAD)
    if pad is None:
        raise ValueError(f"the tokenizer has no {PAD}, which fills prompts up")
    read = qwen_prompt.read(prompt.replace(PICTURE, ""), chat, tokenizer, length)
    numbers, is_text = states.filled(read, length, pad, left=True)
    tokens, mask = (torch.tensor([told], device=encoder.device) for told in (numbers, is_text))
    return states.beside(encoder, layers, input_ids=tokens, attention_mask=mask)

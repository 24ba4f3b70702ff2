"""Prompts read by a language model of the Qwen kind: what a person wrote, put into a chat, as it stands.

Emphasis marks mean nothing to it: its readers write sentences, in which brackets are brackets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from nodegraph.text import shortened, whole
from nodes.backend import states
from nodes.backend.vocabulary import Vocabulary

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How a text is cut before bytes are merged: words with what leads them, digits one by one, lines."""

PAD = "<|endoftext|>"
"""What fills a text up, for those who read a fixed number of tokens."""

WEIGHT = re.compile(r"\([^()]*:\s*[+-]?(\d+\.?\d*|\.\d+)\s*\)")


def tokenizer(words: Vocabulary) -> Tokenizer:
    """What cuts a text into tokens: byte-level BPE, Radford et al. 2019 (GPT-2). How it cuts is Qwen's own."""
    built: Any = Tokenizer(models.BPE(vocab=dict(words.numbers), merges=list(words.merges)))
    built.normalizer = normalizers.NFC()
    built.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    built.add_tokens([AddedToken(**entry) for _, entry in sorted(words.added.items())])
    return built


@torch.inference_mode()
def encode(prompt: str, chat: str, tokenizer: Tokenizer, encoder: Any, *, length: int, layers_back: int) -> Tensor:
    """[1, tokens, width], float32 on the CPU: the states of the whole chat. Raises ValueError as `read` does.

    layers_back: how many layers come after the states.
    """
    tokens = torch.tensor([read(prompt, chat, tokenizer, length)], device=encoder.device)
    made = encoder(tokens, output_hidden_states=True, use_cache=False).hidden_states[-1 - layers_back]
    return made.to("cpu", torch.float32).contiguous()


def encode_filled(
    prompt: str, chat: str, tokenizer: Tokenizer, encoder: Any, *, length: int, layers: Sequence[int]
) -> Tensor:
    """[1, length, layers * width], float32 on the CPU: states of the chat, and of what fills it up, of several layers.

    Raises ValueError as `read` does. layers: counted from 1, rising.
    """
    pad = tokenizer.token_to_id(PAD)
    if pad is None:
        raise ValueError(f"the tokenizer has no {PAD}, which fills prompts up")
    numbers, is_text = states.filled(read(prompt, chat, tokenizer, length), length, pad)
    tokens, mask = (torch.tensor([told], device=encoder.device) for told in (numbers, is_text))
    return states.beside(encoder, layers, input_ids=tokens, attention_mask=mask)


def encode_own(
    prompt: str, chat: str, tokenizer: Tokenizer, encoder: Any, *, length: int, layers: Sequence[int]
) -> Tensor:
    """[1, tokens, layers * width], float32 on the CPU: states of the chat from where the prompt begins.

    Raises ValueError as `read` does. layers: counted from 1, rising.
    """
    tokens = torch.tensor([read(prompt, chat, tokenizer, length)], device=encoder.device)
    before = len(tokenizer.encode(chat.split("{}")[0], add_special_tokens=False).ids)
    return states.beside(encoder, layers, input_ids=tokens)[:, before:].contiguous()


def read(prompt: str, chat: str, tokenizer: Tokenizer, length: int) -> list[int]:
    """The numbers of the chat's tokens. chat: with {} where the prompt goes. length: the most tokens.

    Raises ValueError when the chat is longer, which the stock pipelines cut, or the prompt weighs words.
    """
    if found := WEIGHT.search(prompt):
        raise ValueError(f"this model reads sentences and knows no weights of words: write {found[0]!r} without one")
    before, after = chat.split("{}")
    text = before + whole(prompt) + after
    found = tokenizer.encode(text, add_special_tokens=False)
    if len(found.ids) > length:
        first, last = (len(tokenizer.encode(part, add_special_tokens=False).ids) for part in (before, after))
        rest = shortened(text[found.offsets[length - last][0] : len(text) - len(after)])
        raise ValueError(
            f"the prompt has {len(found.ids) - first - last:,} tokens; {length - first - last:,} is the most. What is "
            f"too much begins at {rest!r}"
        )
    return found.ids

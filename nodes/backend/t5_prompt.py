"""Prompts read by T5, as Stable Diffusion 3 and Flux do: one text of up to a number of tokens, filled up to it.

Emphasis marks are those of `prompt`. BREAK starts a new chunk where a text encoder reads in chunks; T5 reads a text at
once, and there it only parts words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from nodegraph.text import shortened, whole
from nodes.backend.prompt import BREAK, Piece
from nodes.backend.unigram import END, PAD, UNKNOWN, Unigram

SPACE = "▁"


def tokenizer(words: Unigram) -> Tokenizer:
    """What cuts a text into tokens. It neither ends a text with </s> nor fills it up: `encode` does."""
    built: Any = Tokenizer(models.Unigram(list(words.pieces), unk_id=UNKNOWN, byte_fallback=False))
    if words.charsmap:
        built.normalizer = normalizers.Precompiled(words.charsmap)
    mark = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=True)
    built.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), mark])
    built.add_tokens([AddedToken(**entry) for _, entry in sorted(words.added.items())])
    return built


@torch.inference_mode()
def encode(pieces: Sequence[Piece], tokenizer: Tokenizer, encoder: Any, length: int) -> Tensor:
    """[1, length, width], float32 on the CPU. length: 256 for Stable Diffusion 3, 512 for Flux dev.

    The encoder, a T5EncoderModel, is to be in bfloat16 or float32: in float16 T5 overflows. It gets no mask, so what
    fills up is read too, as in the stock pipelines, whose results unweighted prompts have exactly. Weights act as in
    `prompt.encode`: z_empty + weight * (z - z_empty). They never change how a text is cut: a token that has characters
    of several weights has their mean.

    Raises ValueError when the text has more tokens than length: the stock pipelines leave out the rest.
    """
    ids, weights = _read(pieces, tokenizer, length)
    embeds = _hidden(encoder, ids, length)
    if any(weight != 1 for weight in weights):
        factors = torch.tensor([*weights, *(1.0 for _ in range(length - len(weights)))])[:, None]
        embeds = torch.lerp(_hidden(encoder, [], length), embeds, factors)
    return embeds.contiguous()


def _read(pieces: Sequence[Piece], tokenizer: Tokenizer, length: int) -> tuple[list[int], list[float]]:
    """The tokens of a text, without its end, and the weight of each."""
    texts = [(" " if piece.text == BREAK else whole(piece.text), piece.weight) for piece in pieces]
    text = "".join(part for part, _ in texts)
    by_character = [weight for part, weight in texts for _ in part]
    read = tokenizer.encode(text, add_special_tokens=False)
    if len(read.ids) >= length:
        rest = shortened(text[read.offsets[length - 1][0] :])
        raise ValueError(
            f"the prompt has {len(read.ids) + 1:,} tokens for T5, its end included; {length:,} is the most. What is "
            f"too much begins at {rest!r}"
        )
    # The mark of a word whose first character is a token of its own covers no character.
    spans = [by_character[start : max(end, start + 1)] for start, end in read.offsets]
    return read.ids, [sum(span) / len(span) for span in spans]


def _hidden(encoder: Any, ids: Sequence[int], length: int) -> Tensor:
    """[1, length, width]: the last hidden states of a text that is ended and filled up."""
    filled = [*ids, END, *(PAD for _ in range(length - 1 - len(ids)))]
    return encoder(torch.tensor([filled], device=encoder.device))[0].to("cpu", torch.float32)

"""Prompts: emphasis marks, chunks of any number, and the text encoder.

The syntax is that of AUTOMATIC1111's web UI: (word) weighs 1.1 times as much, [word] 1.1 times less, (word:1.3) 1.3
times; nested marks multiply; \\( \\) \\[ \\] are ordinary brackets; BREAK starts a new chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nodegraph.text import whole

EMPHASIS = 1.1
MAX_WEIGHT = 100.0
"""Of a word, brackets around brackets multiplied; beyond some tens nothing is left of the picture."""

BREAK = "BREAK"

_MARK = re.compile(r"\\[()\[\]\\]|:\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\)|\bBREAK\b|[()\[\]]|[^\\()\[\]:B]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """Text with one weight, or the mark BREAK."""

    text: str
    weight: float = 1.0


def parse(prompt: str) -> tuple[Piece, ...]:
    """The pieces of a prompt in order. A bracket left open reaches to the end; one never opened is ordinary text.

    Raises ValueError for a weight beyond 100 or below -100.
    """
    pieces: list[Piece] = []
    opened: list[tuple[str, int]] = []  # the bracket and the number of the first piece in it
    for mark in (match.group() for match in _MARK.finditer(prompt)):
        if mark in "([":
            opened.append((mark, len(pieces)))
        elif opened and (mark, opened[-1][0]) in ((")", "("), ("]", "[")):
            _weigh(pieces, opened.pop(), None)
        elif mark.startswith(":") and mark.endswith(")") and opened and opened[-1][0] == "(":
            _weigh(pieces, opened.pop(), float(mark[1:-1]))
        elif mark.startswith("\\") and len(mark) == 2:
            pieces.append(Piece(mark[1]))
        else:
            pieces.append(Piece(mark))
    while opened:
        _weigh(pieces, opened.pop(), None)
    for piece in pieces:
        if not abs(piece.weight) <= MAX_WEIGHT:  # nor is NaN
            limits = f"between -{MAX_WEIGHT:g} and {MAX_WEIGHT:g}"
            raise ValueError(f"the weight of {piece.text.strip()[:60]!r} must be {limits}, got {piece.weight:g}")
    return tuple(_joined(pieces))


def _weigh(pieces: list[Piece], bracket: tuple[str, int], weight: float | None) -> None:
    """Multiply the weight of every piece since the bracket was opened."""
    mark, first = bracket
    if weight is None:
        weight = EMPHASIS if mark == "(" else 1 / EMPHASIS
    pieces[first:] = [Piece(piece.text, piece.weight * weight) for piece in pieces[first:]]


def _joined(pieces: list[Piece]) -> Iterator[Piece]:
    """Neighbours of equal weight as one piece, so that the tokenizer sees whole words."""
    held: Piece | None = None
    for piece in pieces:
        if held and BREAK not in (held.text, piece.text) and held.weight == piece.weight:
            held = Piece(held.text + piece.text, held.weight)
            continue
        if held:
            yield held
        held = piece
    if held:
        yield held


@dataclass(frozen=True, slots=True)
class Chunk:
    """What the text encoder reads at once. ids and weights are as long as its context, start and end included."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


def chunks(prompt: str, tokenizer: Any, context: int) -> tuple[Chunk, ...]:
    """The prompt's tokens in chunks of context - 2, at least one. No word is cut unless it is longer than a chunk."""
    room = context - 2  # the start and the end token
    filled: list[list[tuple[int, float]]] = [[]]
    for piece in parse(whole(prompt)):  # tokenizers refuse half a character
        if piece.text == BREAK:
            filled.append([])
            continue
        for word in piece.text.split():
            tokens = [(id, piece.weight) for id in tokenizer(word, add_special_tokens=False).input_ids]
            if len(filled[-1]) + len(tokens) > room and filled[-1]:
                filled.append([])
            while len(tokens) > room:
                filled[-1], tokens = tokens[:room], tokens[room:]
                filled.append([])
            filled[-1] += tokens
    return tuple(_framed(tokens, tokenizer, context) for tokens in filled)


def _framed(tokens: list[tuple[int, float]], tokenizer: Any, context: int) -> Chunk:
    start, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    missing = context - 2 - len(tokens)
    ids = (start, *(id for id, _ in tokens), end, *(pad for _ in range(missing)))
    return Chunk(ids, (1.0, *(weight for _, weight in tokens), *(1.0 for _ in range(1 + missing))))


class Read(NamedTuple):
    """What a text encoder made of a prompt, float32 on the CPU.

    embeds: [1, context * chunks, width], a state for each token. pooled: [1, width], the state at the end of the first
    chunk, projected where the encoder has a projection.
    """

    embeds: Tensor
    pooled: Tensor


@torch.inference_mode()
def read(prompt: str, tokenizer: Any, encoder: Any, *, layers_back: int, normed: bool) -> Read:
    """A prompt as an encoder reads it. Raises ValueError when layers_back leaves no layer.

    layers_back: how far before the last layer the states are taken. normed: whether they go through the final norm, as
    the last ones always do. Every chunk is read by itself and the results are laid end to end; an unweighted prompt of
    one chunk is encoded exactly as the stock pipeline does. Weights act as in ComfyUI: a token's embedding moves away
    from the empty prompt's, z_empty + weight * (z - z_empty). Rescaling to the old mean, the other custom, divides by
    that mean, which is next to 0 for encoders whose last norm was hardly trained.
    """
    layers = encoder.config.num_hidden_layers
    if layers_back >= layers:
        raise ValueError(f"the text encoder has {layers} layers, {layers_back} cannot be skipped")
    context = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
    found = chunks(prompt, tokenizer, context)
    embeds, pooled = _states(encoder, [chunk.ids for chunk in found], layers_back, normed)
    weights = torch.tensor([chunk.weights for chunk in found])[..., None]
    if (weights != 1).any():
        ids = [chunk.ids for chunk in chunks("", tokenizer, context)]
        embeds = torch.lerp(_states(encoder, ids, layers_back, normed)[0], embeds, weights)
    return Read(embeds.reshape(1, -1, embeds.shape[-1]).contiguous(), pooled[:1].contiguous())


def _states(encoder: Any, ids: Sequence[tuple[int, ...]], layers_back: int, normed: bool) -> tuple[Tensor, Tensor]:
    """[chunks, context, width], and the state at the end of each chunk."""
    tokens = torch.tensor(ids, device=encoder.device)
    last = layers_back == 0 and normed
    output = encoder(tokens, output_hidden_states=not last)
    pooled = output.text_embeds if hasattr(output, "text_embeds") else output.pooler_output
    states = output.last_hidden_state if last else output.hidden_states[-1 - layers_back]
    if normed and not last:
        states = getattr(encoder, "text_model", encoder).final_layer_norm(states)
    return states.to("cpu", torch.float32), pooled.to("cpu", torch.float32)

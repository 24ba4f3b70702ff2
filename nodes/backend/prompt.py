"""Prompts: emphasis marks, chunks of any number, and the text encoder.

The syntax is that of AUTOMATIC1111's web UI: (word) weighs 1.1 times as much, [word] 1.1 times less, (word:1.3) 1.3
times; nested marks multiply; \\( \\) \\[ \\] are ordinary brackets; BREAK starts a new chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nodegraph.text import whole
from nodes.backend.share import twin

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
    """What the text encoder reads at once. ids and weights are as long as its context, start and end included.

    vectors: what is read in the place of words, by their number in it.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    vectors: tuple[tuple[int, Tensor], ...] = ()


class _Token(NamedTuple):
    id: int
    weight: float
    vector: Tensor | None = None


Taught = Mapping[str, Tensor | None]
"""Vectors, [places, width], by the names that stand for them; None where they are for another encoder alone."""

TAUGHT_ID = 0  # what stands in their place: any word but the end's, by whose number CLIP finds it
NOTHING_TAUGHT: Taught = MappingProxyType({})


def chunks(prompt: str, tokenizer: Any, context: int, taught: Taught = NOTHING_TAUGHT) -> tuple[Chunk, ...]:
    """The prompt's tokens in chunks of context - 2, at least one. No word is cut unless it is longer than a chunk.

    Raises ValueError when it names an embedding that is not there.
    """
    room = context - 2  # the start and the end token
    filled: list[list[_Token]] = [[]]
    for piece in parse(whole(prompt)):  # tokenizers refuse half a character
        if piece.text == BREAK:
            filled.append([])
            continue
        for word in _words(piece.text, taught):
            tokens = _tokens(word, piece.weight, tokenizer)
            if len(filled[-1]) + len(tokens) > room and filled[-1]:
                filled.append([])
            while len(tokens) > room:
                filled[-1], tokens = tokens[:room], tokens[room:]
                filled.append([])
            filled[-1] += tokens
    return tuple(_framed(tokens, tokenizer, context) for tokens in filled)


def _words(text: str, taught: Taught) -> Iterator[str | Tensor]:
    """Words, and vectors where a name stands for them."""
    known = {name.casefold(): vectors for name, vectors in taught.items()}
    longest_first = sorted(known, key=len, reverse=True)
    names = "|".join(map(re.escape, longest_first)) or r"(?!)"
    for index, part in enumerate(re.split(rf"(?i:(?<![\w-])(?:embedding:)?({names})(?![\w-]))", text)):
        if index % 2:
            vectors = known[part.casefold()]
            yield from part.split() if vectors is None else (vectors,)
            continue
        if missing := re.search(r"(?i:(?<![\w-])embedding:)(\S+)", part):
            raise ValueError(f"the prompt names the embedding {missing[1][:60]!r}, which this encoder does not know")
        yield from part.split()


def _tokens(word: str | Tensor, weight: float, tokenizer: Any) -> list[_Token]:
    if isinstance(word, str):
        return [_Token(id, weight) for id in tokenizer(word, add_special_tokens=False).input_ids]
    return [_Token(TAUGHT_ID, weight, vector) for vector in word]


def _framed(tokens: Sequence[_Token], tokenizer: Any, context: int) -> Chunk:
    start, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    missing = context - 2 - len(tokens)
    ids = (start, *(token.id for token in tokens), end, *(pad for _ in range(missing)))
    weights = (1.0, *(token.weight for token in tokens), *(1.0 for _ in range(1 + missing)))
    vectors = ((place, token.vector) for place, token in enumerate(tokens, 1) if token.vector is not None)
    return Chunk(ids, weights, tuple(vectors))


class Read(NamedTuple):
    """What a text encoder made of a prompt, float32 on the CPU.

    embeds: [1, context * chunks, width], a state for each token. pooled: [1, width], the state at the end of the first
    chunk, projected where the encoder has a projection.
    """

    embeds: Tensor
    pooled: Tensor


@torch.inference_mode()
def read(
    prompt: str,
    tokenizer: Any,
    encoder: Any,
    taught: Taught = NOTHING_TAUGHT,
    *,
    layers_back: int,
    normed: bool,
) -> Read:
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
    found = chunks(prompt, tokenizer, context, taught)
    embeds, pooled = _states(encoder, found, layers_back, normed)
    weights = torch.tensor([chunk.weights for chunk in found])[..., None]
    if (weights != 1).any():
        empty = chunks("", tokenizer, context)
        embeds = torch.lerp(_states(encoder, empty, layers_back, normed)[0], embeds, weights)
    return Read(embeds.reshape(1, -1, embeds.shape[-1]).contiguous(), pooled[:1].contiguous())


def _states(encoder: Any, chunks: Sequence[Chunk], layers_back: int, normed: bool) -> tuple[Tensor, Tensor]:
    """[chunks, context, width], and the state at the end of each chunk."""
    tokens = torch.tensor([chunk.ids for chunk in chunks], device=encoder.device)
    last = layers_back == 0 and normed
    output = _with_vectors(encoder, chunks)(tokens, output_hidden_states=not last)
    pooled = output.text_embeds if hasattr(output, "text_embeds") else output.pooler_output
    states = output.last_hidden_state if last else output.hidden_states[-1 - layers_back]
    if normed and not last:
        states = getattr(encoder, "text_model", encoder).final_layer_norm(states)
    return states.to("cpu", torch.float32), pooled.to("cpu", torch.float32)


def _with_vectors(encoder: Any, chunks: Sequence[Chunk]) -> Any:
    """A twin of the encoder that reads these chunks' vectors in the place of words; itself when there are none."""
    placed = [(row, place, vector) for row, chunk in enumerate(chunks) for place, vector in chunk.vectors]
    if not placed:
        return encoder
    reading = twin(encoder)
    reading.set_input_embeddings(_Table(encoder.get_input_embeddings(), placed))
    return reading


class _Table(nn.Module):
    """The vectors of words, but for some places of the text that is read next."""

    def __init__(self, words: nn.Module, placed: Sequence[tuple[int, int, Tensor]]) -> None:
        super().__init__()
        self.words, self.placed = words, placed

    @property
    def weight(self) -> Any:
        return self.words.weight

    def forward(self, ids: Tensor) -> Tensor:
        found = self.words(ids).clone()
        for row, place, vector in self.placed:
            found[row, place] = vector.to(found)
        return found

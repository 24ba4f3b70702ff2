"""The starter model's words: a byte-level BPE tokenizer in CLIP's format and a small CLIPTextModel.

The encoder is trained before the denoiser, to tell from its output what a caption names, and is then frozen.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tools.starter.concepts import BACKGROUNDS, CONCEPTS, HUES, NUMBERS, PACKS, POSITIONS, SCENERIES, SIZES
from tools.starter.scene import Scene, backdrop_words, gradient_colours, plural

START, END = "<|startoftext|>", "<|endoftext|>"
CONTEXT = 32  # tokens, with the start and the end
WIDTH = 192
MERGES = 1800
DISTRACTOR_PROBABILITY = 0.25

GRAMMAR = ("a", "an", "on", "at", "background", "style", "and", "the", "of", "in", "with", "gradient")

# Words that pictures ignore, so that a prompt of another habit ("a photo of a cute cat") still names its noun.
FILLERS = ("photo of", "picture of", "drawing of", "emoji of", "cute", "nice", "beautiful", "simple")


@dataclass(frozen=True)
class Vocabulary:
    """CLIP's two tokenizer files: token -> number, and the merges in order."""

    numbers: dict[str, int]
    merges: tuple[tuple[str, str], ...]


def byte_symbols() -> list[str]:
    """The 256 characters that stand for bytes in CLIP's vocabulary, "!" first (OpenAI CLIP, simple_tokenizer.py)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def learn_vocabulary(weights: dict[str, int], merge_count: int = MERGES) -> Vocabulary:
    """Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) of lower-case ASCII words with their weights."""
    words = {(*word[:-1], word[-1] + "</w>"): weight for word, weight in weights.items()}
    merges: list[tuple[str, str]] = []
    while len(merges) < merge_count:
        pairs: Counter[tuple[str, str]] = Counter()
        for pieces, weight in words.items():
            for pair in pairwise(pieces):
                pairs[pair] += weight
        if not pairs:
            break
        # The pair itself breaks ties: a Counter's order would depend on the order of the words.
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = {_merge(pieces, best): weight for pieces, weight in words.items()}
    symbols = byte_symbols()
    tokens = [*symbols, *(symbol + "</w>" for symbol in symbols), *("".join(pair) for pair in merges), START, END]
    return Vocabulary({token: number for number, token in enumerate(dict.fromkeys(tokens))}, tuple(merges))


def _merge(pieces: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    if pair[0] not in pieces:
        return pieces
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return tuple(merged)


def word_weights(icon_names: Iterable[str]) -> dict[str, int]:
    """Words of captions and fillers, weighted to become single tokens, and those of all icon names."""
    weights: Counter[str] = Counter()
    for name in icon_names:
        weights.update(word for word in name.split("-") if word.isascii() and word.isalpha())
    said = [concept.word for concept in CONCEPTS] + [plural(concept.word) for concept in CONCEPTS]
    said += [*BACKGROUNDS, *HUES, *(pack.style for pack in PACKS), *SIZES, *POSITIONS, *NUMBERS.values()]
    said += [*GRAMMAR, *FILLERS, *SCENERIES.values()]
    for word in set(" ".join(said).split()):
        weights[word] += 10_000
    return dict(weights)


def build_tokenizer(vocabulary: Vocabulary) -> CLIPTokenizer:
    """The stock tokenizer over a vocabulary."""
    merges: Any = list(vocabulary.merges)  # pairs, as the tokenizer takes them; its own types ask for words
    return CLIPTokenizer(vocab=dict(vocabulary.numbers), merges=merges, pad_token=END, model_max_length=CONTEXT)


def build_text_encoder(vocabulary: Vocabulary) -> CLIPTextModel:
    """CLIPTextModel of 2 layers, width 192."""
    end = vocabulary.numbers[END]
    config = CLIPTextConfig(
        vocab_size=len(vocabulary.numbers),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        hidden_act="quick_gelu",
        bos_token_id=vocabulary.numbers[START],
        eos_token_id=end,
        pad_token_id=end,
    )
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        return CLIPTextModel(config)


@torch.no_grad()
def carry_over(
    text_encoder: CLIPTextModel, vocabulary: Vocabulary, tensors: dict[str, Tensor], known: dict[str, int]
) -> None:
    """Starts the encoder from another one's weights; tokens that its vocabulary `known` has keep their embeddings."""
    name = next(name for name in tensors if name.endswith("token_embedding.weight"))
    embeddings = text_encoder.state_dict()[name].clone()
    for token, number in vocabulary.numbers.items():
        if token in known:
            embeddings[number] = tensors[name][known[token]]
    text_encoder.load_state_dict(tensors | {name: embeddings})


def tokenise(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> Tensor:
    """Token numbers [texts, 32], padded with the end token."""
    rows: Any = tokenizer(list(texts), padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt")
    return rows.input_ids


# How many answers each head of the caption reader has; "none said" is answer 0 where a caption may leave it open.
ANSWERS = {
    "noun": len(CONCEPTS),
    "colour": len(HUES) + 1,
    "second noun": len(CONCEPTS) + 1,
    "second colour": len(HUES) + 1,
    "number": len(NUMBERS) + 1,
    "size": len(SIZES) + 1,
    "position": len(POSITIONS) + 1,
    "background": len(BACKGROUNDS) + len(SCENERIES) + 1,
    "lower background": len(BACKGROUNDS) + 1,
    "style": len(PACKS) + 1,
}


def labels(scene: Scene, caption: str) -> tuple[int, ...]:
    """What the caption names, in the order of ANSWERS."""
    words = caption.replace(",", "").split()
    first, second = scene.things[0], scene.things[1] if len(scene.things) > 1 else None
    told = any(behind.strip(" ,") in caption for behind in backdrop_words(scene.background))
    upper, lower = gradient_colours(scene.background) or (scene.background, None)
    return (
        CONCEPTS.index(first.concept),
        _answer(first.colour, HUES),
        _answer(second.concept if second else None, CONCEPTS),
        _answer(second.colour if second else None, HUES),
        _answer(NUMBERS.get(scene.count), NUMBERS.values()),
        _answer(scene.size, SIZES),
        _answer(scene.position, POSITIONS),
        _answer(upper if told else None, (*BACKGROUNDS, *SCENERIES)),
        _answer(lower if told else None, BACKGROUNDS),
        _answer(scene.pack if scene.pack.style in words else None, PACKS),
    )


def _answer(value: object, values: Iterable[object]) -> int:
    return 0 if value is None else list(values).index(value) + 1


def disturb(caption: str, others: Sequence[str], rng: random.Random) -> str:
    """The caption with a filler after its article or a word that names no picture at its end, or as it is."""
    if rng.random() > DISTRACTOR_PROBABILITY:
        return caption
    if rng.random() < 0.5:
        return f"{caption}, {rng.choice(others)}"
    article, _, rest = caption.partition(" ")
    return f"{article} {rng.choice(FILLERS)} {rest}" if article in {"a", "an"} else f"{rng.choice(FILLERS)} {caption}"


class CaptionReader(nn.Module):
    """The text encoder with linear heads that read what a caption names from every padding position."""

    def __init__(self, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(0)
            self.heads = nn.ModuleList(nn.Linear(WIDTH, count) for count in ANSWERS.values())

    def forward(self, token_numbers: Tensor) -> list[Tensor]:
        """Logits [texts, 32, classes] of each head."""
        hidden = self.text_encoder(token_numbers).last_hidden_state
        return [head(hidden) for head in self.heads]

    def loss(self, token_numbers: Tensor, classes: Tensor, end: int) -> Tensor:
        """Sum of the heads' cross entropies at the end token and the padding after it; classes: [texts, answers]."""
        read = (token_numbers == end).float()
        losses = [
            functional.cross_entropy(logits.mT, classes[:, i, None].expand(-1, CONTEXT), reduction="none")
            for i, logits in enumerate(self(token_numbers))
        ]
        return sum((each * read).sum() for each in losses) / read.sum()


class WordTokens:
    """Token numbers of captions, word by word: the tokenizer splits at spaces, so a word's tokens need it only once."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.tokenizer = build_tokenizer(vocabulary)
        self.start, self.end = vocabulary.numbers[START], vocabulary.numbers[END]
        self.known: dict[str, list[int]] = {}

    def row(self, caption: str) -> list[int]:
        """The 32 numbers that `tokenise` gives."""
        numbers = [self.start]
        for word in caption.split():
            if word not in self.known:
                self.known[word] = self.tokenizer(word, add_special_tokens=False).input_ids
            numbers += self.known[word]
        numbers = numbers[: CONTEXT - 1]
        return numbers + [self.end] * (CONTEXT - len(numbers))


@torch.inference_mode()
def embed(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, texts: Sequence[str], batch_size: int = 256) -> Tensor:
    """Embeddings [texts, 32, 192] as the pipeline computes them."""
    batches = torch.split(tokenise(tokenizer, texts).to(text_encoder.device), batch_size)
    return torch.cat([text_encoder(batch).last_hidden_state for batch in batches])

"""The starter model's words: a byte-level BPE tokenizer in CLIP's format and a small CLIPTextModel.

The encoder is trained before the denoiser, to tell from its output what a caption names, and is then frozen: captions
are embedded once, and the denoiser's training costs no text.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tools.starter.concepts import BACKGROUNDS, CONCEPTS, HUES, PACKS, Scene

START, END = "<|startoftext|>", "<|endoftext|>"
CONTEXT = 32  # tokens, with the start and the end
WIDTH = 192
MERGES = 1800
DISTRACTOR_PROBABILITY = 0.25

GRAMMAR = ("a", "an", "on", "background", "style", "and", "the", "of", "in", "with")

# Words that pictures ignore, so that a prompt of another habit ("a photo of a cute cat") still names its noun.
FILLERS = ("photo of", "picture of", "drawing of", "emoji of", "cute", "small", "big", "nice", "beautiful", "simple")


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
    said = [concept.word for concept in CONCEPTS] + list(BACKGROUNDS) + list(HUES) + [pack.style for pack in PACKS]
    said += [*GRAMMAR, *" ".join(FILLERS).split()]
    for word in set(said):
        weights[word] += 10_000
    return dict(weights)


def build_tokenizer(vocabulary: Vocabulary) -> CLIPTokenizer:
    """The stock tokenizer over a vocabulary."""
    return CLIPTokenizer(
        vocab=dict(vocabulary.numbers), merges=list(vocabulary.merges), pad_token=END, model_max_length=CONTEXT
    )


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


def tokenise(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> Tensor:
    """Token numbers [texts, 32], padded with the end token."""
    rows = tokenizer(list(texts), padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt")
    return rows.input_ids


def labels(scene: Scene, caption: str) -> tuple[int, int, int, int]:
    """What the caption names: noun, background, colour, style; 0 for what it leaves open (the noun never is)."""
    words = caption.replace(",", "").split()
    background = list(BACKGROUNDS).index(scene.background) + 1
    colour = list(HUES).index(scene.colour) + 1 if scene.colour else 0
    style = PACKS.index(scene.pack) + 1 if scene.pack.style in words else 0
    named = "background" in words or "on" in words
    return CONCEPTS.index(scene.concept), background if named else 0, colour, style


def disturb(caption: str, others: Sequence[str], rng: random.Random) -> str:
    """The caption with a filler after its article or a word that names no picture at its end, or as it is."""
    if rng.random() > DISTRACTOR_PROBABILITY:
        return caption
    if rng.random() < 0.5:
        return f"{caption}, {rng.choice(others)}"
    article, _, rest = caption.partition(" ")
    return f"{article} {rng.choice(FILLERS)} {rest}" if article in {"a", "an"} else f"{rng.choice(FILLERS)} {caption}"


class CaptionReader(nn.Module):
    """The text encoder with linear heads that read noun, background, colour and style from every padding position."""

    def __init__(self, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        sizes = (len(CONCEPTS), len(BACKGROUNDS) + 1, len(HUES) + 1, len(PACKS) + 1)
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(0)
            self.heads = nn.ModuleList(nn.Linear(WIDTH, size) for size in sizes)

    def forward(self, token_numbers: Tensor, end: int) -> list[Tensor]:
        """Logits [positions, classes] of each head, at the end token and the padding after it."""
        hidden = self.text_encoder(token_numbers).last_hidden_state
        return [head(hidden[token_numbers == end]) for head in self.heads]

    def loss(self, token_numbers: Tensor, classes: Tensor, end: int) -> Tensor:
        """Sum of the heads' cross entropies; classes: [texts, 4]."""
        per_position = classes[(token_numbers == end).nonzero()[:, 0]]
        logits = self(token_numbers, end)
        return sum(functional.cross_entropy(head, per_position[:, i]) for i, head in enumerate(logits))


@torch.inference_mode()
def embed(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, texts: Sequence[str], batch_size: int = 256) -> Tensor:
    """Embeddings [texts, 32, 192] as the pipeline computes them."""
    batches = tokenise(tokenizer, texts).to(text_encoder.device).split(batch_size)
    return torch.cat([text_encoder(batch).last_hidden_state for batch in batches])

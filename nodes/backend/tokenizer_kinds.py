"""The kinds of tokenizer that text encoders have: a new one is a row of KINDS, and a module that reads its files.

Planning asks where one is and whether its files are whole; what building it needs is imported then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from nodes.backend import mistral_words, tokenizer_files, unigram, vocabulary

CONFIGS = Path(__file__).parents[1] / "configs"
"""The tokenizers that come with the program, by kind."""


class Kind(NamedTuple):
    """find: where one is, from its folder in a checkpoint, or None. shipped: a file without one has the program's.

    check: raises ValueError, for (place, rows of the encoder), when its files are damaged or of another encoder.
    build: of (place, rows, what it fills up with in place of what the shipped one says). inside: of a file of weights,
    whether it holds one; then the file itself is the place, and otherwise it is a folder.
    """

    find: Callable[[Path | None], Path]
    check: Callable[[Path, int], object]
    build: Callable[[Path, int, str | None], Any]
    shipped: bool
    inside: Callable[[Path], object] = lambda file: None


def _clip(folder: Path, vocab_size: int, pad: str | None) -> Any:
    from transformers import AddedToken, CLIPTokenizer

    words = vocabulary.read(folder, vocab_size)
    merges: list[Any] = list(words.merges)
    filled = {"pad_token": pad} if pad and folder.parent == CONFIGS else {}
    return CLIPTokenizer(
        vocab=dict(words.numbers),
        merges=merges,
        added_tokens_decoder={number: AddedToken(**entry) for number, entry in words.added.items()},
        model_max_length=words.context,
        **{**words.special, **filled},
    )


def _t5(folder: Path, vocab_size: int, pad: str | None) -> Any:
    from nodes.backend import t5_prompt

    return t5_prompt.tokenizer(unigram.read(folder, vocab_size))


def _qwen(folder: Path, vocab_size: int, pad: str | None) -> Any:
    from nodes.backend import qwen_prompt

    return qwen_prompt.tokenizer(vocabulary.read(folder, vocab_size, "qwen"))


LATER_WORDS = ("<tool_response>", "</tool_response>", "<think>", "</think>")
"""The last of the shipped ones, by which Qwen3's differ from those of Qwen2.5, for which they are ordinary text."""


def _qwen25(folder: Path, vocab_size: int, pad: str | None) -> Any:
    from nodes.backend import qwen_prompt

    words = vocabulary.read(folder, vocab_size, "qwen")
    if folder.parent == CONFIGS:
        numbers = {word: number for word, number in words.numbers.items() if word not in LATER_WORDS}
        added = {number: entry for number, entry in words.added.items() if entry["content"] not in LATER_WORDS}
        words = words._replace(numbers=numbers, added=added)
    return qwen_prompt.tokenizer(words)


def _mistral(place: Path, vocab_size: int, pad: str | None) -> Any:
    from nodes.backend import mistral_prompt

    return mistral_prompt.tokenizer(mistral_words.read(place, vocab_size))


def _or_shipped(name: str) -> Callable[[Path | None], Path]:
    return lambda beside: beside or CONFIGS / name


KINDS: Mapping[str, Kind] = {
    "clip": Kind(_or_shipped("clip"), vocabulary.read, _clip, shipped=True),
    "t5": Kind(partial(tokenizer_files.find, None), unigram.read, _t5, shipped=False),
    "mistral": Kind(mistral_words.find, mistral_words.read, _mistral, shipped=False, inside=mistral_words.inside),
    "qwen": Kind(_or_shipped("qwen"), partial(vocabulary.read, kind="qwen"), _qwen, shipped=True),
    "qwen2.5": Kind(_or_shipped("qwen"), partial(vocabulary.read, kind="qwen"), _qwen25, shipped=True),
}

"""The files of a tokenizer that merges bytes, CLIP's or Qwen's, read and checked here: the library gets lists.

Format: vocab.json {token: number} with merges.txt (a header line, then two tokens a line), or both in tokenizer.json
under "model"; special tokens and the length of a prompt in tokenizer_config.json and special_tokens_map.json.
Byte-level BPE: Radford et al. 2019 (GPT-2), in CLIP with an end-of-word mark. How text is cut into words is told by the
kind of tokenizer, whatever a tokenizer.json says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from nodegraph.text import whole
from nodes.backend import added_tokens
from nodes.backend.added_tokens import MAX_WORD
from nodes.backend.fields import MAX_SETTINGS, Field, Schema, Whole, check_fields
from nodes.backend.strict_json import quoted, read_object

MAX_BYTES = 16_000_000
SPECIAL: dict[str, dict[str, str]] = {
    "clip": {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    },
    "qwen": {},  # its prompts are framed by words of a chat, and never filled up
}
"""The token for each role that a kind of tokenizer has, where its files do not say."""

SPARE_ROWS = frozenset({"qwen"})
"""The kinds whose text encoders may have rows for more tokens than there are."""

CONFIG: Schema = {"model_max_length": Field(Whole(3, 1 << 127), 77)}  # a very large number stands for no limit


class Vocabulary(NamedTuple):
    """numbers: of each token, 0 to their count - 1. merges: pairs of tokens, the most frequent first.

    special: the token for each role. added: numbers of tokens that are found whole in a text, with their flags.
    """

    numbers: Mapping[str, int]
    merges: tuple[tuple[str, str], ...]
    special: Mapping[str, str]
    added: Mapping[int, Mapping[str, Any]]
    context: int


FILES = (
    *("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"),
    "added_tokens.json",  # of older versions, for words that were taught later
)


def read(folder: Path, vocab_size: int, kind: str = "clip") -> Vocabulary:
    """The tokenizer for a text encoder that knows vocab_size tokens. kind: see SPECIAL.

    Raises ValueError, naming the file and what is wrong in it, or when the two do not belong together.
    """
    stats = [path.stat() if path.is_file() else None for path in _paths(folder)]
    words = _read(folder, kind, tuple(s and (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for s in stats))
    count = len(words.numbers)
    if count > vocab_size or (count < vocab_size and kind not in SPARE_ROWS):
        raise ValueError(f"the tokenizer in {folder} has {len(words.numbers)} words, its text encoder {vocab_size}")
    return words


def _paths(folder: Path) -> Iterator[Path]:
    return (folder / name for name in FILES)


@lru_cache(maxsize=4)
def _read(folder: Path, kind: str, _identity: tuple[object, ...]) -> Vocabulary:
    """_identity: only so that changed files are read again."""
    whole, table, list_, config, roles, older = _paths(folder)
    added: dict[int, Mapping[str, Any]] = {}
    if whole.is_file():
        place, numbers, merges, added = whole, *from_tokenizer_json(whole, read_object(whole, MAX_BYTES))
    else:
        place, numbers, merges = table, _numbers(table, read_object(table, MAX_BYTES)), _from_text(list_)
    settings = read_object(config, MAX_SETTINGS) if config.is_file() else {}
    named = read_object(roles, MAX_SETTINGS) if roles.is_file() else {}
    if "added_tokens_decoder" in settings:
        added = dict(added_tokens.by_number(config, settings["added_tokens_decoder"]))
        named = {}  # older files do not count beside the newer
    elif older.is_file():
        known = _numbers(older, read_object(older, MAX_SETTINGS))
        table_ = {str(number): {"content": token, "normalized": True} for token, number in known.items()}
        added |= {
            number: entry for number, entry in added_tokens.by_number(older, table_) if entry["content"] not in numbers
        }
    numbers |= {entry["content"]: number for number, entry in added.items()}
    check_numbers(place, numbers)
    check_merges(list_ if place == table else place, numbers, merges)
    usual = SPECIAL[kind]
    special = {role: _role(folder, role, settings | named, usual, numbers) for role in usual}
    context = check_fields(config, settings, CONFIG)["model_max_length"]
    return Vocabulary(numbers, merges, special, added, context)


def _numbers(path: Path, table: Any) -> dict[str, int]:
    if not isinstance(table, dict) or not table:
        raise ValueError(f"{path} has no table of tokens")
    for token, number in cast("dict[str, Any]", table).items():
        if not 0 < len(token) <= MAX_WORD or type(number) is not int:
            raise ValueError(
                f"{path}: the number of {quoted(token)} is {quoted(number)}; it must be whole, and a token have 1 to "
                f"{MAX_WORD} characters"
            )
        if whole(token) != token:
            raise ValueError(f"{path}: the token {quoted(token)} holds half a character")
    return cast("dict[str, int]", table)


def check_numbers(path: Path, numbers: Mapping[str, int]) -> None:
    """Raises ValueError unless they count from 0 without a gap."""
    seen: set[int] = set()
    for token, number in numbers.items():
        if not 0 <= number < len(numbers) or number in seen:
            raise ValueError(
                f"{path}: {quoted(token)} has number {quoted(number)}; "
                f"its tokens must have 0 to {len(numbers) - 1}, each once"
            )
        seen.add(number)


def _from_text(path: Path) -> tuple[tuple[str, str], ...]:
    if not path.is_file():
        raise ValueError(f"there is no {path.name} in {path.parent}")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES:,} bytes, the most that is read of such a file")
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is no UTF-8") from None
    start = 1 if lines[0].startswith("#version") else 0
    return _pairs(path, [line.rstrip("\r").split(" ") for line in lines[start:] if line.strip("\r")])


def _pairs(path: Path, entries: list[Any]) -> tuple[tuple[str, str], ...]:
    for entry in entries:
        parts = cast("list[Any]", entry) if isinstance(entry, list) else []
        if len(parts) != 2 or not all(isinstance(part, str) and part for part in parts):
            raise ValueError(f"{path}: {quoted(entry)} is not two tokens to be merged")
    return tuple((first, second) for first, second in entries)


def check_merges(path: Path, numbers: Mapping[str, int], merges: Iterable[tuple[str, str]]) -> None:
    """Raises ValueError when one of two that are merged, or what they make, is no token."""
    for first, second in merges:
        for token in (first, second, first + second):
            if token not in numbers:
                raise ValueError(f"{path} merges {quoted(first)} and {quoted(second)}, but {quoted(token)} is no token")


def from_tokenizer_json(
    path: Path, data: Mapping[str, Any]
) -> tuple[dict[str, int], tuple[tuple[str, str], ...], dict[int, Mapping[str, Any]]]:
    """The numbers of tokens, the merges and the added tokens. Raises ValueError, naming the file and what is wrong."""
    model = data.get("model")
    if not isinstance(model, dict) or cast("dict[str, Any]", model).get("type", "BPE") != "BPE":
        raise ValueError(f"{path} has no BPE model, which this kind of tokenizer is")
    fields = cast("dict[str, Any]", model)
    merges = fields.get("merges")
    if not isinstance(merges, list):
        raise ValueError(f"{path} has no list of merges")
    entries = [entry.split(" ") if isinstance(entry, str) else entry for entry in cast("list[Any]", merges)]
    added = dict(added_tokens.listed(path, data.get("added_tokens", [])))
    return _numbers(path, fields.get("vocab")), _pairs(path, entries), added


def _role(
    folder: Path, role: str, named: Mapping[str, Any], usual: Mapping[str, str], numbers: Mapping[str, int]
) -> str:
    """The token for a role, given as text or as an object with its content."""
    value: Any = named.get(role) or usual[role]
    token: Any = cast("dict[str, Any]", value).get("content") if isinstance(value, dict) else value
    if not isinstance(token, str) or token not in numbers:
        raise ValueError(f"the {role} of the tokenizer in {folder} is {quoted(token)}, which is none of its tokens")
    return token

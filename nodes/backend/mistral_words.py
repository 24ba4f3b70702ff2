"""Mistral's tokenizer, from the tokenizer.json of a checkpoint or out of a file of weights, and the prompts it reads.

It merges bytes as Qwen's does, but says itself how texts are cut before. A file of weights holds a "tekken" in the
bytes of one tensor: byte sequences by rank, from which the merges follow (mistral-common, tekken.py).
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

from nodes.backend import added_tokens, vocabulary
from nodes.backend.fields import Field, Schema, Text, Whole, check_fields
from nodes.backend.headers import shapes, stretches
from nodes.backend.networks.mistral import TOKENIZER
from nodes.backend.strict_json import parse_object, quoted, read_object

MAX_BYTES = 40_000_000  # published ones have up to 20 MB
MAX_PATTERN = 2000  # characters
MAX_TOKEN = 1000  # bytes
FILE = "tokenizer.json"

CONFIG: Schema = {
    "pattern": Field(Text(MAX_PATTERN), ""),
    "default_vocab_size": Field(Whole(1, 1_000_000), 131_072),
    "default_num_special_tokens": Field(Whole(1, 10_000), 1000),
}

CHOOSE = (
    f"choose a file that has it inside ({TOKENIZER}), as ComfyUI's for Flux.2 have, or one in a checkpoint's folder, "
    "beside its folder tokenizer"
)


class Words(NamedTuple):
    """numbers: of each token. merges: pairs of tokens, the first before the others. pattern: how texts are cut.

    whole: whether a piece of text that is a token is one before anything is merged. composed: whether letters and their
    accents are joined before (NFC). added: numbers of tokens that are found whole in a text, with their flags.
    """

    numbers: Mapping[str, int]
    merges: Sequence[tuple[str, str]]
    pattern: str
    whole: bool
    composed: bool
    added: Mapping[int, Mapping[str, Any]]


def find(beside: Path | None) -> Path:
    """The folder of a checkpoint's tokenizer. Raises ValueError, saying what to choose, when there is none."""
    if beside is not None and (beside / FILE).is_file():
        return beside
    where = f"{beside} has no {FILE}" if beside is not None else "it is not in the file of weights"
    raise ValueError(f"Mistral's tokenizer is missing, {where}: {CHOOSE}")


def read(place: Path, vocab_size: int) -> Words:
    """The tokenizer in a folder, or in a file of weights, for a text encoder that knows vocab_size tokens.

    Raises ValueError, naming the file and what is wrong in it, or when the two do not belong together.
    """
    path = place / FILE if place.is_dir() else place
    if not path.is_file():
        raise ValueError(f"there is no {path.name} in {path.parent}")
    stat = path.stat()
    words = _read(path, (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino))
    if len(words.numbers) > vocab_size:
        raise ValueError(f"the tokenizer in {place} has {len(words.numbers)} words, its text encoder {vocab_size}")
    return words


@lru_cache(maxsize=2)
def _read(path: Path, _identity: tuple[object, ...]) -> Words:
    """_identity: only so that a changed file is read again."""
    words = _from_json(path) if path.name == FILE else _from_tekken(path)
    vocabulary.check_numbers(path, words.numbers)
    vocabulary.check_merges(path, words.numbers, words.merges)
    return words


# tokenizer.json --------------------------------------------------------------------------------------------


def _from_json(path: Path) -> Words:
    data = read_object(path, MAX_BYTES)
    numbers, merges, added = vocabulary.from_tokenizer_json(path, data)
    numbers |= {entry["content"]: number for number, entry in added.items()}
    model = cast("dict[str, Any]", data["model"])
    whole, composed = model.get("ignore_merges", False) is True, data.get("normalizer")
    if composed not in (None, {"type": "NFC"}):
        raise ValueError(f"{path}: its normalizer is {quoted(composed)}; it must be NFC, or null")
    return Words(numbers, merges, _pattern(path, data.get("pre_tokenizer")), whole, composed is not None, added)


def _pattern(path: Path, told: Any) -> str:
    """How texts are cut, where bytes are merged after that and nothing else is done."""
    match told:
        case {"type": "Sequence", "pretokenizers": [{"type": "Split"} as split, {"type": "ByteLevel"} as bytes_]}:
            pattern: Any = cast("dict[str, Any]", split).get("pattern")
            is_plain = bytes_.get("add_prefix_space") is False and bytes_.get("use_regex") is False
            is_kept = split.get("behavior") == "Isolated" and split.get("invert", False) is False
            match pattern:
                case {"Regex": str(regex)} if is_plain and is_kept and len(regex) <= MAX_PATTERN:
                    return regex
                case _:
                    pass
        case _:
            pass
    raise ValueError(
        f"{path}: its pre_tokenizer is {quoted(told)}; it must cut by a pattern and take bytes as they are"
    )


# tekken ----------------------------------------------------------------------------------------------------


def _from_tekken(path: Path) -> Words:
    name = inside(path)
    if name is None:
        raise ValueError(f"Mistral's tokenizer is not in {path}: {CHOOSE}")
    place = stretches(path)[name]
    if place.dtype != "U8" or not 0 < place.size <= MAX_BYTES:
        raise ValueError(f"{path}: {name} is no text of at most {MAX_BYTES:,} bytes")
    with path.open("rb") as file:
        file.seek(place.begin)
        text = file.read(place.size)
    said = Path(f"{path}, {name}")
    try:
        data = parse_object(text)
    except ValueError as error:
        raise ValueError(f"{said} {error}") from None
    config = check_fields(said, _object(said, data.get("config"), "config"), CONFIG)
    specials = _specials(said, data.get("special_tokens"), config["default_num_special_tokens"])
    count = config["default_vocab_size"] - len(specials)
    if count < 1 or not config["pattern"]:
        raise ValueError(f"{said} has no words, or no pattern that texts are cut by")
    ranks = _ranks(said, data.get("vocab"), count)
    shown = {token: _shown(token) for token in ranks}
    numbers = {name: number for number, name in enumerate(specials)}
    numbers |= {shown[token]: rank + len(specials) for token, rank in ranks.items()}
    merges = [(shown[left], shown[right]) for left, right in _merges(ranks)]
    added = {n: {"content": name, "special": True, "normalized": False} for n, name in enumerate(specials)}
    listed = dict(added_tokens.by_number(said, {str(number): entry for number, entry in added.items()}))
    return Words(numbers, merges, config["pattern"], True, False, listed)


def inside(path: Path) -> str | None:
    """The name of the tensor of a file that holds the tokenizer; None when there is none."""
    return next((name for name in shapes(path) if name == TOKENIZER or name.endswith(f".{TOKENIZER}")), None)


def _object(said: Path, value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{said}: its {name} is {quoted(value)}; it must be an object")
    return cast("dict[str, Any]", value)


def _list(said: Path, value: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ValueError(f"{said}: its {name} is {quoted(value)}; it must be a list")
    return [_object(said, entry, name) for entry in cast("list[Any]", value)]


def _specials(said: Path, value: Any, count: int) -> list[str]:
    """The first `count` tokens, which stand for no text; those without a name get one."""
    named: dict[int, str] = {}
    for entry in _list(said, value, "special_tokens"):
        rank, token = entry.get("rank"), entry.get("token_str")
        if type(rank) is not int or not 0 <= rank < count or rank in named or not isinstance(token, str) or not token:
            raise ValueError(f"{said}: a special token is {quoted(entry)}; each of the first {count:,} has one name")
        named[rank] = token
    return [named.get(rank, f"<SPECIAL_{rank}>") for rank in range(count)]


def _ranks(said: Path, value: Any, count: int) -> dict[bytes, int]:
    """The first `count` byte sequences; the rest is not used."""
    ranks: dict[bytes, int] = {}
    for number, entry in enumerate(_list(said, value, "vocab")[:count]):
        try:
            token = b64decode(cast("str", entry.get("token_bytes")), validate=True)
        except (Error, TypeError, ValueError):
            token = b""
        if entry.get("rank") != number or not 0 < len(token) <= MAX_TOKEN or token in ranks:
            raise ValueError(f"{said}: token {number:,} is {quoted(entry)}; it must have its rank and bytes of its own")
        ranks[token] = number
    return ranks


def _merges(ranks: Mapping[bytes, int]) -> Iterator[tuple[bytes, bytes]]:
    """Every way to make a token of two, by the token's rank: what merging bytes by rank amounts to."""
    for token in ranks:  # by rank
        ways = [(token[:at], token[at:]) for at in range(1, len(token))]
        yield from sorted(
            (way for way in ways if way[0] in ranks and way[1] in ranks), key=lambda way: (ranks[way[0]], ranks[way[1]])
        )


def _letters() -> dict[int, str]:
    """The letter that stands for each byte in such vocabularies: Radford et al. 2019 (GPT-2), encoder.py."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (byte for byte in range(256) if byte not in plain)
    return dict(chain(((byte, chr(byte)) for byte in plain), ((byte, chr(256 + n)) for n, byte in enumerate(others))))


LETTERS = _letters()


def _shown(token: bytes) -> str:
    return "".join(map(LETTERS.__getitem__, token))

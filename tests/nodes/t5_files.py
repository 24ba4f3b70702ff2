"""T5 tokenizers as files, made here: generated words, SentencePiece's own format, and its table of replacements."""

from __future__ import annotations

import json
import random
import struct
import unicodedata
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Pieces = list[tuple[str, float]]

EXTRA: Pieces = [(f"<extra_id_{number}>", 0.0) for number in reversed(range(100))]


def many_pieces(count: int = 3000) -> Pieces:
    """A vocabulary like T5's: the special ones, words with and without a mark, single characters, the extra ids."""
    chance = random.Random(7)
    syllables = [a + b for a in "bcdfglmnprst" for b in "aeiouäé"]
    found = {"▁": -2.0} | {chr(code): -9.0 - code / 1e3 for code in [*range(33, 127), *range(0xE0, 0x180), 0x4E00]}
    while len(found) < count:
        stem = "".join(chance.choices(syllables, k=chance.choice([1, 1, 2, 2, 3])))
        found[chance.choice(["▁", "▁", ""]) + stem] = -3.0 - 8 * chance.random()
    return [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *found.items(), *EXTRA]


def nfkc_table() -> bytes:
    """Some of what SentencePiece replaces."""
    changed = "ﬁﬀ①²ａＡ！ｱ½…㍍ﷺ\u00a0\u3000"
    table = {character.encode(): unicodedata.normalize("NFKC", character) for character in changed}
    return charsmap(table | {b"\t": " ", b"\n": " ", b"\x07": "", "e\u0301".encode(): "é", "\u200b".encode(): " "})


def charsmap(table: Mapping[bytes, str]) -> bytes:
    """The table as SentencePiece keeps it: a double array, in which each node has a block of its own here."""
    texts = b"".join(text.encode() + b"\0" for text in dict.fromkeys(table.values()))
    nodes: dict[bytes, int] = {}
    for key in table:
        for end in range(len(key) + 1):
            nodes.setdefault(key[:end], 256 * (len(nodes) + 1))
    units = [0] * (256 * (len(nodes) + 1))
    for key, base in nodes.items():
        place = nodes[key[:-1]] ^ key[-1] if key else 0
        has_value = key in table
        units[place] = (place ^ base) << 10 | has_value << 8 | (key[-1] if key else 0)
        if has_value:
            units[base] = 1 << 31 | (b"\0" + texts).index(b"\0" + table[key].encode() + b"\0")
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + texts


def as_json(pieces: Sequence[Any], table: bytes = b"", **change: Any) -> dict[str, Any]:
    """What a tokenizer.json says. change: fields of it; those of "model" are added to its own."""
    normalizer = {"type": "Precompiled", "precompiled_charsmap": b64encode(table).decode()} if table else None
    end = {"id": "</s>", "ids": [1], "tokens": ["</s>"]}
    whole: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"</s>": end},
        },
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 2, "vocab": pieces} | change.pop("model", {}),
    }
    return whole | change


def write_json(folder: Path, pieces: Sequence[Any], table: bytes = b"", **change: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(as_json(pieces, table, **change)), "utf-8")
    return folder


def write_spiece(path: Path, pieces: Pieces, table: bytes = b"", trainer: bytes = b"") -> Path:
    """The same words as SentencePiece writes them. trainer: further fields of its settings."""
    kinds = {"<unk>": 2, "<pad>": 3, "</s>": 3}
    message = b"".join(
        field(1, field(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kinds.get(piece, 1)]))
        for piece, score in pieces
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(message + field(2, trainer or b"\x18\x01") + field(3, field(1, b"nmt_nfkc") + field(2, table)))
    return path


def field(number: int, data: bytes) -> bytes:
    """A field of a protocol buffer that holds bytes."""
    size, length = b"", len(data)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + data

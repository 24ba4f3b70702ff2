"""The table by which SentencePiece writes texts in one way (NFKC, spaces): checked here, walked by `tokenizers`.

Format: 4 bytes little-endian size of a double-array trie (Aoe 1989; darts-clone, of 32-bit units), the trie, then the
replacements in UTF-8, each ended by a zero byte, where the trie's values lead. The library walks it without a look at
its limits, so a table that leads out of itself would end the program.
"""

from __future__ import annotations

import struct

MAX_BYTES = 1_000_000
"""T5's has 240,007."""

MAX_REPLACEMENT = 200
"""Bytes. The longest in Unicode is of 33, for U+FDFA."""

BLOCK = 256
"""Units. A step from a place, by any byte, ends in the same block."""


def check(table: bytes) -> None:
    """Raises ValueError with what is wrong, to stand behind the name of a file."""
    if len(table) > MAX_BYTES:
        raise ValueError(f"has a charsmap of {len(table):,} bytes; {MAX_BYTES:,} is the most")
    size = int.from_bytes(table[:4], "little")
    if size == 0 or size % (4 * BLOCK) or 4 + size > len(table):
        raise ValueError(f"has a damaged charsmap: its trie has {size:,} bytes")
    texts = table[4 + size :]
    try:
        texts.decode()
    except UnicodeDecodeError:
        raise ValueError("has a damaged charsmap: its replacements are no UTF-8") from None
    if max(map(len, texts.split(b"\0"))) > MAX_REPLACEMENT:
        raise ValueError(f"has a damaged charsmap: a replacement has more than {MAX_REPLACEMENT} bytes")
    if not _leads_home(struct.unpack(f"<{size // 4}I", table[4 : 4 + size]), texts):
        raise ValueError("has a damaged charsmap: its trie leads out of it")


def _leads_home(units: tuple[int, ...], texts: bytes) -> bool:
    """Whether every place that any text can lead to is in the trie, and every value is the start of a character."""
    starts = [byte & 0xC0 != 0x80 for byte in texts]
    for place, unit in enumerate(units):
        if unit >> 31:  # a value; the walk ends there
            continue
        offset = (unit >> 10) << ((unit & 1 << 9) >> 6)
        target = place ^ offset
        if target >= len(units):
            return False
        has_value = unit >> 8 & 1
        if has_value and not ((value := units[target] & 0x7FFFFFFF) < len(texts) and starts[value]):
            return False
    return True

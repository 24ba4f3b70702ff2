"""Damage, done by a random generator: to bytes, text, JSON, PNG files and safetensors files."""

import json
import random
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Mutate = Callable[[bytes, random.Random], bytes]

MOST_DAMAGES = 4  # in one case
DEEP = 3000
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    65535,
    2**31,
    2**32,
    2**63,
    -(2**63),
    2**64,
    10**19,
    10**30,
    0.5,
    -0.0,
    1e-30,
    1e30,
    1e308,
)
STRINGS = (
    "",
    " ",
    "x",
    "\0",
    "\n",
    "/",
    "..",
    "../../etc/passwd",
    "a" * 300,
    "é" * 50,
    "\u202e",
    "😀",
    "nan",
    "1,000",
    "__class__",
)
RAW = (  # JSON that no value of Python's writes
    "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    "9" * 5000,
    "1e999",
    "-1e999",
    "NaN",
    "-Infinity",
    '{"a": 1, "a": 2}',
    '"\\ud83c"',
    '"\\u0000"',
    "[" + "0," * 20_000 + "0]",
    '"' + "y" * 100_000 + '"',
)
PLACE = "\ue000place\ue000"


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bits turned, parts cut out, doubled, filled or put elsewhere, the end cut off or made longer."""
    result = bytearray(data)
    for _ in range(rng.randint(1, MOST_DAMAGES)):
        at = rng.randrange(len(result) + 1)
        size = min(rng.choice((1, 1, 2, 4, 8, 64, 1024)), len(result) - at)
        match rng.randrange(7):
            case 0:
                for position in range(at, at + size):
                    result[position] ^= 1 << rng.randrange(8)
            case 1:
                del result[at : at + size]
            case 2:
                result[at:at] = result[at : at + size] * rng.choice((1, 2, 100))
            case 3:
                result[at : at + size] = rng.choice((b"\0", b"\xff", b"\x80", b"9")) * size
            case 4:
                result[at:at] = rng.randbytes(rng.choice((1, 4, 100)))
            case 5:
                del result[at:]
            case _:
                result[at : at + 4] = struct.pack(rng.choice(("<I", ">I")), rng.choice((0, 1, 2**31 - 1, 2**32 - 1)))
    return bytes(result)


def of_text(data: bytes, rng: random.Random) -> bytes:
    """Characters and pieces of a UTF-8 text exchanged for others; now and then damaged as bytes."""
    if rng.random() < 0.1:
        return of_bytes(data, rng)
    text = data.decode(errors="replace")
    for _ in range(rng.randint(1, MOST_DAMAGES)):
        at = rng.randrange(len(text) + 1)
        piece = rng.choice((*STRINGS, *"()[]{}:,.|\\'\"0123456789-+eE", "(" * 500, "9" * 40, ":1e999)", ":nan)"))
        text = text[:at] + piece * rng.choice((1, 1, 1, 50)) + text[at + rng.choice((0, 0, 1, 5)) :]
    return text.encode(errors="replace")


def of_json(data: bytes, rng: random.Random) -> bytes:
    """Values of a JSON text exchanged, left out, doubled, swapped or nested; now and then it is damaged as text."""
    if rng.random() < 0.15:
        return of_text(data, rng)
    tree = json.loads(data)
    raw: list[str] = []
    for _ in range(rng.randint(1, MOST_DAMAGES)):
        places = list(_places(tree))
        if not places:
            break
        holder, key = rng.choice(places)
        match rng.randrange(8):
            case 0 | 1:
                holder[key] = rng.choice(NUMBERS)
            case 2:
                holder[key] = rng.choice(STRINGS)
            case 3:
                holder[key] = rng.choice((None, True, False, [], {}, [None], {"": None}))
            case 4:
                del holder[key]
            case 5:
                other, name = rng.choice(places)
                holder[key] = json.loads(json.dumps(other[name]))
            case 6:
                holder[key] = [holder[key]] * rng.choice((1, 2, 50)) if rng.random() < 0.5 else {"a": holder[key]}
            case _:
                raw.append(rng.choice(RAW))
                holder[key] = f"{PLACE}{len(raw) - 1}"
        if len(raw) > 1:  # what is nested in another's place is gone
            break
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
    for number, value in enumerate(raw):
        for place in (f"{PLACE}{number}", json.dumps(f"{PLACE}{number}")[1:-1]):
            text = text.replace(f'"{place}"', value)
    return text.encode(errors="surrogatepass")


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a JSON value, without recursion."""
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        keys: Iterable[Any] = (
            list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        )
        for key in list(keys):
            yield holder, key
            waiting.append(holder[key])


def of_lines(data: bytes, rng: random.Random) -> bytes:
    """One line of a file of JSON lines damaged, or the lines in another order."""
    lines = data.splitlines(keepends=True)
    if rng.random() < 0.2:
        rng.shuffle(lines)
        return b"".join(lines)
    at = rng.randrange(len(lines))
    checked = re.fullmatch(rb"[0-9a-f]{8} (.*)\n", lines[at], re.DOTALL)  # as a journal's lines are
    damaged = of_json(checked[1] if checked else lines[at], rng)
    if checked:
        damaged = f"{zlib.crc32(damaged):08x} ".encode() + damaged
    return b"".join([*lines[:at], damaged + b"\n", *lines[at + 1 :]])


def of_safetensors(data: bytes, rng: random.Random) -> bytes:
    """The header of a safetensors file damaged as JSON, or as bytes, or its length; or the data cut."""
    (size,) = struct.unpack("<Q", data[:8])
    header, body = data[8 : 8 + size], data[8 + size :]
    match rng.randrange(6):
        case 0:
            return of_bytes(data[: 8 + size], rng) + body
        case 1:
            lengths = (0, 1, size - 1, size + 1, 2**31, 2**63, 2**64 - 1)
            return struct.pack("<Q", rng.choice(lengths)) + header + body
        case 2:
            body = body[: rng.randrange(len(body) + 1)] + rng.randbytes(rng.choice((0, 1, 8)))
        case _:
            header = of_json(header, rng)
    return struct.pack("<Q", len(header)) + header + body


def of_png(data: bytes, rng: random.Random) -> bytes:
    """Chunks of a PNG file damaged, doubled, left out, moved, or others put in: bombs of text, profiles, odd sizes."""
    if rng.random() < 0.15:
        return of_bytes(data, rng)
    chunks = list(_chunks(data))
    for _ in range(rng.randint(1, MOST_DAMAGES)):
        if not chunks:
            break
        at = rng.randrange(len(chunks))
        kind, body = chunks[at]
        match rng.randrange(7):
            case 0:
                chunks[at] = (kind, of_bytes(body, rng))
            case 1:
                chunks.insert(rng.randrange(len(chunks)), chunks[at])
            case 2:
                del chunks[at]
            case 3:
                rng.shuffle(chunks)
            case 4:
                side = struct.pack(">II", rng.choice((0, 1, 2, 9000, 2**31)), rng.choice((0, 1, 2, 9000, 2**31 - 1)))
                chunks[0] = (b"IHDR", side + bytes(rng.choice(((8, 2), (16, 6), (1, 0), (8, 3), (3, 9)))) + b"\0\0\0")
            case _:
                chunks.insert(min(1, len(chunks)), _odd_chunk(rng))
    return data[:8] + b"".join(_chunk(kind, body, 0 if rng.random() < 0.95 else 1) for kind, body in chunks)


def _odd_chunk(rng: random.Random) -> tuple[bytes, bytes]:
    keyword = rng.choice((b"denoodle", b"parameters", b"Comment", b"", b"icc"))
    text = rng.choice((b"{}", b"0" * (4 << 20), b"\xff\xfe", b"[" * DEEP, rng.randbytes(40)))
    packed = zlib.compress(text, 9)
    return rng.choice(
        (
            (b"tEXt", keyword + b"\0" + text),
            (b"zTXt", keyword + b"\0\0" + packed),
            (b"iTXt", keyword + b"\0\1\0\0\0" + packed),
            (b"iCCP", keyword + b"\0\0" + packed),
            (b"eXIf", b"II*\0" + rng.randbytes(60)),
            (b"gAMA", rng.randbytes(4)),
            (b"cHRM", rng.randbytes(32)),
            (b"acTL", struct.pack(">II", 2**31 - 1, 0)),
        )
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _chunk(kind: bytes, body: bytes, damage: int = 0) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ damage)

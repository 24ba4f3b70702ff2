"""Tensors from a file to a device that has memory of its own, about as fast as the file can be read.

Large pieces are read into memory from which the device copies by itself, some of them ahead, so that reading and
copying go on at the same time. What is copied has the precision of the file; it is changed on the device, tensor by
tensor, so that a file of wide numbers never lies there as a whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

from nodes.backend.device_memory import DeviceMemory
from nodes.backend.headers import Stretch
from nodes.backend.weight_files import stretches

T = TypeVar("T")

PIECE = 32 << 20
"""Bytes that are read at a time."""

AHEAD = 4
"""Pieces that are being read, or copied, at a time."""

READERS = 2

DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
    "C64": torch.complex64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class _Piece(NamedTuple):
    """begin, end: bytes of the file. parts: which bytes belong to which tensor: the first of them in the piece, and in
    the tensor, and how many.
    """

    begin: int
    end: int
    parts: tuple[tuple[str, int, int, int], ...]


def read(path: Path, names: Iterable[str], memory: DeviceMemory, finish: Callable[[str, Tensor], T]) -> dict[str, T]:
    """What is made of these tensors of a file of weights. finish: makes it on the device, of a tensor by its name.

    Raises ValueError when the file is damaged, or has become shorter.
    """
    known = stretches(path)
    wanted = {name: known[name] for name in names}
    made = {name: finish(name, _empty(stretch, memory)) for name, stretch in wanted.items() if not stretch.size}
    coming: dict[str, Tensor] = {}
    with ThreadPoolExecutor(READERS, thread_name_prefix="weights") as readers:
        for piece, buffer in _filled(path, list(_pieces(wanted)), memory, readers):
            for name, start, within, size in piece.parts:
                if name not in coming:
                    coming[name] = _empty(wanted[name], memory)
                bytes_of = coming[name].reshape(-1).view(torch.uint8)
                bytes_of[within : within + size].copy_(buffer[start : start + size], non_blocking=True)
                if within + size == wanted[name].size:
                    made[name] = finish(name, coming.pop(name))
    return made


def _empty(stretch: Stretch, memory: DeviceMemory) -> Tensor:
    return torch.empty(stretch.shape, dtype=DTYPES[stretch.dtype], device=memory.device)


def _pieces(wanted: Mapping[str, Stretch]) -> Iterator[_Piece]:
    """The wanted bytes of a file in its order, in pieces that may hold many tensors, or a part of one."""
    parts: list[tuple[str, int, int, int]] = []
    begin = end = 0
    for name, stretch in sorted(wanted.items(), key=lambda item: item[1].begin):
        done = 0
        while done < stretch.size:
            at = stretch.begin + done
            if parts and (at != end or end - begin == PIECE):
                yield _Piece(begin, end, tuple(parts))
                parts = []
            if not parts:
                begin = end = at
            size = min(stretch.size - done, PIECE - (end - begin))
            parts.append((name, end - begin, done, size))
            done, end = done + size, end + size
    if parts:
        yield _Piece(begin, end, tuple(parts))


def _filled(
    path: Path, pieces: list[_Piece], memory: DeviceMemory, readers: ThreadPoolExecutor
) -> Iterator[tuple[_Piece, Tensor]]:
    """Each piece in main memory, from which whoever takes it copies before asking for the next."""
    free = deque((memory.staging(PIECE), None) for _ in range(min(AHEAD, len(pieces))))
    under_way: deque[tuple[_Piece, Tensor, Future[None]]] = deque()
    todo = deque(pieces)
    while todo or under_way:
        while todo and free:
            buffer, mark = free.popleft()
            if mark is not None:
                memory.reach(mark)
            piece = todo.popleft()
            under_way.append((piece, buffer, readers.submit(_fill, path, piece, buffer)))
        piece, buffer, reading = under_way.popleft()
        reading.result()
        yield piece, buffer
        free.append((buffer, memory.mark()))


def _fill(path: Path, piece: _Piece, buffer: Tensor) -> None:
    view: Any = memoryview(cast(Any, buffer.numpy()))[: piece.end - piece.begin]
    with path.open("rb", buffering=0) as file:
        file.seek(piece.begin)
        while view:
            count = file.readinto(view)
            if not count:
                raise ValueError(f"{path} is cut short: it ends before byte {piece.end}")
            view = view[count:]

"""Work that is done in pieces: whoever does it answers to others in between, and may give it up half-way.

Such work is a generator that yields after each piece, of a millisecond or two, and returns what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import Generic, TypeVar, cast

T = TypeVar("T")
Pieces = Generator[None, None, T]

PIECE = 500
"""Simple things, such as links, in one piece."""


def in_parts(things: Iterable[T], count: int = PIECE) -> Iterator[list[T]]:
    """These things, some at a time."""
    left = iter(things)
    while part := list(islice(left, count)):
        yield part


def finish(pieces: Pieces[T]) -> T:
    """Do all of it at once."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return cast(T, end.value)


def reaching(ids: Iterable[str], onward: Callable[[str], Iterable[str]], count: int = PIECE) -> Pieces[set[str]]:
    """These, and all that is reached from them, so many in a piece. onward: where one leads."""
    found: set[str] = set()
    todo = list(ids)
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += onward(id)
            if not len(found) % count:
                yield
    return found


class Work(Generic[T]):
    """result: once it is done."""

    result: T

    def __init__(self, pieces: Pieces[T]) -> None:
        self._pieces = pieces
        self.done = False

    def go_on(self, seconds: float) -> bool:
        """Work for about as long; whether it is done. One piece at least is done each time. Raises what it raises."""
        end = perf_counter() + seconds
        while not self.done:
            try:
                next(self._pieces)
            except StopIteration as stop:
                self.result, self.done = stop.value, True
            if perf_counter() > end:
                break
        return self.done

"""What the running call may take of the device's memory, for those who can work in smaller pieces.

Whoever looks after memory answers; it lies above what asks.
"""

from __future__ import annotations

from typing import Protocol


class Answers(Protocol):
    def pieces(self) -> int: ...
    def room_for(self, nbytes: int) -> bool: ...


class _Plenty:
    def pieces(self) -> int:
        return 0

    def room_for(self, nbytes: int) -> bool:
        return True


_answers: Answers = _Plenty()


def follow(answers: Answers) -> None:
    """Ask this one from now on."""
    global _answers
    _answers = answers


def halvings() -> int:
    """How often the call should halve what it works on: once more after each time that memory ran out."""
    return _answers.pieces()


def room_for(nbytes: int) -> bool:
    """Whether there is so much, once what the call does not need is out of the way. The CPU has no limit of its own."""
    return _answers.room_for(nbytes)

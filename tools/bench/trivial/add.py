"""Adding two numbers: what a graph of such nodes takes is all bookkeeping."""

from __future__ import annotations

from dataclasses import dataclass

from nodegraph.node import node
from nodegraph.types import socket_type


@socket_type(color="#888888")
@dataclass(frozen=True, slots=True)
class Number:
    """No plain value, so that adding is a call and is not folded while planning."""

    value: int


@node("bench.add")
def add(a: Number | None = None, b: Number | None = None, amount: int = 1) -> Number:
    """a + b + amount."""
    return Number((a.value if a else 0) + (b.value if b else 0) + amount)

"""How a number parameter is stepped and slid, by a widget or on the canvas."""

from __future__ import annotations

import ast
import operator
from math import floor, log10

from nodegraph.node import Input, Range, Seed

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}

SLIDER_STEPS = 1000  # the most positions a slider has; wider ranges are typed or stepped through


def step_of(spec: Input) -> float:
    """The declared step; else 1 for integers and about a hundredth of the range, as 1, 10, 0.1 ..., for others."""
    limits = spec.get(Range)
    if limits and limits.step:
        return limits.step
    if spec.type is int:
        return 1
    return 10.0 ** floor(log10((limits.max - limits.min) / 100)) if limits and limits.max > limits.min else 0.1


def slider_range(spec: Input) -> Range | None:
    """The range of a number that can be slid through; None when there is none, or when it is too wide."""
    limits = spec.get(Range)
    if limits is None or spec.type not in (int, float) or spec.get(Seed):
        return None
    return limits if 0 < round((limits.max - limits.min) / step_of(spec)) <= SLIDER_STEPS else None


def stepped(spec: Input, start: float, away: float, step: float) -> int | float:
    """`start` moved by `away`, rounded to a multiple of `step` and kept inside the range.

    Where the step is declared, multiples count from the minimum: 8, 16, 24 ...; else from 0, for round values.
    """
    limits = spec.get(Range)
    base = limits.min if limits and limits.step else 0
    if spec.type is int:
        # In whole numbers throughout: a seed has more digits than a float.
        first, stride = round(base), max(round(step), 1)
        value: int | float = first + (int(start) + round(away) - first + stride // 2) // stride * stride
    else:
        value = float(f"{base + round((start + away - base) / step) * step:.10g}")
    return value if limits is None else min(max(value, spec.type(limits.min)), spec.type(limits.max))


def read_number(text: str, kind: type[int] | type[float]) -> int | float | None:
    """What was typed: a number, or a sum such as "3 * 64 + 8". None when it is neither, or not whole for an int."""
    text = text.strip().replace(",", ".")
    try:
        return kind(text)  # first: a seed has more digits than a float
    except ValueError:
        pass
    try:
        value = _result(ast.parse(text, mode="eval").body)
        return kind(value) if kind is float or value == int(value) else None
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return None


def _result(node: ast.expr) -> int | float:
    """Raises ValueError for what is more than numbers, brackets and the four operations."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_result(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_result(left), _result(right))
        case _:
            raise ValueError("not a sum")

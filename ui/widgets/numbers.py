"""How a number parameter is stepped and slid, by a widget or on the canvas."""

from __future__ import annotations

from fractions import Fraction
from math import floor, log10

from nodegraph.node import Input, Range, Seed

_decimal = ""


def decimal() -> str:
    """The sign before the fraction of a number that is typed; empty while nobody said.

    What has two readings is refused then.
    """
    return _decimal


def set_decimal(sign: str) -> None:
    global _decimal
    _decimal = sign


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
    """`start` moved by `away`, rounded to a multiple of `step` and kept inside the range; `start` itself while that is
    less than half a step.

    Where the step is declared, multiples count from the minimum: 8, 16, 24 ...; else from 0, for round values.
    """
    limits = spec.get(Range)
    base = limits.min if limits and limits.step else 0
    if 2 * abs(away) < step:
        return spec.type(start)
    if spec.type is int:
        # In whole numbers throughout: a seed has more digits than a float.
        first, stride = round(base), max(round(step), 1)
        value: int | float = first + (int(start) + round(away) - first + stride // 2) // stride * stride
    else:
        value = float(_exact(base) + round((start + away - base) / step) * _exact(step))
    return value if limits is None else min(max(value, spec.type(limits.min)), spec.type(limits.max))


def away_from(origin: int | float, steps: int, step: float) -> int | float:
    """`origin` with that many steps added. Counted from where stepping began, so that no way back is off by a bit."""
    if steps == 0:
        return origin
    if isinstance(origin, int):
        return origin + steps * max(round(step), 1)
    return float(_exact(origin) + steps * _exact(step))


def _exact(value: float) -> Fraction:
    """The number that is shown, not the binary fraction next to it: 0.1 and 0.2 make 0.3."""
    return Fraction(str(value))

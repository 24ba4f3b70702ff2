"""Numbers as people write them: with points or commas, groups of three, and sums. Exact; nothing is guessed.

"1,000" is a thousand to some and one to others. Such a number is refused with both readings, because either guess would
be wrong without a word for half the people.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from fractions import Fraction

MAX_LENGTH = 400  # characters of a sum
MAX_EXPONENT = 400  # a little more than any float has

_SPACES = " \u00a0\u2009\u202f"
_NUMERAL = re.compile(rf"(?:\d(?:[{_SPACES}'’]\d{{3}}|[\d.,_])*|[.,]\d+)(?:[eE][+-]?\d+)?")
_SUM = re.compile(r"[\d.eE_+\-*/() \t]+", re.ASCII)
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


class Ambiguous(ValueError):
    """readings: what the text may mean, as texts that mean one thing."""

    def __init__(self, text: str, readings: tuple[str, str]) -> None:
        super().__init__(f"{text!r} may be {readings[0]} or {readings[1]}")
        self.readings = readings


def read_number(text: str, kind: type[int] | type[float], decimal: str = "") -> int | float | None:
    """What was typed: a number, or a sum such as "3 * 64 + 8". decimal: the sign before fractions, where it is known.

    None when it is neither, or not whole for an int. Raises Ambiguous when it can be read in two ways.
    """
    text = re.sub(r"\d", lambda digit: str(int(digit[0])), text.strip())  # digits of every script
    plain = _NUMERAL.sub(lambda match: _plain(match[0], kind, decimal), text)
    if len(text) > MAX_LENGTH or not _SUM.fullmatch(plain):
        return None
    try:
        value = _result(ast.parse(plain, mode="eval").body, plain)
        return kind(value) if kind is float or value.denominator == 1 else None
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return None


def ambiguity(text: str, kind: type[int] | type[float]) -> str:
    """Both readings, to stand behind a text that was refused; empty when it is not ambiguous."""
    try:
        read_number(text, kind)
    except Ambiguous as error:
        return f", which may be {error.readings[0]} or {error.readings[1]}"
    return ""


def _plain(numeral: str, kind: type[int] | type[float], sign: str) -> str:
    """The numeral with a point for decimals and nothing else, or as it is where that cannot be told."""
    mantissa, mark, exponent = numeral.lower().partition("e")
    for space in f"{_SPACES}'’":
        if re.fullmatch(rf"\d{{1,3}}(?:{re.escape(space)}\d{{3}})+(?:[.,]\d*)?", mantissa):
            mantissa = mantissa.replace(space, "_")
    parts, separators = re.split(r"[.,]", mantissa), re.findall(r"[.,]", mantissa)
    if not separators:
        return (mantissa.lstrip("0_") or "0") + mark + exponent
    groups = re.fullmatch(r"[1-9]\d{0,2}", parts[0]) and all(re.fullmatch(r"\d{3}", part) for part in parts[1:])
    decimal = f"{''.join(parts[:-1])}.{parts[-1]}"
    if len(separators) == 1:
        # A point before digits that do not end in 0 is what the program itself shows of a fraction.
        own = kind is float and separators[0] == "." and not parts[1].endswith("0")
        if groups and not own and not (mark and separators[0] == "."):
            if not sign:
                raise Ambiguous(numeral, ("".join(parts), _short(decimal)))
            return (decimal if separators[0] == sign else "".join(parts)) + mark + exponent
        return decimal + mark + exponent
    if groups and len(set(separators)) == 1:
        return "".join(parts) + mark + exponent
    last = separators[-1]
    thousands = re.fullmatch(r"[1-9]\d{0,2}", parts[0]) and all(re.fullmatch(r"\d{3}", part) for part in parts[1:-1])
    if thousands and separators.count(last) == 1 and len(set(separators)) == 2:
        return decimal + mark + exponent
    return numeral


def _short(decimal: str) -> str:
    """With one digit behind the point at least, so that it can be typed in place of what was ambiguous."""
    whole, _, rest = decimal.partition(".")
    return f"{whole}.{rest.rstrip('0') or '0'}"


def _result(node: ast.expr, text: str) -> Fraction:
    """Raises ValueError for what is more than numbers, brackets and the four operations."""
    match node:
        case ast.Constant():
            numeral = ast.get_source_segment(text, node) or ""
            if abs(int(numeral.lower().partition("e")[2] or 0)) > MAX_EXPONENT:
                raise ValueError("out of range")
            return Fraction(numeral)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_result(operand, text)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _result(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_result(left, text), _result(right, text))
        case _:
            raise ValueError("not a sum")

"""Numbers, and what is computed with them; all of it happens while planning."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from nodegraph.node import node

MAX_EXPRESSION = 300  # characters: deeper nesting would exhaust the parser

_operator: Any = operator  # declared in part

OPERATORS: dict[type[Any], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _operator.truediv,
    ast.FloorDiv: _operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
}


@node("math.number", aliases=("float", "value", "constant"))
def number(value: float = 0.0) -> float:
    """A number to use in several places."""
    return value


@node("math.integer", aliases=("int", "value", "constant"))
def integer(value: int = 0) -> int:
    """A whole number to use in several places."""
    return value


@node("math.boolean", aliases=("true", "false", "toggle"))
def boolean(value: bool = False) -> bool:
    """Yes or no, for a switch."""
    return value


class Result(NamedTuple):
    number: float
    integer: int


@node("math.expression", aliases=("calculate", "formula", "add", "multiply", "divide"))
def expression(formula: str = "a + b", a: float = 0.0, b: float = 0.0, c: float = 0.0) -> Result:
    """Compute with a, b and c: + - * / // % **, brackets, pi, and min, max, abs, round, floor, ceil, sqrt, exp, log,
    sin, cos. integer: the result rounded.
    """
    value = evaluate(formula, {"a": a, "b": b, "c": c, "pi": math.pi})
    return Result(value, round(value))


@node("math.compare", aliases=("if", "greater", "less", "equal"))
def compare(a: float = 0.0, relation: Literal["<", "<=", "=", "!=", ">=", ">"] = "<", b: float = 0.0) -> bool:
    """Whether two numbers stand in this relation, for a switch."""
    relations = {"<": operator.lt, "<=": operator.le, "=": operator.eq}
    relations |= {"!=": operator.ne, ">=": operator.ge, ">": operator.gt}
    return relations[relation](a, b)


def evaluate(formula: str, names: Mapping[str, float]) -> float:
    """The value of an arithmetic expression; nothing else can be expressed in it.

    Raises ValueError when it is no such expression, or its value is not a finite number.
    """
    if len(formula) > MAX_EXPRESSION:
        raise ValueError(f"formula must be at most {MAX_EXPRESSION} characters long, got {len(formula)}")
    try:
        value = _value(ast.parse(formula.strip(), mode="eval").body, names)
    except SyntaxError:
        raise ValueError(f"formula {formula!r} is not complete: check its brackets and operators") from None
    except (ArithmeticError, _NoValue) as error:
        raise ValueError(f"formula {formula!r} has no value: {error}") from None
    if not math.isfinite(value):
        raise ValueError(f"formula {formula!r} has no finite value")
    return value


class _NoValue(Exception):
    """A function was given what it has no value for."""


def _value(tree: ast.expr, names: Mapping[str, float]) -> float:
    """Numbers are floats throughout: whole ones could grow without limit."""
    match tree:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            return _apply(OPERATORS[type(op)], operand, names=names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return _apply(OPERATORS[type(op)], left, right, names=names)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return _apply(FUNCTIONS[name], *args, names=names)
        case _:
            raise ValueError(f"formula cannot use {ast.unparse(tree)!r}; it knows {', '.join((*names, *FUNCTIONS))}")


def _apply(function: Callable[..., Any], *trees: ast.expr, names: Mapping[str, float]) -> float:
    values = [_value(tree, names) for tree in trees]
    try:
        return float(function(*values))
    except (ValueError, TypeError) as error:
        raise _NoValue(str(error)) from None

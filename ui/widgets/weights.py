"""What weighs more or less in a text: "(a cat:1.1)", made of a selection and changed by steps. No Qt here."""

from __future__ import annotations

import re
from typing import NamedTuple

STEP = 0.1
LEAST, MOST = 0.0, 10.0
"""By steps; others may be typed."""

_NUMBER = r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*"
_WHOLE = re.compile(rf"\((.*?)(?:{_NUMBER})?\)", re.DOTALL)
_BEHIND = re.compile(rf"(?:{_NUMBER})?\)")
_MARK = re.compile(rf"{_NUMBER}\)")
_BETWEEN_WORDS = " \t\n,.;:()[]"


class Weighed(NamedTuple):
    """What stands in place of text[start:end], and the part of the new text that is selected then."""

    start: int
    end: int
    instead: str
    selected: tuple[int, int]


def weigh(text: str, start: int, end: int, steps: int) -> Weighed | None:
    """The selection text[start:end], or the word there when it is empty, with that many steps more of weight.

    What has brackets of its own around it keeps them, and loses them at a weight of 1. None where nothing can be done:
    no word, brackets of which only one is selected, or no more weight.
    """
    start, end = _trimmed(text, start, end) if start < end else _word(text, start)
    if start == end or not _balanced(text[start:end]) or _cuts_a_number(text, start, end):
        return None
    outer, words, weight = _around(text, start, end)
    if _escaped(text, outer[0]):  # the bracket would be an ordinary sign
        return None
    after = round(weight + steps * STEP, 2)
    if not LEAST <= after <= MOST and abs(after) >= abs(weight):
        return None
    if re.search(rf"{_NUMBER}$", words):  # it would be read as the weight
        return None
    instead = words if after == 1.0 else f"({words}:{after:g})"
    inside = outer[0] + (0 if after == 1.0 else 1)
    return Weighed(*outer, instead, (inside, inside + len(words)))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _cuts_a_number(text: str, start: int, end: int) -> bool:
    """Whether the selection has a part of what says how much brackets weigh, and not all of it."""
    marks = (match.span() for match in _MARK.finditer(text))
    return any(first < end and start < last and not (start <= first and last <= end) for first, last in marks)


def _word(text: str, at: int) -> tuple[int, int]:
    start = end = at
    while start > 0 and text[start - 1] not in _BETWEEN_WORDS:
        start -= 1
    while end < len(text) and text[end] not in _BETWEEN_WORDS:
        end += 1
    return start, end


def _balanced(text: str) -> bool:
    """Whether every bracket has its other half in it. One behind a backslash is an ordinary sign."""
    opened: list[str] = []
    for sign in re.findall(r"\\.|[()\[\]]|\\$", text, re.DOTALL):
        if sign in "([":
            opened.append(sign)
        elif (sign in ")]" and (not opened or opened.pop() + sign not in ("()", "[]"))) or sign == "\\":
            return False
    return not opened


def _around(text: str, start: int, end: int) -> tuple[tuple[int, int], str, float]:
    """The selection with the round brackets that are its own, what is in them, and its weight."""
    own = _WHOLE.fullmatch(text[start:end])
    if own and _balanced(own[1]):
        return (start, end), own[1], _weight(own[2])
    behind = _BEHIND.match(text, end)
    if behind and start > 0 and text[start - 1] == "(" and not _escaped(text, start - 1):
        return (start - 1, behind.end()), text[start:end], _weight(behind[1])
    return (start, end), text[start:end], 1.0


def _escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _weight(number: str | None) -> float:
    """Brackets without a number weigh a step more."""
    return 1.0 + STEP if number is None else float(number)

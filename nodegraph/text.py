"""Text on its way out of the program: for one character that a place cannot hold, nothing else is lost."""

from __future__ import annotations


def whole(text: str) -> str:
    """The same text when UTF-8 can hold it; otherwise halves of surrogate pairs are joined, or replaced by U+FFFD.

    Such halves come from files (JSON allows them) and from programs that cut a text in the middle of an emoji.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


MAX_QUOTED = 200


def quoted(value: object) -> str:
    """A value from a file or a person as it stands in a sentence: cut off after MAX_QUOTED characters."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return shortened(text)


def shortened(text: str) -> str:
    """Cut off after MAX_QUOTED characters."""
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"

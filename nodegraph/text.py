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

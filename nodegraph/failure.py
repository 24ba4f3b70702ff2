"""What went wrong, in a sentence for people."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

OUT_OF_MEMORY = "there is not enough memory; try a smaller size or batch, or close other programs"


class Missing(ValueError):
    """Something is not there that no workflow brings, and that a person can get.

    remedy: the name of how, see `nodegraph.domain.Remedy`. places: the files or folders whose coming mends it, for who
    planned without them.
    """

    def __init__(self, sentence: str, remedy: str, places: Iterable[str] = ()) -> None:
        super().__init__(sentence)
        self.remedy, self.places = remedy, tuple(places)


def explain(error: Exception) -> tuple[str, str]:
    """(sentence, traceback). The traceback is empty for errors that a node raises for the user."""
    if _out_of_memory(error):
        return OUT_OF_MEMORY, ""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}", ""
    if isinstance(error, ValueError) and str(error):
        return str(error), ""
    text = "".join(traceback.format_exception(error))
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, text


def _out_of_memory(error: Exception) -> bool:
    # torch raises RuntimeErrors: a subclass of this name on an accelerator, and this text on the CPU
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )

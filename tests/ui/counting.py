"""How much work something is, in calls of functions: the same on a busy machine and on an idle one."""

import sys
from collections.abc import Callable
from typing import Any


def calls(act: Callable[[], object]) -> int:
    """How many functions, of Python and of C, an act calls."""
    count = 0

    def note(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count

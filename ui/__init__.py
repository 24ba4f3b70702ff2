"""The window, in Qt."""

from importlib import import_module
from typing import Any


def _leave_sources_unread() -> None:
    """PySide reads the source of every module that is imported after it, and Python keeps what was read.

    It looks whether the module is about Qt, for which one may ask for other spellings of names (`__feature__`). Nobody
    here does: without it the window is there a twentieth earlier, and in 11 MB less.
    """
    import_module("PySide6.QtCore")
    try:
        feature: Any = import_module("shibokensupport.feature")
    except ImportError:  # another version, without it or elsewhere
        return
    feature._mod_uses_pyside = _is_not_asked


def _is_not_asked(_module: object) -> bool:
    return False


_leave_sources_unread()

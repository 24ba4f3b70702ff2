"""Whether a window can be opened at all: Qt ends the program without a word of its own when no display answers."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Mapping

WITHOUT = "`denoodle run FILE` makes pictures without one"


def complaint(environment: Mapping[str, str]) -> str | None:
    """Why no window can be opened, as a sentence; None when one can be, or when that is for Qt to say."""
    if os.name != "posix" or sys.platform == "darwin" or environment.get("QT_QPA_PLATFORM"):
        return None
    wayland, x11 = environment.get("WAYLAND_DISPLAY"), environment.get("DISPLAY")
    if wayland and _answers(os.path.join(environment.get("XDG_RUNTIME_DIR", ""), wayland)):
        return None
    if x11 and _x_answers(x11):
        return None
    tried = [f"{name}={value}" for name, value in (("WAYLAND_DISPLAY", wayland), ("DISPLAY", x11)) if value]
    why = f"no display answers at {' or '.join(tried)}" if tried else "there is no display: DISPLAY is not set"
    return f"{why}; {WITHOUT}"


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as asked:
        try:
            asked.connect(path)
        except OSError:
            return False
    return True


def _x_answers(display: str) -> bool:
    """Asked through the library that Qt asks it through; without that, it is for Qt to say."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(display.encode(), None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not refused

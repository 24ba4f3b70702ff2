"""Where the program's files are: those that come with it, which are never written, and those that it keeps for later.

Workflows, models and the guide come with it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def find(packages: Path) -> Path:
    """packages: the folder that this package lies in: a checkout, or where an installer has put it."""
    installed = packages / "denoodle" / "share"
    return installed if installed.is_dir() else packages


FOLDER = find(Path(__file__).parents[1])
"""Paths that shipped workflows name, such as `models/starter`, lead from here."""
INSTALLED = FOLDER.name == "share"
"""Whether the program was installed; if not, it runs from a checkout."""


def offline() -> str:
    """Why nothing may be fetched over the network, in a sentence; empty when it may, for a person who asks for it.

    DENOODLE_OFFLINE and the hub's own HF_HUB_OFFLINE say so for a machine, `allow_network` for a person.
    """
    for name in ("DENOODLE_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on"):
            return f"nothing is fetched over the network: {name} is set"
    if _offline_file().exists():
        return "nothing is fetched over the network: that is switched off in the settings"
    return ""


def allow_network(on: bool) -> None:
    """Whether any process of this program may fetch something. Raises OSError when that cannot be kept."""
    if on:
        _offline_file().unlink(missing_ok=True)
    elif not _offline_file().exists():
        _offline_file().parent.mkdir(parents=True, exist_ok=True)
        _offline_file().touch()


def _offline_file() -> Path:
    """It is there while nothing may be fetched."""
    return data_folder() / "offline"


def data_folder() -> Path:
    """What was fetched or chosen once and is used again: DENOODLE_DATA, or the platform's folder for it."""
    if chosen := os.environ.get("DENOODLE_DATA"):
        return Path(chosen)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "denoodle" / "data"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "denoodle"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "denoodle"

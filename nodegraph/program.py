"""Where the files are that come with the program: workflows, models, the guide. They are read and never written."""

from __future__ import annotations

from pathlib import Path


def find(packages: Path) -> Path:
    """packages: the folder that this package lies in: a checkout, or where an installer has put it."""
    installed = packages / "denoodle" / "share"
    return installed if installed.is_dir() else packages


FOLDER = find(Path(__file__).parents[1])
"""Paths that shipped workflows name, such as `models/starter`, lead from here."""
INSTALLED = FOLDER.name == "share"
"""Whether the program was installed; if not, it runs from a checkout."""

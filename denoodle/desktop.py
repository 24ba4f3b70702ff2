"""Put the program among those of the desktop: in its menu, with its icon, and opening `.denoodle` files.

By the freedesktop.org specifications Desktop Entry 1.5, Shared MIME-info 0.21 and Icon Theme 0.13, in the folders of
the person who asks for it; nothing of the system is touched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

ENTRY = """[Desktop Entry]
Type=Application
Version=1.5
Name=Denoodle
GenericName=Diffusion workflow editor
Comment=Wire, run and look into diffusion workflows, step by step
Exec={command} %f
Icon=denoodle
Terminal=false
Categories=Graphics;2DGraphics;RasterGraphics;
Keywords=diffusion;image;workflow;node;
MimeType={mime};
StartupWMClass=denoodle
"""
MIME = "application/x-denoodle"
MIME_INFO = """<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="application/x-denoodle">
    <comment>Denoodle workflow</comment>
    <sub-class-of type="application/json"/>
    <icon name="denoodle"/>
    <glob pattern="*.denoodle"/>
  </mime-type>
</mime-info>
"""
CACHES = (
    ("update-desktop-database", "applications"),
    ("update-mime-database", "mime"),
    ("gtk-update-icon-cache", "icons/hicolor"),
)
"""Commands that make a desktop read again what is in a folder; one that is missing has no cache there either."""


def main(argv: list[str], called: str) -> int:
    """argv: install-desktop or remove-desktop. called: the command, for its help. The exit code."""
    parser = argparse.ArgumentParser(prog=called, description=__doc__)
    parser.add_argument("command", choices=["install-desktop", "remove-desktop"])
    command = parser.parse_args(argv).command
    if sys.platform in ("win32", "darwin"):
        print("This is for desktops that follow freedesktop.org, as those of Linux do", file=sys.stderr)
        return 2
    try:
        done = install(data_folder(), command_line()) if command == "install-desktop" else remove(data_folder())
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    print("\n".join(str(path) for path in done) or "nothing was there", file=sys.stdout)
    return 0


def data_folder() -> Path:
    """Where a person's own entries, types and icons are (XDG Base Directory Specification 0.8)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def command_line() -> tuple[str, ...]:
    """How the program was started, for starting it again from any folder."""
    script = Path(sys.argv[0]).absolute()
    return (str(script),) if os.access(script, os.X_OK) else (sys.executable, str(script))


def quoted(argument: str) -> str:
    """As Desktop Entry 1.5 has it in Exec: in quotes, with the reserved characters escaped, once more for the value."""
    inner = "".join("\\" + c if c in '"`$\\' else c for c in argument).replace("\\", "\\\\").replace("%", "%%")
    return f'"{inner}"'


def contents(command: tuple[str, ...]) -> dict[str, str]:
    """What belongs where, below the data folder."""
    line = " ".join(map(quoted, command))
    icon = files("ui").joinpath("icons", "denoodle.svg").read_text("utf-8")
    return {
        "applications/denoodle.desktop": ENTRY.format(command=line, mime=MIME),
        "mime/packages/denoodle.xml": MIME_INFO,
        "icons/hicolor/scalable/apps/denoodle.svg": icon,
        "icons/hicolor/scalable/mimetypes/application-x-denoodle.svg": icon,
    }


def install(folder: Path, command: tuple[str, ...]) -> list[Path]:
    """The files that were written. Raises OSError."""
    written: list[Path] = []
    for name, text in contents(command).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        written.append(path)
    _refresh(folder)
    return written


def remove(folder: Path) -> list[Path]:
    """The files that were there and are gone. Raises OSError."""
    found = [path for name in contents(("",)) if (path := folder / name).exists()]
    for path in found:
        path.unlink()
    _refresh(folder)
    return found


def _refresh(folder: Path) -> None:
    for command, name in CACHES:
        if (folder / name).is_dir() and (program := shutil.which(command)):
            subprocess.run([program, str(folder / name)], check=False, capture_output=True, timeout=60)

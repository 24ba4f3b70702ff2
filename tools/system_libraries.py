"""Find the system libraries Qt needs; install the missing ones where that is possible, else say how.

Runs before anything is installed: standard library only. On systems other than Debian and its
relatives it only reports.
"""

import ctypes
import os
import shutil
import subprocess
import sys

OFFSCREEN = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
}
X11 = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""Needed only where there is an X11 or Wayland display."""


def missing(libraries: dict[str, str]) -> list[str]:
    """The Debian packages of those libraries that the loader does not find."""
    packages: list[str] = []
    for library, package in libraries.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            packages.append(package)
    return packages


def main() -> int:
    if sys.platform != "linux":
        return 0
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    packages = missing({**OFFSCREEN, **X11} if display else OFFSCREEN)
    if not packages:
        return 0
    if shutil.which("apt-get") is None:
        print(f"Qt needs these libraries (Debian names): {' '.join(packages)}", file=sys.stderr)
        return 1
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if os.geteuid() != 0:
        print(f"Qt needs some system libraries. Please run:\n  sudo {' '.join(command)}", file=sys.stderr)
        return 1
    print(f"Installing the system libraries Qt needs: {' '.join(packages)}", file=sys.stderr)
    subprocess.run(["apt-get", "update", "-q"], check=False, stdout=subprocess.DEVNULL)
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())

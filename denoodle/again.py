"""A command that begins anew because what it computes on gave up, and what it knew by then.

A device that gave up takes its process with it. What was computed is in the cache on the disk, so the same command
goes on from there: it takes the place of its own process where the system lets it, which frees the device as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

VARIABLE = "DENOODLE_GOES_ON"
"""Names the file in which the process before left what it knew."""

MOST = 3
"""Processes that take up one run after another."""


@dataclass
class Before:
    """What is known from the processes before. nodes: at which the device gave up. images: what was written.

    written: the same by the key of the sink.
    """

    nodes: list[str | None] = field(default_factory=list[str | None])
    images: list[str] = field(default_factory=list[str])
    written: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def may_go_on(self, node: str | None) -> bool:
        """Whether another process may take up a run in which the device gave up at this node."""
        return node not in self.nodes and len(self.nodes) < MOST


def before() -> Before:
    """What the process before left, if there was one; read once."""
    place = os.environ.pop(VARIABLE, "")
    if not place:
        return Before()
    path = Path(place)
    try:
        return Before(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return Before()  # without it pictures are written once more, no worse
    finally:
        path.unlink(missing_ok=True)


def begin_anew(known: Before) -> NoReturn:
    """Start this command again with what is known, and end."""
    handle, place = tempfile.mkstemp(prefix="denoodle-", suffix=".json")
    with os.fdopen(handle, "w") as file:
        json.dump(asdict(known), file)
    environment = {**os.environ, VARIABLE: place}
    command = [sys.executable, *sys.orig_argv[1:]]
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if os.name == "posix":
        os.execve(sys.executable, command, environment)
    # Elsewhere a process cannot be exchanged for another: this one waits, and keeps what it holds of the device.
    os._exit(subprocess.call(command, env=environment))

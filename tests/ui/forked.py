"""Engines that are copies of one process which has imported what all of them import: a tenth of the time to start one.

The program spawns each anew, and so do the tests of the engine itself (tests/nodegraph/running) and of whole programs.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

spawn = multiprocessing.get_context


class Forked:
    """In the place of multiprocessing's `spawn`. A copy has the environment of the process that asks for it."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["nodegraph.running.engine", "tests.toy_nodes"])
        self.Pipe = self._context.Pipe

    def Process(self, *, target: Callable[..., object], args: tuple[Any, ...], **named: Any) -> Any:
        return self._context.Process(target=_begin, args=(dict(os.environ), target, args), **named)


def _begin(environment: dict[str, str], target: Callable[..., object], args: tuple[Any, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    target(*args)


def begin() -> Callable[[str], Any]:
    """In place of multiprocessing.get_context. The process is started at once: here its modules are found."""
    from multiprocessing import forkserver  # which Windows does not have

    forked = Forked()
    forkserver.ensure_running()
    return lambda method: forked if method == "spawn" else spawn(method)

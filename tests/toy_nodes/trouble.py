"""Nodes that misbehave in every way the editor must survive."""

import ctypes
import os
import signal
import time
from pathlib import Path

from nodegraph.node import node
from tests.toy_nodes.boxes import Box


@node("toy.refuse")
def refuse(box: Box) -> Box:
    """Raise a sentence for the user."""
    raise ValueError("the box must be red")


@node("toy.bug")
def bug(box: Box) -> Box:
    """Raise what no author meant to raise."""
    raise KeyError("lid")


@node("toy.crash")
def crash(box: Box) -> Box:
    """End the process as a failed assertion in native code does."""
    signal.signal(signal.SIGABRT, signal.SIG_DFL)  # without pytest's or faulthandler's report
    os.abort()


@node("toy.leave")
def leave(box: Box) -> Box:
    """End the process quietly."""
    os._exit(3)


@node("toy.killed")
def killed(box: Box) -> Box:
    """End as the system ends a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return box


@node("toy.eat_memory")
def eat_memory(box: Box) -> Box:
    """Ask for more memory than any machine has."""
    return Box(len(bytearray(1 << 60)))


@node("toy.break")
def break_(box: Box, times: int = 1, counter: str = "") -> Box:
    """Break what all toys run on, so often; how often it did is in a file."""
    count = Path(counter)
    done = len(count.read_text()) if count.exists() else 0
    if done < times:
        count.write_text("x" * (done + 1))
        raise RuntimeError("toys broke: an illegal memory access was encountered")
    return box


@node("toy.hang")
def hang(box: Box) -> Box:
    """Sleep in native code with the interpreter locked, so that no other thread of the process runs."""
    ctypes.PyDLL(None).sleep(100_000)
    return box


@node("toy.deaf")
def deaf(box: Box) -> Box:
    """Never report progress, so never notice that nobody waits any more."""
    time.sleep(100_000)
    return box

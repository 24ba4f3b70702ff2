"""One process after the other starts, reads what is there, writes on, and is killed at a random moment."""

import json
import os
import random
import select
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from nodegraph.formats.files import HIDDEN

SPAN = 0.02  # seconds from when a process has read until it is killed, at most
PATIENCE = 60.0  # seconds of silence, after which a process counts as hung
OLDER = 200  # states before the last promised one that are tried, to tell what was lost from what is damaged
EARLY, SURE = 8, 4
"""Of so many lives one is killed while it starts, and one not before it has written."""


class Kept(Protocol):
    """Something of the program that outlasts it, just started in a folder. Raises what it cannot read.

    It goes through states 0, 1, 2, ..., each one atomic step away from the one before.
    """

    def __init__(self, folder: Path) -> None: ...

    def write(self, number: int) -> None:
        """Go from the state before to this one. It is promised to be kept when this returns."""
        ...

    def read(self) -> Any:
        """What the start has found; equal to the `state` that it is."""
        ...

    @staticmethod
    def state(number: int) -> Any: ...

    def left(self) -> list[str]:
        """What nobody needs any more and is still there after the start."""
        ...


@dataclass
class Outcome:
    """What kills did to one kind.

    promised: states (or pictures) that were said to be written. unpromised: that were found though the kill came before
    they were promised. halves: hidden files that kills left. faults: examples, as sentences.
    """

    kind: str
    kills: int = 0
    promised: int = 0
    unpromised: int = 0
    halves: int = 0
    lost: int = 0
    damaged: int = 0
    left: int = 0
    faults: list[str] = field(default_factory=list[str])

    @property
    def good(self) -> bool:
        """Nothing was wrong, and the processes got so much done that this says something."""
        return not self.faults and not (self.lost or self.damaged or self.left) and self.promised > self.kills // 10


def kill_many(kind: type[Kept], name: str, folder: Path, kills: int, chance: random.Random) -> Outcome:
    """Live and die so many times in one folder, and start once more."""
    outcome, known, took = Outcome(name), 0, SPAN
    for life in range(kills + 1):
        early = life % EARLY == 1 and life < kills
        known, took = _live(kind, folder, outcome, known, chance, took if early else 0.0, life % SURE == 0)
        outcome.kills += life < kills
        outcome.halves += len(hidden(folder))
    return outcome


def hidden(folder: Path) -> list[str]:
    """The half-written files in a folder and those inside."""
    return [path.name for path in folder.rglob(f".*{HIDDEN}")]


def _live(
    kind: type[Kept], folder: Path, outcome: Outcome, known: int, chance: random.Random, early: float, sure: bool
) -> tuple[int, float]:
    """One life. known: the last promised state. early: seconds within which to kill it, 0 for after it has read.

    sure: not before it has written. The last promised state afterwards, and how long the start took.
    """
    pid, ear = _start(kind, folder, known)
    told, started, took = _told(ear), time.monotonic(), early
    seen: list[tuple[str, Any]] = []
    if not early:
        for what, value in told:
            seen.append((what, value))
            if what == "found":
                took = time.monotonic() - started
            if what in ("wrote", "fault") or (what == "found" and not sure):
                break
    time.sleep(chance.uniform(0, early or SPAN))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    seen += told  # until the end
    if status != signal.SIGKILL and not any(what == "fault" for what, _ in seen):
        seen.append(("fault", f"a process ended by itself, with {status}"))
    os.close(ear)
    return _judge(outcome, seen, known), took


def _judge(outcome: Outcome, told: list[tuple[str, Any]], known: int) -> int:
    """Take note of what a life told; the last promised state."""
    for what, value in told:
        match what:
            case "found":
                outcome.unpromised += value > known
                known = value
            case "wrote":
                outcome.promised += 1
                known = value
            case "left":
                outcome.left += len(value)
                outcome.faults.append(f"left over: {', '.join(value)}")
            case "lost":
                outcome.lost += known - value
                outcome.faults.append(f"state {known} was promised, and {value} is found")
                known = value
            case _:
                outcome.damaged += 1
                outcome.faults.append(str(value))
    return known


def _start(kind: type[Kept], folder: Path, known: int) -> tuple[int, int]:
    """A new process, and where to read what it tells."""
    ear, mouth = os.pipe()
    child = os.fork()
    if child:
        os.close(mouth)
        return child, ear

    def tell(what: str, value: Any) -> None:
        os.write(mouth, json.dumps([what, value]).encode() + b"\n")

    try:
        os.fsync = lambda _: None  # a kill takes nothing from the system's cache; so a short life gets more done
        _work(kind, folder, known, tell)
    except BaseException:  # whatever it is, the parent shall hear of it
        tell("fault", traceback.format_exc()[-1500:])
    finally:
        os._exit(1)


def _work(kind: type[Kept], folder: Path, known: int, tell: Any) -> None:
    kept = kind(folder)
    found = kept.read()
    expected = (known, known + 1, *range(known - 1, max(known - OLDER, 0) - 1, -1))
    number = next((n for n in expected if kept.state(n) == found), None)
    if number is None:
        raise ValueError(f"state {known} was promised; what is found is none: {found!r:.600}")
    if left := kept.left():
        tell("left", left[:5])
    if number < known:
        tell("lost", number)
    tell("found", number)
    for n in count(number + 1):
        kept.write(n)
        tell("wrote", n)


def _told(ear: int) -> Iterator[tuple[str, Any]]:
    """What a process tells, until it is gone."""
    rest = b""
    while True:
        if not select.select([ear], [], [], PATIENCE)[0]:
            yield "fault", f"nothing was heard for {PATIENCE:.0f} s"
            return
        got = os.read(ear, 1 << 16)
        if not got:
            return
        *lines, rest = (rest + got).split(b"\n")
        yield from (tuple(json.loads(line)) for line in lines)

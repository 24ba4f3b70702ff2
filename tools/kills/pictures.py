"""Four processes save pictures into one folder as fast as they can, and are killed one after the other."""

import json
import os
import random
import signal
import time
from collections import Counter
from itertools import count
from pathlib import Path

from nodegraph.formats import png
from nodegraph.formats.files import remove_leftovers
from nodes.naming import write
from tests.nodegraph.formats.test_png import HEADER, PIXELS, chunk
from tools.kills.lives import Outcome

AT_ONCE = 4
SWEEP_EVERY = 10  # kills


def picture(who: str) -> bytes:
    """Of some size between 1 and 30 KB; who: decides every byte."""
    chance = random.Random(who)
    body = chunk(b"junk", chance.randbytes(chance.randrange(1000, 30_000)))
    return png.with_texts(HEADER + body + PIXELS, {"who": who})


def save_for_ever(folder: Path, log: int, name: str) -> None:
    """Until the process that started this one is gone, whatever ended it."""
    parent = os.getppid()
    for number in count():
        if os.getppid() != parent:
            return
        who = f"{name}-{number}"
        path = write(folder, "cat_", "", picture(who))
        os.write(log, json.dumps([path.name, who]).encode() + b"\n")


def start(folder: Path, log: int, name: str) -> int:
    child = os.fork()
    if child:
        return child
    try:
        save_for_ever(folder, log, name)
    finally:
        os._exit(1)


def kill_many(folder: Path, kills: int, chance: random.Random) -> Outcome:
    """Left-overs are cleared away beside those that write."""
    folder.mkdir(parents=True)
    log = os.open(folder.with_suffix(".log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    children = [start(folder, log, f"first{i}") for i in range(AT_ONCE)]
    troubled = 0
    for kill in range(kills):
        time.sleep(chance.uniform(0, 0.01))
        place = chance.randrange(AT_ONCE)
        os.kill(children[place], signal.SIGKILL)
        _, status = os.waitpid(children[place], 0)
        troubled += status != signal.SIGKILL
        children[place] = start(folder, log, f"next{kill}")
        if kill % SWEEP_EVERY == 0:
            remove_leftovers(folder)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return judged(folder, kills, troubled)


def judged(folder: Path, kills: int, troubled: int) -> Outcome:
    """What the folder holds, beside what was promised. troubled: processes that ended by themselves, as none should."""
    told = [json.loads(line) for line in folder.with_suffix(".log").read_bytes().splitlines()]
    halves = sum(path.name.startswith(".") for path in folder.iterdir())
    remove_leftovers(folder)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    who = {name: png.read_text(folder / name, "who") or "" for name, data in found.items() if data}
    counts = {
        "are empty": sum(not data for data in found.values()),
        "are broken": sum(data != picture(who.get(name, "")) for name, data in found.items() if data),
        "are there twice": sum(count > 1 for count in Counter(who.values()).values()),
        "were saved by processes that ended by themselves": troubled,
    }
    lost = sum(who.get(name) != told_who for name, told_who in told)
    left = sum(name.startswith(".") for name in found)
    faults = [f"{count} pictures {what}" for what, count in counts.items() if count]
    unpromised = len(found) - len(told)
    return Outcome(
        "pictures", kills, len(told), unpromised, halves, lost, damaged=sum(counts.values()), left=left, faults=faults
    )

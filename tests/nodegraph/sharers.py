"""One of several processes that open, read, write and close one cache; says what goes wrong, and nothing otherwise.

python -m tests.nodegraph.sharers FOLDER SEED
"""

import random
import sys
from pathlib import Path

from nodegraph.running.cache import DiskCache
from tests.nodegraph.toys import Box, JsonCodec

STARTS, RESULTS, KEYS = 60, 8, 60
LIMIT = 400
"""Bytes: room for half of what is written, so something is always being deleted."""


def start(folder: Path, chance: random.Random) -> None:
    cache = DiskCache(folder, LIMIT, JsonCodec())
    for _ in range(RESULTS):
        number = chance.randrange(KEYS)
        found = cache.load(str(number))
        if found is None:
            cache.store(str(number), (Box(number * 1000.5),), seconds=1.0)
        elif found != (Box(number * 1000.5),):
            print(f"{number} came back as {found}")
    if chance.random() < 0.02:
        cache.clear()
    cache.close()


if __name__ == "__main__":
    chance = random.Random(int(sys.argv[2]))
    for _ in range(STARTS):
        start(Path(sys.argv[1]), chance)

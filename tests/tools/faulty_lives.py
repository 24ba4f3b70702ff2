"""Four keepers that break their promises, and one that keeps them, each killed; the outcomes as JSON.

python -m tests.tools.faulty_lives FOLDER KILLS
"""

import json
import os
import random
import sys
from dataclasses import asdict
from pathlib import Path

from nodegraph.formats.files import HIDDEN, write_atomic
from tools.kills.lives import kill_many


class Careful:
    """A number in a file, with much behind it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "number"

    def write(self, number: int) -> None:
        write_atomic(self.file, self.text(number))

    def read(self) -> bytes:
        return self.file.read_bytes() if self.file.exists() else self.text(0)

    def left(self) -> list[str]:
        return [path.name for path in self.file.parent.glob(f".other*{HIDDEN}")]

    @staticmethod
    def text(number: int) -> bytes:
        return b"%d\n" % number * 200

    @classmethod
    def state(cls, number: int) -> bytes:
        return cls.text(number)


class Torn(Careful):
    def write(self, number: int) -> None:
        with self.file.open("wb", buffering=0) as file:
            for line in self.text(number).splitlines(keepends=True):
                file.write(line)


class Late(Careful):
    """Promises ten states before it writes the first of them: so a kill at whatever moment loses some."""

    def write(self, number: int) -> None:
        super().write(max(number - 10, 0))


class Untidy(Careful):
    def write(self, number: int) -> None:
        (self.file.parent / f".other{number}{HIDDEN}").touch()
        super().write(number)


class Crashing(Careful):
    def write(self, number: int) -> None:
        super().write(number)
        if number % 3 == 0:
            os._exit(0)


if __name__ == "__main__":
    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    outcomes = {}
    for kind in (Careful, Torn, Late, Untidy, Crashing):
        (folder / kind.__name__).mkdir()
        outcome = kill_many(kind, kind.__name__, folder / kind.__name__, kills, random.Random(1))
        outcomes[kind.__name__] = {**asdict(outcome), "good": outcome.good}
    print(json.dumps(outcomes))

"""Kill processes at random moments while they write, and see what the next start finds.

python -m tools.kills [--kills 1000] [--seed 1] [--only NAME ...] [--write]
"""

import argparse
import multiprocessing
import os
import platform
import random
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tools import page
from tools.kills import pictures
from tools.kills.kinds import KINDS
from tools.kills.lives import Outcome, kill_many

NAMES = ("pictures", *KINDS)
SHOWN = 3  # faults of each kind that are written out
COLUMNS = (
    "what is written", "kills", "promised", "found, not yet promised", "half-written files", "lost", "damaged",
    "left after the next start",
)  # fmt: skip


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: a row for each kind."""
    rows = [
        (o.kind, *(f"{n:,}" for n in (o.kills, o.promised, o.unpromised, o.halves, o.lost, o.damaged, o.left)))
        for o in outcomes
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (COLUMNS, ["---"] * len(COLUMNS), *rows))


def kill_kind(name: str, kills: int, seed: int) -> Outcome:
    """In a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="kills") as folder:
        chance = random.Random(seed)
        if name in KINDS:
            return kill_many(KINDS[name], name, Path(folder), kills, chance)
        return pictures.kill_many(Path(folder) / "out", kills, chance)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.kills", description=str(__doc__).splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=NAMES, default=NAMES)
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    args = parser.parse_args()
    outcomes: list[Outcome] = []
    # All kinds at once: a life waits more than it computes. Forked, for a life is a fork of a process with one thread.
    with multiprocessing.get_context("fork").Pool(len(args.only)) as pool:
        for outcome in pool.imap(partial(kill_kind, kills=args.kills, seed=args.seed), args.only):
            outcomes.append(outcome)
            for fault in outcome.faults[:SHOWN]:
                print(f"{outcome.kind}: {fault}", file=sys.stderr, flush=True)
    print(table(outcomes))
    if args.write:
        machine = (
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        page.put(page.RELIABILITY, "kills", f"Seed {args.seed}, on {machine}.\n\n{table(outcomes)}")
    return int(not all(outcome.good for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())

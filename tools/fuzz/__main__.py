"""Tries all readers, as many at once as there are cores: `python -m tools.fuzz [--minutes 10] [--only NAME ...]`.

Exit code 1 when a case ended otherwise than in a reading or a sentence.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tools import page
from tools.fuzz.readers import READERS, ROOT
from tools.fuzz.worker import case_of

BATCH = 2000  # cases of a process
PATIENCE = 60.0  # seconds of silence, after which a process counts as hung
SHOWN = 3  # faults of each reader that are written out


@dataclass
class Tally:
    """How the cases of one reader ended; faults by kind, with (number, detail) of each."""

    reader: str
    ends: Counter[str] = field(default_factory=Counter[str])
    faults: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        return self.ends.total() + len(self.faults)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[reader.name for reader in READERS])
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--count", type=int, help="cases of each reader, instead of a time")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the cases that failed there")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    return parser.parse_args()


def run_batch(tally: Tally, seed: int, first: int, count: int, folder: str, until: float) -> int:
    """One process's cases; the number of the next case. It is ended when the time is over."""
    command = [sys.executable, "-m", "tools.fuzz.worker", folder, str(seed), str(first), str(count), tally.reader]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT, env=environment)
        assert process.stdout is not None
        number, ended = first - 1, True
        for line in process.stdout:
            said = json.loads(line)
            if "case" in said:
                number, ended = said["case"], False
                if time.monotonic() > until:
                    process.kill()
                    process.wait()
                    return number
                continue
            ended = True
            if "fault" in said:
                tally.faults.append((said["fault"], number, said["detail"]))
            else:
                tally.ends[said["end"]] += 1
        code = process.wait(PATIENCE)
        if code == 0:
            return first + count
        errors.seek(0)
        detail = errors.read().decode(errors="replace")[-800:]
        if number < first:
            raise SystemExit(f"{tally.reader}: the process did not start: {detail}")
        if ended:
            raise SystemExit(f"{tally.reader}: the process ended by itself after case {number}: {detail}")
        kind = "slow" if code == -signal.SIGPROF else f"died ({code})"
        tally.faults.append((kind, number, detail))
        return number + 1


def try_reader(name: str, arguments: argparse.Namespace, seconds: float) -> Tally:
    """Cases of one reader until its time is over, or so many."""
    tally, started = Tally(name), time.monotonic()
    until = started + (seconds if arguments.count is None else 1e9)
    number, last = arguments.first, arguments.first + (arguments.count or 10**9)
    with tempfile.TemporaryDirectory() as folder:
        while number < last and time.monotonic() < until:
            number = run_batch(tally, arguments.seed, number, min(BATCH, last - number), folder, until)
    tally.seconds = time.monotonic() - started
    return tally


def keep(tally: Tally, arguments: argparse.Namespace) -> None:
    """The failed cases as files."""
    reader = next(reader for reader in READERS if reader.name == tally.reader)
    examples = list(reader.examples())
    arguments.keep.mkdir(parents=True, exist_ok=True)
    for kind, number, _ in tally.faults:
        name = f"{tally.reader} {kind} {number}{Path(reader.file).suffix}".replace("/", "_")
        (arguments.keep / name).write_bytes(case_of(reader, examples, arguments.seed, number))


def report(tally: Tally) -> None:
    """A line of the table, and the first faults."""
    numbers = (tally.cases, tally.ends["read"], tally.ends["refused"], len(tally.faults))
    print(f"{tally.reader:32}" + "".join(f"{number:9,}" for number in numbers) + f"{tally.seconds:9.1f}", flush=True)
    for kind, number, detail in tally.faults[:SHOWN]:
        print(f"  {kind}, case {number}: {detail}", flush=True)


def table(tallies: list[Tally], seed: int) -> str:
    """The outcome as Markdown."""
    cases, faults = sum(tally.cases for tally in tallies), sum(len(tally.faults) for tally in tallies)
    rows = []
    for tally in tallies:
        numbers = (tally.cases, tally.ends["read"], tally.ends["refused"], len(tally.faults))
        rows.append(f"| {tally.reader} | " + " | ".join(f"{number:,}" for number in numbers) + " |")
    heads = "| what is read | cases | read | refused in a sentence | faults |\n|---|---|---|---|---|"
    return "\n".join((f"Seed {seed}: {cases:,} cases, {faults} faults.", "", heads, *rows))


def main() -> None:
    arguments = parse_arguments()
    names = arguments.only or [reader.name for reader in READERS]
    at_once = min(len(names), os.cpu_count() or 1)
    seconds = 60 * arguments.minutes * at_once / len(names)
    print(
        f"{'reader':32}" + "".join(f"{head:>9}" for head in ("cases", "read", "refused", "faults", "seconds")),
        flush=True,
    )
    with ThreadPoolExecutor(at_once) as pool:
        tallies: list[Tally] = []
        for tally in pool.map(lambda name: try_reader(name, arguments, seconds), names):
            report(tally)
            if arguments.keep and tally.faults:
                keep(tally, arguments)
            tallies.append(tally)
    faults = sum(len(tally.faults) for tally in tallies)
    print(f"{sum(tally.cases for tally in tallies):,} cases, {faults} faults")
    if arguments.write:
        page.put(page.RELIABILITY, "fuzz", table(tallies, arguments.seed))
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()

"""The fuzzer finds what it looks for, and a fixed sample of its cases finds nothing in the program."""

import json
import random
import subprocess
import sys
import zlib
from itertools import pairwise
from pathlib import Path

import pytest

from tests.examples import each
from tools.fuzz import bombs, mutations
from tools.fuzz.readers import READERS
from tools.fuzz.worker import case_of

ROOT = Path(__file__).parents[2]
SAMPLE = 1  # case of each reader; twelve in the slow test


def run(folder: Path, count: int, *names: str) -> list[dict[str, str]]:
    """What a worker says of its cases, one after the other."""
    command = [sys.executable, "-m", "tools.fuzz.worker", str(folder), "1", "0", str(count), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("count", [SAMPLE, pytest.param(12, marks=pytest.mark.slow)])
def test_damaged_input_ends_in_a_reading_or_in_a_sentence(tmp_path: Path, count: int):
    told = run(tmp_path, count, *(reader.name for reader in READERS))
    assert not [(before, line) for before, line in pairwise(told) if "fault" in line]
    assert sum("end" in line for line in told) == count * len(READERS)


@each("reader", READERS)
def test_a_case_is_the_same_whenever_it_is_made(reader):
    examples = list(reader.examples())
    cases = [case_of(reader, examples, 3, number) for number in range(6)]
    assert cases == [case_of(reader, examples, 3, number) for number in range(6)]
    assert len(set(cases) - set(examples)) >= 3


GUARDED = """
import sys, time
from pathlib import Path
from tools.fuzz import guard as guards
from tools.fuzz.guard import Forbidden, Guard
folder = Path(sys.argv[1])
guard = Guard(folder)
guards.CPU_SECONDS = 0.5
for act in sys.argv[2:]:
    try:
        with guard.case(0):
            exec(act)
    except (Forbidden, MemoryError) as error:
        print(type(error).__name__, flush=True)
    else:
        print("nothing", flush=True)
"""
ACTS = {
    "(folder / 'inside').write_text('a')": "nothing",
    "open(folder.parent / 'outside', 'w')": "Forbidden",
    "Path.unlink(folder.parent / 'outside', missing_ok=True)": "Forbidden",
    "import socket; socket.create_connection(('127.0.0.1', 9), 1)": "Forbidden",
    "import os; os.system('true')": "Forbidden",
    "import pickle; pickle.loads(b'cbuiltins' + bytes([10]) + b'len' + bytes([10]) + b'.')": "Forbidden",
    "bytearray(400 << 20)": "MemoryError",
}


def test_what_no_reading_may_do_is_seen_and_one_that_takes_too_long_ends_the_process(tmp_path: Path):
    folder = tmp_path / "cases"
    folder.mkdir()
    command = [sys.executable, "-c", GUARDED, str(folder), *ACTS, "while True: pass", "pass"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert dict(zip(ACTS, done.stdout.split(), strict=True)) == ACTS
    assert done.returncode == -27  # SIGPROF


def test_a_damaged_journal_has_a_checksum_that_fits():
    body = b'{"a": [1, 2, 3]}'
    line = f"{zlib.crc32(body):08x} ".encode() + body + b"\n"
    damaged = [mutations.of_lines(line * 3, random.Random(seed)) for seed in range(20)]
    checked = [part.partition(b" ") for data in damaged for part in data.splitlines() if part[8:9] == b" "]
    fitting = [f"{zlib.crc32(rest):08x}".encode() == start for start, _, rest in checked]
    assert len(fitting) > 40
    assert sum(fitting) > 40


def test_every_bomb_is_small():
    assert all(len(json.dumps(bomb)) < 60_000 for bomb in bombs.all_bombs())

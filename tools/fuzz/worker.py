"""One process that reads case after case: `python -m tools.fuzz.worker FOLDER SEED FIRST COUNT READER...`.

Writes a line of JSON for each case: {"case": number, "reader": name} before it, then {"end": "read" or "refused"} or
{"fault": what, "detail": text}. Ends by SIGPROF when a case takes longer than it may.
"""

import gc
import json
import os
import random
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

from tools.fuzz.guard import Forbidden, Guard
from tools.fuzz.readers import READERS, Reader

LONGEST_SENTENCE = 600  # a refusal: one line, with room for a path


def tell(**fields: object) -> None:
    """One line to the parent, whole and at once."""
    os.write(1, json.dumps(fields).encode() + b"\n")


def case_of(reader: Reader, examples: list[bytes], seed: int, number: int) -> bytes:
    """The bytes of a case, which no other process or order of cases changes."""
    rng = random.Random(f"{seed} {reader.name} {number}")
    return reader.mutate(rng.choice(examples), rng)


def try_case(reader: Reader, guard: Guard, folder: Path, data: bytes) -> None:
    """Reads one case and tells how it ended."""
    (folder / reader.file).write_bytes(data)
    try:
        with guard.case(len(data)):
            reader.read(folder)
    except reader.refusals as refusal:
        sentence = str(refusal)
        if "\n" in sentence or not sentence or len(sentence) > LONGEST_SENTENCE:
            tell(fault="no sentence", detail=repr(sentence)[:500])
        else:
            tell(end="refused", sentence=sentence)
    except Forbidden as act:
        tell(fault="forbidden", detail=str(act))
    except MemoryError:
        tell(fault="memory", detail=traceback.format_exc(limit=-4)[-800:])
    except BaseException:
        tell(fault="traceback", detail=traceback.format_exc(limit=-6)[-1500:])
    else:
        tell(end="read")


def main() -> None:
    place, seed, first, count, *names = sys.argv[1:]
    readers = [reader for reader in READERS if reader.name in names]
    with tempfile.TemporaryDirectory(dir=place) as top:
        guard = Guard(Path(top))
        ready: list[tuple[Reader, list[bytes], Path]] = []
        gc.disable()  # what is imported on the way stays
        os.environ["TMPDIR"] = top  # what writes a temporary file writes it there
        tempfile.tempdir = top
        for index, reader in enumerate(readers):
            folder = Path(top) / str(index)
            folder.mkdir()
            reader.prepare(folder)
            ready.append((reader, list(reader.examples()), folder))
        for reader, examples, folder in ready:
            # What is imported on first use is imported here, where nobody watches.
            (folder / reader.file).unlink(missing_ok=True)
            for example in examples[:2]:
                (folder / reader.file).write_bytes(example)
                with suppress(*reader.refusals):
                    reader.read(folder)
            (folder / reader.file).unlink(missing_ok=True)
        gc.freeze()
        gc.enable()
        for number in range(int(first), int(first) + int(count)):
            for reader, examples, folder in ready:
                data = case_of(reader, examples, int(seed), number)
                tell(case=number, reader=reader.name)
                try_case(reader, guard, folder, data)


if __name__ == "__main__":
    main()

"""The oracle table: python -m tools.oracle [--family NAME ...] [--task TASK ...] [--write]

Writes docs/oracle.md; with a choice of families or tasks it shows them and, unless --write, writes nothing. With it
the rest of the page stays, and what it lacks is added.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before they are imported

import diffusers
import transformers

from tools import page
from tools.oracle.asking import TASKS
from tools.oracle.cells import LIMIT, Errors, cell
from tools.oracle.files import Files
from tools.oracle.page import PAGE, is_missing, kept, number, table
from tools.oracle.rows import ROWS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", action="append", choices=[row.name for row in ROWS], default=[])
    parser.add_argument("--task", action="append", choices=list(TASKS), default=[])
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    _hush()
    before = kept(PAGE.read_text("utf-8"))
    results: dict[str, dict[str, Errors | None]] = {task: {} for task in TASKS}
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder))
        for row in ROWS:
            for task in TASKS:
                is_chosen = row.name in (chosen.family or [row.name]) and task in (chosen.task or TASKS)
                if not is_chosen and not (chosen.write and is_missing(before, row, task)):
                    continue
                results[task][row.name] = errors = cell(row, task, files)
                if errors is not None:
                    worst = max(worst, *errors.values())
                    print(row.title, task, *map(number, errors.values()), flush=True)
    print(f"the worst is {number(worst)}, {number(LIMIT)} is the most that is allowed")
    if chosen.write or not (chosen.family or chosen.task):
        page.put(PAGE, "oracle", table({task: before[task] | found for task, found in results.items()}))
    return int(worst > LIMIT)


def _hush() -> None:
    """What the stock pipelines say of their own parts is no news of ours."""
    warnings.simplefilter("ignore")
    for library in (diffusers, transformers):
        logging: Any = library.logging
        logging.set_verbosity_error()
        logging.disable_progress_bar()


if __name__ == "__main__":
    sys.exit(main())

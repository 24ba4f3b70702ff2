"""All benchmarks: prints their tables and writes docs/benchmarks.md.

python -m tools.bench [executor window sampling loading cluster library]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

TOPICS = {
    "executor": (
        "The graph engine",
        "Graphs of trivial nodes, planned and run; thread CPU milliseconds, best of several runs, Python's cyclic "
        "collector off. One edit changes a leaf of the tree or the end of the chain.",
    ),
    "window": (
        "The editor",
        "1600 × 1000, raster painting, offscreen, 1.5 links a node; CPU milliseconds of the window's thread: of frames "
        "the median (95 %), of what else a person does the longest stretch until all that comes of it is done.",
    ),
    "sampling": (
        "Denoising",
        "10 guided steps at 256 × 256 on all cores with a random U-Net of Stable Diffusion 1.5's size: the stock loop "
        "of diffusers, our step functions in a plain loop, and the same through the engine, taking turns in one "
        "process. Least seconds of two rounds; ratios are good to some 15 %.",
    ),
    "loading": (
        "Loading a checkpoint",
        "A one-file Stable Diffusion 1.5 checkpoint in float32, until a prompt is encoded.",
    ),
    "cluster": (
        "A Ray cluster on this machine",
        "Trivial nodes, so that what is seen is what handing out cells costs; wall seconds, Ray's start apart.",
    ),
    "library": (
        "A library of 20,000 files",
        "Sparse files with the tables of tensors of real ones, of a mixture of kinds and families; CPU seconds "
        "are of all processes; "
        "searches find all that match and look up a page of it.",
    ),
}
ON_A_CARD = (
    "`python -m tools.gpu_check` measures a card in at most four minutes, writes `gpu_check.md` and",
    "`gpu_check.json` as it goes, and downloads nothing: the weights are random and made on the card. It makes",
    "pictures of Stable Diffusion 1.5's size (512 and 1024, batch 1 and 4), SDXL's and Flux's (1024) with",
    "Denoodle, with the stock pipeline of diffusers, and with its blocks compiled: milliseconds a step, from Run",
    "to PNG, loading, peak memory. It compares the pictures of the shipped workflows, and of a tiny model of each",
    "family, with the processor's; and it makes some with 8 and 4 GB alone. What the card has no room or the",
    "script no time for is a line that says so. `--tiny --device cpu` runs all of it without a card, to see that",
    "it works; `pytest -m gpu` has the same comparisons as tests. A table of a card is not here yet: there was",
    "none at hand since the script was written.",
)
TARGET = Path(__file__).parents[2] / "docs" / "benchmarks.md"
RUN = """
import importlib, json, sys
for row in importlib.import_module(sys.argv[1]).rows():
    print(json.dumps(row), flush=True)
"""


def measure(topic: str) -> Iterator[dict[str, Any]]:
    """The rows of one benchmark, run in a process of its own so that none pays for another's imports."""
    command = [sys.executable, "-c", RUN, f"tools.bench.{topic}"]
    # Without it, several OpenMP threads may share a core of a virtual machine.
    environment = {"GOMP_CPU_AFFINITY": f"0-{(os.cpu_count() or 1) - 1}", **os.environ}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    if process.returncode:
        raise SystemExit(f"benchmark {topic} ended with exit code {process.returncode}")


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as a Markdown table; a column for each name that occurs, in order of appearance."""
    rows = list(rows)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, ["---"] * len(columns), *([cell(row.get(c)) for c in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


def section(topic: str) -> str:
    title, what = TOPICS[topic]
    return "\n".join((f"## {title}", "", what, "", table(measure(topic))))


def with_section(page: str, topic: str, made: str) -> str:
    """The page with a topic as it was measured now, in its place or as the last before what is measured on a card."""
    head = f"## {TOPICS[topic][0]}\n"
    parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    kept = [part if not part.startswith(head) else f"{made}\n\n" for part in parts]
    if kept == parts:
        kept.insert(next(i for i, part in enumerate(parts) if part.startswith("## On a card")), f"{made}\n\n")
    return "".join(kept)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench", description="Measure, print, and write docs/benchmarks.md."
    )
    parser.add_argument(
        "topics", nargs="*", choices=[*TOPICS, []], help="all, when none is named; then the page is written"
    )
    parser.add_argument("--write", action="store_true", help="put the tables of the named topics into the page")
    args = parser.parse_args()
    topics = args.topics or list(TOPICS)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    page = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {machine}, no GPU, as it was loaded then: compare within a table.",
        "The figures of other programs were measured on a machine of the same kind on 21 November 2026",
        "(ComfyUI 0.3.64, InvokeAI August 2026, NodeGraphQt on PySide6 6.11).",
    ]
    for topic in topics:
        made = section(topic)
        page += ["", made]
        print(f"\n{made}", flush=True)
        if args.write:
            TARGET.write_text(with_section(TARGET.read_text("utf-8"), topic, made), "utf-8")
    page += ["", "## On a card", "", *ON_A_CARD]
    if topics == list(TOPICS):
        TARGET.write_text("\n".join(page) + "\n", "utf-8")


if __name__ == "__main__":
    main()

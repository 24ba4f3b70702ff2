"""What a card does: speed against diffusers, the same pictures as the processor's, and how little memory is enough.

    python -m tools.gpu_check [--device cuda:0] [--seconds 230] [--out DIR]

At most four minutes. Every section runs in a process of its own, which ends with its share of the time; its results
are written as they come, to gpu_check.json and gpu_check.md. Weights are random, so nothing is downloaded. `--tiny
--device cpu` runs all of it with tiny models, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.gpu_check.page import page

Row = dict[str, Any]

SECTIONS = {"speed": 0.62, "correct": 0.6, "limits": 1.0}
"""In their order; each may take this share of the time that is left."""


PATIENCE = 10.0
"""Seconds beyond its time until a section is ended, so that it can say what it left out."""


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    if args.section:
        for row in _rows(args):
            print(json.dumps(row), flush=True)
        return 0
    if args.device.startswith("cpu") and not args.tiny:
        print("on the cpu, only --tiny: what a card does in seconds takes it an hour", file=sys.stderr)
        return 2
    end = time.monotonic() + args.seconds
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for section, share in SECTIONS.items():
            if section not in args.skip:
                for row in _measured(args, section, folder, share * (end - time.monotonic())):
                    found.append(row)
                    _write(Path(args.out), found)
    print((Path(args.out) / "gpu_check.md").read_text("utf-8"))
    return int(any("failed" in str(row.get("note", row.get("verdict", ""))) for row in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.gpu_check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda:0", help="the card (default: cuda:0)")
    parser.add_argument("--seconds", type=float, default=230.0, help="for all of it (default: 230)")
    parser.add_argument("--out", default=".", help="where gpu_check.json and gpu_check.md are written (default: here)")
    parser.add_argument("--tiny", action="store_true", help="tiny models, to see that the script works")
    parser.add_argument("--skip", nargs="*", default=[], choices=[*SECTIONS, "compiled"], help="leave these out")
    parser.add_argument("--section", choices=list(SECTIONS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser


def _rows(args: argparse.Namespace) -> Iterator[Row]:
    """Those of one section, in this process."""
    import torch

    import nodes
    from nodes.backend import devices

    for name, value in nodes.LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)
    end = time.monotonic() + args.seconds
    folder, device = Path(args.folder), devices.pick(args.device)

    def left() -> float:
        return end - time.monotonic()

    yield {"section": "card", "device": str(device), "title": devices.card(device).title, "torch": torch.__version__}
    match args.section:
        case "speed":
            from tools.gpu_check import speed

            yield from speed.rows(folder, device, tiny=args.tiny, left=left, compiled="compiled" not in args.skip)
        case "correct":
            from tools.gpu_check import correct

            yield from correct.rows(folder, device, left, tiny=args.tiny)
        case _:
            from tools.gpu_check import limits

            yield from limits.rows(folder, device, left)


def _measured(args: argparse.Namespace, section: str, folder: str, seconds: float) -> Iterator[Row]:
    """The rows of a section as its process tells them; it is ended when its time is up."""
    command = [sys.executable, "-m", "tools.gpu_check", "--section", section, "--folder", folder]
    command += ["--device", args.device, "--seconds", str(seconds), *(["--tiny"] if args.tiny else [])]
    command += ["--skip", *args.skip] if args.skip else []
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        timer = _end_later(process, seconds + PATIENCE)
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
        timer.cancel()
    if process.returncode:
        late = time.monotonic() - start > seconds
        why = "its time was up" if late else f"failed: its process ended with exit code {process.returncode}"
        yield {"section": section, "note": why}


def _end_later(process: subprocess.Popen[str], seconds: float) -> threading.Timer:
    timer = threading.Timer(max(seconds, 0), process.kill)
    timer.daemon = True
    timer.start()
    return timer


def _write(out: Path, rows: list[Row]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "gpu_check.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    (out / "gpu_check.md").write_text(page(rows), "utf-8")


if __name__ == "__main__":
    sys.exit(main())

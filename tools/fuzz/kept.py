"""What the window keeps, as ways in."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def journals() -> list[bytes]:
    """A journal of a few edits."""
    import tempfile

    from nodegraph.formats import workflow
    from nodegraph.graph import set_param
    from ui.documents.journal import Journal, State

    graph = workflow.load(ROOT / "workflows/text_to_image.json")
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "a.journal")
        for seed in range(4):
            journal.write(State(set_param(graph, "noise", "seed", seed), dirty=bool(seed)))
        return [journal.path.read_bytes()]


def read_journal(folder: Path) -> object:
    """What is recovered after a crash."""
    from ui.documents import journal

    return journal.read(folder / "case.journal")


def settings() -> list[bytes]:
    """Settings, as the program writes them."""
    from dataclasses import asdict

    from ui.base.settings import Preferences

    return [json.dumps(asdict(Preferences())).encode()]


def read_settings(folder: Path) -> object:
    """Settings, read at start; what cannot be read is set aside."""
    from ui.base.settings import Settings

    return Settings(folder / "case.json").now


def queues() -> list[bytes]:
    """A queue of two jobs."""
    flow = json.loads((ROOT / "workflows/text_to_image.json").read_bytes())
    job = {"title": "a", "targets": ["save"], "seconds": 1.5, "message": "", "saved": ["/a.png"], "workflow": flow}
    job |= {"document": "fox", "priority": -1, "block": "b", "cells": 3}
    return [json.dumps({"version": 1, "jobs": [job | {"state": state} for state in ("pending", "done")]}).encode()]


def read_queue(folder: Path) -> object:
    """The queue of the last time, read at start."""
    from nodegraph.formats.files import read_own
    from ui.runs.job import read_jobs

    return read_own(folder / "case.json", "The queue of the last time", 64 << 20, read_jobs)


def nights() -> list[bytes]:
    """What the queue did in two nights, of which one is not over."""
    tally = {"document": "fox", "made": 2, "failed": 1, "seconds": 9.5, "pictures": ["/a.png"], "reasons": [["no", 1]]}
    report = {"began": 5.5, "ended": 900.5, "tallies": [tally], "whole": True}
    return [json.dumps({"reports": [report], "current": report | {"whole": False}}).encode()]


def read_night(folder: Path) -> object:
    """What the queue did, read at start."""
    from nodegraph.formats.files import read_own
    from ui.runs.night import read_reports

    return read_own(folder / "case.json", "What the queue did", 16 << 20, read_reports)


def galleries() -> list[bytes]:
    """A list of pictures."""
    lines = [
        {"add": {"path": "/a.png", "made": 1.5, "text": "a cat", "node": "save", "starred": False}},
        {"star": "/a.png", "on": True},
        {"add": {"path": "/b.png", "made": 2, "text": "", "node": ""}},
        {"rate": "/a.png", "rating": 4},
        {"board": "cats", "on": True},
        {"put": "/a.png", "board": "cats", "on": True},
        {"remove": "/b.png"},
        {"add": {"path": "/c.png", "made": 3, "rating": 5, "boards": ["cats", "best"]}},
    ]
    return [b"".join(json.dumps(line).encode() + b"\n" for line in lines)]


def read_gallery(folder: Path) -> object:
    """The list of pictures, read at start."""
    from ui.runs.picture_index import Gallery

    return Gallery(folder / "case.jsonl").pictures

"""What people write for a sweep, what a workflow says of one, and what is kept of those that ran, as ways in."""

from __future__ import annotations

import json
from pathlib import Path

from tools.fuzz.mutations import STRINGS


def axes() -> list[bytes]:
    return [
        b"noise.seed=0..3",
        b"denoise.guidance_scale=1:9:0.5|12",
        b"positive.text=a cat|a dog\\|a fox",
        b"positive.text~white|red|blue",
        b"checkpoint.path=models/*|models/starter",
    ]


def read_axis(folder: Path) -> object:
    """`--vary`, and a row of the panel."""
    from nodegraph.formats import workflow
    from nodegraph.group_type import document_types
    from nodegraph.sweeping.axes import read, written
    from tools.fuzz.readers import ROOT, registry

    graph = workflow.load(ROOT / "workflows/text_to_image.json")
    types = document_types(graph.groups, registry())
    axis = read(graph, types, (folder / "case.txt").read_text(encoding="utf-8", errors="replace"))
    return written(axis.values), [axis.label(index) for index in range(min(len(axis.values), 50))]


def swept() -> list[bytes]:
    """A workflow that brings a sweep."""
    from tools.fuzz.readers import ROOT

    flow = json.loads((ROOT / "workflows/text_to_image.json").read_bytes())
    sides = [["noise", "seed", [0, 1, 2]], ["positive", "text", ["a cat", "a dog", "a fox"]]]
    told = ({"axes": sides, "mode": "grid"}, {"axes": sides, "mode": "zip", "sample": 2})
    return [
        json.dumps({"version": flow["version"], "nodes": flow["nodes"], "links": [], "sweep": one}).encode()
        for one in told
    ]


def read_sweep(folder: Path) -> object:
    """The sweep of a workflow, and its cells."""
    from nodegraph.formats import workflow
    from nodegraph.group_type import document_types
    from nodegraph.sweeping.sweep import graph_of, sweep_of
    from tools.fuzz.readers import registry

    graph = workflow.load(folder / "case.json")
    sweep = sweep_of(graph, document_types(graph.groups, registry()))
    if sweep is None:
        return None
    cells = sweep.cells()
    return [graph_of(graph, sweep.values(cell)) for cell in cells[:50]], [sweep.labels(cell) for cell in cells[:50]]


def ledgers() -> list[bytes]:
    lines: list[dict[str, object]] = [
        {"key": "a" * 32, "files": ["a_00001.png", "b/a_00002.png"]},
        {"key": "b" * 32, "files": []},
    ]
    return [b"".join(json.dumps(line).encode() + b"\n" for line in lines)]


def read_ledger(folder: Path) -> object:
    """Which pictures of a sweep are there, as the command and the desktop look at it."""
    from nodegraph.sweeping.ledger import Ledger, Ledgers

    keys = ["a" * 32, "b" * 32, *STRINGS]
    ledger = Ledger(folder)
    return [ledger.files(key) for key in keys], Ledgers([folder]).files(keys[:2])


def records() -> list[bytes]:
    return [b"".join(json.dumps(["c" * 32, "/a.png", "/b.png"]).encode() + b"\n" for _ in range(3))]


def read_record(folder: Path) -> object:
    """What sweeps of the window made, read at start."""
    from nodegraph.formats.files import read_own
    from ui.runs.sweep_record import read_made

    return read_own(folder / "case.jsonl", "The list of what sweeps made", 64 << 20, read_made)

"""What quantised files cost is measured, and stands in the documentation."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nodes.backend import narrow, weight_files
from tests.quantised_files import COMFY, GGUF
from tools import layouts, page

BESIDE = 400e6
"""Bytes: the libraries that are imported while a network is built, and the numbers of the largest layer, twice."""


SECTIONS = ("layouts", "layouts ARGS=--choice")


def first_cells(text: str) -> list[str]:
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]


def test_every_layout_and_choice_has_a_row_in_the_documentation():
    text = layouts.PAGE.read_text("utf-8")
    files, choices = (text.split(begin)[1].split(end)[0] for begin, end in map(page.marks, SECTIONS))
    assert first_cells(files)[1:] == [*COMFY, *GGUF]
    assert first_cells(choices)[1 : 1 + len(narrow.KINDS)] == [*narrow.KINDS]
    assert layouts.sizes() in choices
    assert f"{layouts.Peak(8_880_000_000, 0, 9_110_000_000)}"[1:] in text


def test_a_hole_is_a_file_of_int8(tmp_path: Path):
    path = layouts.write_hole(tmp_path / "hole.safetensors", 0.7e9)
    assert 0.5e9 < path.stat().st_size < 0.9e9
    assert weight_files.layout(path) == "int8"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells how much of a file is in memory")
def test_a_packed_file_takes_little_more_memory_than_it_has_bytes(tmp_path: Path):
    path = layouts.write_hole(tmp_path / "hole.safetensors", 0.7e9)
    found = layouts.peak(path)
    assert found.most - found.before < found.file + BESIDE

"""A folder as ComfyUI fills it, with a tiny model of each of the newer families: every file is known for what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodegraph.library.library import Library
from nodegraph.library.scan import update
from nodes.stock import STOCK
from tests import tiny_modern, tiny_split

MODELS = {
    "zimage": tiny_modern.build_z_image,
    "qwenimage": tiny_modern.build_qwen_image,
    "qwenimage21": tiny_modern.build_qwen_21,
    "klein": tiny_modern.build_klein,
    "flux2": tiny_modern.build_flux2_dev,
    "krea2": tiny_modern.build_krea2,
}


@pytest.mark.slow
def test_split_files_and_folders_of_each_family_are_told_rightly(tmp_path: Path):
    for family, build in MODELS.items():
        tiny_split.write_split(build(tmp_path / "folders" / family), tmp_path / "models" / family)
    update(tmp_path / "library", [str(tmp_path / "models"), str(tmp_path / "folders")], STOCK, lambda done, whole: None)
    library = Library(tmp_path / "library", STOCK.families)
    entries = library.search(limit=100)
    library.close()
    assert [entry.path for entry in entries if entry.problem] == []
    for family in MODELS:
        whole = next(entry for entry in entries if entry.path == str(tmp_path / "folders" / family))
        assert (whole.kind, whole.families) == ("checkpoint", (family,))
        split = [entry for entry in entries if Path(entry.path).is_relative_to(tmp_path / "models" / family)]
        assert {entry.kind for entry in split} == {"denoiser", "text encoder", "vae"}
        for entry in split:
            folder = Path(entry.path).parent.name
            assert STOCK.places[folder] == entry.kind
            assert entry.kind != "denoiser" or entry.families == (family,)

"""Under which licence a model may be used is told by its own texts, or by the page that came with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from nodegraph.library.library import Library
from nodegraph.library.scan import update
from nodes.backend.licences import licence
from nodes.stock import STOCK

FRONT = "---\nlicense: {}\ntags:\n- license: none\n---\n# A model\nlicense: mine\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FRONT.format("apache-2.0"), "apache-2.0"),
        (FRONT.format('"mit"'), "mit"),
        (FRONT.format("other\nlicense_name: flux-1-dev-non-commercial-license"), "flux-1-dev-non-commercial-license"),
        (FRONT.format("other"), "other"),
        (FRONT.format("mit").replace("\n", "\r\n"), "mit"),
        ("# A model\nlicense: mine\n", ""),
        ("---\nlicense: mine\n", ""),
        ("", ""),
    ],
)
def test_the_page_of_a_folder_says_it_in_its_first_lines(tmp_path: Path, text: str, said: str):
    (tmp_path / "README.md").write_bytes(text.encode())
    assert licence(tmp_path, {}) == said


def test_a_file_says_it_itself_and_counts_for_more_than_its_page(tmp_path: Path):
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0f"
    file = snapshot / "unet" / "model.safetensors"
    file.parent.mkdir(parents=True)
    file.touch()
    assert licence(file, {}) == ""
    (snapshot / "README.md").write_text(FRONT.format("openrail"))
    assert licence(file, {}) == "openrail"
    assert licence(file, {"modelspec.license": " CC0\n1.0 "}) == "CC0 1.0"


def test_a_page_that_lies_beside_a_file_by_chance_says_nothing_of_it(tmp_path: Path):
    (tmp_path / "README.md").write_text(FRONT.format("mit"))
    (tmp_path / "style.safetensors").touch()
    assert licence(tmp_path / "style.safetensors", {}) == ""


def test_the_library_knows_it(tmp_path: Path):
    (tmp_path / "models").mkdir()
    vectors = {"emb_params": np.zeros((2, 768), "f4")}
    save_file(vectors, tmp_path / "models" / "cat.safetensors", {"modelspec.license": "CC0-1.0"})
    update(tmp_path / "library", [str(tmp_path / "models")], STOCK, lambda done, whole: None)
    library = Library(tmp_path / "library")
    assert [entry.licence for entry in library.search()] == ["CC0-1.0"]
    library.close()

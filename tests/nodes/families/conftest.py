"""Stable Diffusion 3 in all forms in which it is published, built once for all tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.nodes.families.sd3_made import KINDS, as_file, tiny_controlnet


@pytest.fixture(scope="session")
def sd3_places(sd3_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The model as a folder and as one file, with T5 and without."""
    root = tmp_path_factory.mktemp("sd3")
    without = root / "without"
    shutil.copytree(sd3_folder, without, ignore=shutil.ignore_patterns("*_3"))
    index = json.loads((sd3_folder / "model_index.json").read_text())
    (without / "model_index.json").write_text(
        json.dumps(index | {"text_encoder_3": [None, None], "tokenizer_3": [None, None]})
    )
    file_without = as_file(sd3_folder, root / "file_without")
    tensors = {name: t for name, t in load_file(file_without).items() if not name.startswith("text_encoders.t5xxl.")}
    save_file(tensors, file_without)
    return {
        "folder": sd3_folder,
        "file": as_file(sd3_folder, root / "file"),
        "folder without T5": without,
        "file without T5": file_without,
    }


@pytest.fixture(scope="session")
def sd3_controlnets(sd3_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("controlnets")
    for number, change in enumerate(KINDS.values()):
        tiny_controlnet(sd3_folder, **change).save_pretrained(root / str(number))
    return {kind: root / str(number) for number, kind in enumerate(KINDS)}

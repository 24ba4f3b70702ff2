"""The folders of other programs are found by what lies in them, and their settings are read as the data they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodes.neighbours import extra_paths, neighbours, sections

EXTRA = """
# Rename this to extra_model_paths.yaml
comfyui:
    base_path: "shared models/"   # where they lie
    is_default: true
    checkpoints: models/checkpoints/
    text_encoders: |
         models/text_encoders/
         models/clip/  # legacy location still supported
    loras:
      - models/loras
      - /nowhere/loras
    custom_nodes: custom_nodes/
a111:
    base_path: /elsewhere
    vae: 'models/VAE'
"""


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
    return root


def titles(home: Path) -> dict[str, tuple[str, ...]]:
    return {title: tuple(str(Path(f).relative_to(home)) for f in found) for title, found in neighbours(home)}


def test_comfyui_is_found_with_the_folders_that_its_settings_name(tmp_path: Path):
    comfy = folders(tmp_path / "apps" / "ComfyUI", "models", "comfy", "shared models/models/checkpoints")
    folders(comfy, "shared models/models/clip", "shared models/models/loras", "shared models/custom_nodes")
    (comfy / "extra_model_paths.yaml").write_text(EXTRA)
    shared = "apps/ComfyUI/shared models/models"
    expected = ("apps/ComfyUI/models", f"{shared}/checkpoints", f"{shared}/clip", f"{shared}/loras")
    assert titles(tmp_path) == {f"ComfyUI in {comfy}": expected}


def test_the_window_of_comfyui_keeps_its_paths_with_its_settings(tmp_path: Path):
    folders(tmp_path, ".config/ComfyUI", "Documents/ComfyUI/models/loras")
    text = f"comfyui_desktop:\n  base_path: {tmp_path}/Documents/ComfyUI\n  loras: models/loras\n"
    (tmp_path / ".config" / "ComfyUI" / "extra_models_config.yaml").write_text(text)
    assert titles(tmp_path) == {"ComfyUI Desktop": ("Documents/ComfyUI/models/loras",)}


def test_the_web_ui_invokeai_and_the_hubs_cache_are_found(tmp_path: Path):
    web = folders(tmp_path / "webui", "models/Stable-diffusion", "embeddings")
    invoke = folders(tmp_path / "invokeai", "weights")
    (invoke / "invokeai.yaml").write_text("schema_version: 4.0.2\n\nmodels_dir: weights\nhost: 0.0.0.0\n")
    folders(tmp_path, ".cache/huggingface/hub")
    assert titles(tmp_path) == {
        f"InvokeAI in {invoke}": ("invokeai/weights",),
        f"Web UI in {web}": ("webui/models", "webui/embeddings"),
        "Hugging Face's cache": (".cache/huggingface/hub",),
    }


def test_nothing_is_found_where_nothing_is(tmp_path: Path):
    folders(tmp_path, "models/loras", "pictures")
    assert titles(tmp_path) == {}


def test_settings_are_read_as_yaml_reads_them():
    said = yaml.safe_load(EXTRA)
    assert {name: {*values} for name, values in sections(EXTRA).items()} == {name: {*v} for name, v in said.items()}
    assert sections(EXTRA)["comfyui"]["text_encoders"][0] == said["comfyui"]["text_encoders"].split("\n")[0]
    assert sections(EXTRA)["comfyui"]["loras"] == said["comfyui"]["loras"]
    assert sections(EXTRA)["comfyui"]["base_path"] == [said["comfyui"]["base_path"]]
    assert sections(EXTRA)["a111"]["vae"] == [said["a111"]["vae"]]


def test_settings_that_are_no_settings_name_nothing(tmp_path: Path):
    for text in (b"\xff\xfe", b"- a\n- b", b"!!python/object/apply:os.system ['echo']", b"a:\n" * 9, b"{}"):
        (tmp_path / "extra_model_paths.yaml").write_bytes(text)
        assert extra_paths(tmp_path / "extra_model_paths.yaml") == []
    assert extra_paths(tmp_path / "none.yaml") == []


def test_settings_with_a_zero_byte_say_nothing(tmp_path: Path):
    file = tmp_path / "extra_model_paths.yaml"
    file.write_text("comfyui:\n  base_path: ~\0/models\n  loras: ~\0\n")
    assert extra_paths(file) == []
    invoke = folders(tmp_path / "invokeai", "models")
    (invoke / "invokeai.yaml").write_text("models_dir: ~\0\n")
    assert titles(tmp_path) == {f"InvokeAI in {invoke}": ("invokeai/models",)}


def test_a_pipe_in_the_place_of_settings_says_nothing(tmp_path: Path):
    os.mkfifo(tmp_path / "extra_model_paths.yaml")
    assert extra_paths(tmp_path / "extra_model_paths.yaml") == []


def test_a_folder_that_nobody_may_look_into_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As lost+found is on every disk. For root there are none, so here looking into one is refused to it too."""
    web = folders(tmp_path / "webui", "models/Stable-diffusion")
    closed, stat = folders(tmp_path, "lost+found") / "lost+found", os.stat

    def refused(path: Any, **options: Any) -> os.stat_result:
        if isinstance(path, str | Path) and closed in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refused)
    assert titles(tmp_path) == {f"Web UI in {web}": ("webui/models",)}

"""What other programs say of their models, and what a workflow says of the files that it needs, as ways in."""

from __future__ import annotations

import json
from pathlib import Path

YAML = b"""# Rename this to extra_model_paths.yaml
comfyui:
    base_path: "shared models/"   # where they lie
    is_default: true
    checkpoints: models/checkpoints/
    text_encoders: |
         models/text_encoders/
         models/clip/
    loras:
      - ~/models/loras
      - $HOME/loras
a111:
    base_path: ../elsewhere
    vae: 'models/VAE'
models_dir: models
"""
WEIGHTS = "case.safetensors"


def paths_files() -> list[bytes]:
    return [YAML]


def read_paths(folder: Path) -> object:
    """The folders that such a file names; InvokeAI's settings are lines of the same kind."""
    from nodes.neighbours import extra_paths, neighbours

    (folder / "models").mkdir(exist_ok=True)
    return extra_paths(folder / "extra_model_paths.yaml"), list(neighbours(folder))


def sidecars() -> list[bytes]:
    """What helpers write beside a LoRA: of the site that it came from, and of a web UI."""
    site = {"trainedWords": ["snow, ice"], "baseModel": "SDXL 1.0", "model": {"name": "Snow"}, "civitai": {"a": [1]}}
    return [json.dumps(site).encode(), json.dumps({"activation text": "snow", "sd version": "SD1"}).encode()]


def read_sidecar(folder: Path) -> object:
    from nodes.backend.beside import beside

    return beside(folder / WEIGHTS)


def needy() -> list[bytes]:
    """A workflow that says what it needs."""
    nodes = {
        "load": {"type": "load.checkpoint", "params": {"path": "models/large.safetensors"}, "pos": [0, 0]},
        "lora": {"type": "adapter.lora", "params": {"path": ""}, "pos": [300, 0]},
    }
    large = {"what": "A large model", "parameter": ["load", "path"], "size": 6938078334, "sha256": "0" * 64}
    large |= {"from": "https://huggingface.co/some/model/resolve/main/a.safetensors", "memory": 8000000000}
    small = {"what": "Ink", "parameter": ["lora", "path"], "from": "hf://some/model@main/b.safetensors"}
    workflow = {"version": 1, "nodes": nodes, "links": [], "needs": [large, small]}
    return [json.dumps(workflow).encode()]


def read_needs(folder: Path) -> object:
    """What is missing and from where it could come, as the window and `models missing` tell."""
    from contextlib import closing

    from nodegraph.formats import workflow
    from nodegraph.group_type import document_types
    from nodegraph.library.library import Library
    from nodegraph.library.missing import missing
    from nodes.stock import STOCK
    from tools.fuzz.readers import registry

    graph = workflow.load(folder / "case.json")
    types = document_types(graph.groups, registry())
    with closing(Library(folder / "library", STOCK.families)) as library:
        return [(lacking.name, lacking.address) for lacking in missing(graph, types.get, STOCK, library)]


def addresses() -> list[bytes]:
    """Of a hub, as people copy them."""
    return [
        b"https://huggingface.co/some/model/resolve/main/folder/a%20file.safetensors?download=true",
        b"hf://some/model@v1.0/a.safetensors",
        b"some/model",
        b"https://user:word@huggingface.co:443/some/model/tree/refs%2Fpr%2F1",
    ]


def read_address(folder: Path) -> object:
    from nodes.backend.hub import ModelHub

    return ModelHub().address((folder / "case.txt").read_text(encoding="utf-8", errors="replace"))

"""Networks from their weights: built empty, then given the tensors that are mapped from the file.

No weight is copied where the file has the precision that is computed in, so a network costs no memory before it
first runs, and the system may drop its pages again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from nodes.backend import single_file
from nodes.backend.checkpoints import Part, config, settings_folder, weight_files
from nodes.types import Weights

CLASSES: dict[Part, type[Any]] = {
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
    "controlnet": ControlNetModel,
}

# Attention layers of autoencoders that were published before diffusers renamed them.
OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def load(weights: Weights, part: Part, device: torch.device, dtype: torch.dtype) -> Any:
    """One part of a checkpoint, ready to run. Raises ValueError when the weights do not fit its settings."""
    place = Path(weights.path)
    settings = config(place, part)
    with init_empty_weights():
        module: Any = CLIPTextModel(CLIPTextConfig(**settings)) if part == "text_encoder" else _build(part, settings)
    tensors = _tensors(place, part, settings)
    fitted = {name: tensors[name] for name in module.state_dict() if name in tensors}
    _check(place, part, module, fitted)
    module.load_state_dict({name: tensor.to(device, dtype) for name, tensor in fitted.items()}, assign=True)
    return module.to(device).requires_grad_(False).eval()


def tokenizer(weights: Weights, vocab_size: int) -> CLIPTokenizer:
    """The tokenizer of a checkpoint. vocab_size: what the text encoder knows.

    Raises ValueError when they do not belong together: the library itself makes up a tokenizer from an empty folder.
    """
    folder = settings_folder(Path(weights.path)) / "tokenizer"
    found = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    if len(found) != vocab_size:
        raise ValueError(f"the tokenizer in {folder} has {len(found)} words, its text encoder {vocab_size}")
    return found


def _build(part: Part, settings: dict[str, Any]) -> nn.Module:
    return CLASSES[part].from_config({name: value for name, value in settings.items() if name[0] != "_"})


def _tensors(place: Path, part: Part, settings: dict[str, Any]) -> single_file.Tensors:
    if place.is_file():
        found = single_file.part(place, part, settings)
    else:
        found = {k: v for file in weight_files(place, part) for k, v in single_file.read(file).items()}
    if part == "text_encoder":
        return {name.removeprefix("text_model."): tensor for name, tensor in found.items()}
    if part == "vae":
        return {_renamed(name): tensor for name, tensor in found.items()}
    return found


def _renamed(name: str) -> str:
    for old, new in OLD_ATTENTION.items():
        name = name.replace(old, new)
    return name


def _check(place: Path, part: Part, module: nn.Module, tensors: single_file.Tensors) -> None:
    for name, expected in module.state_dict().items():
        if name not in tensors:
            raise ValueError(f"the {part} of {place} lacks {name}")
        if tensors[name].shape != expected.shape:
            shape, wanted = tuple(tensors[name].shape), tuple(expected.shape)
            raise ValueError(f"the {part} of {place} does not fit its settings: {name} is {shape}, not {wanted}")

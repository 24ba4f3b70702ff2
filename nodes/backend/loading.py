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
from transformers import AddedToken, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from nodes.backend import single_file, vocabulary
from nodes.backend.checkpoints import config, settings_folder, weight_files
from nodes.backend.part_settings import Part
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
        module: Any = _build(part, settings)
    tensors = _tensors(place, part, settings)
    fitted = {name: tensors[name] for name in module.state_dict() if name in tensors}
    _check(place, part, module, fitted)
    module.load_state_dict({name: tensor.to(device, dtype) for name, tensor in fitted.items()}, assign=True)
    return module.to(device).requires_grad_(False).eval()


def tokenizer(weights: Weights, vocab_size: int) -> CLIPTokenizer:
    """The tokenizer of a checkpoint. vocab_size: what the text encoder knows.

    Raises ValueError when its files are damaged, or when the two do not belong together.
    """
    folder = settings_folder(Path(weights.path)) / "tokenizer"
    words = vocabulary.read(folder, vocab_size)
    merges: list[Any] = list(words.merges)
    return CLIPTokenizer(
        vocab=dict(words.numbers),
        merges=merges,
        added_tokens_decoder={number: AddedToken(**entry) for number, entry in words.added.items()},
        model_max_length=words.context,
        **words.special,
    )


def _build(part: Part, settings: dict[str, Any]) -> nn.Module:
    if part == "text_encoder":
        # Which tokens begin and end a text is the tokenizer's to say; here they only choose the pooled state, which
        # is not used: 2 takes that of the highest number.
        return CLIPTextModel(CLIPTextConfig(**settings, bos_token_id=None, eos_token_id=2, pad_token_id=None))
    return CLASSES[part].from_config(settings)


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

"""Networks from their weights: built empty, then given the tensors that are mapped from the file.

No weight is copied where the file has the precision that is computed in, so a network costs no memory before it
first runs, and the system may drop its pages again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights  # pyright: ignore[reportMissingTypeStubs]  # it has none
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import AddedToken, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from nodes.backend import vocabulary
from nodes.backend.checkpoints import config, settings_folder, tensors
from nodes.backend.contents import Source
from nodes.backend.untyped import safe_open
from nodes.types import Part, Weights

CLASSES: dict[Part, type[Any]] = {
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
    "controlnet": ControlNetModel,
}


def load(weights: Weights, part: Part, device: torch.device, dtype: torch.dtype) -> Any:
    """One part of a checkpoint, ready to run. Raises ValueError when the weights do not fit its settings."""
    place = Path(weights.path)
    settings = config(place, part)
    with init_empty_weights():
        module: Any = build(part, settings)
    found = _read(tensors(place, part))
    fitted = {name: found[name].reshape(wanted.shape).to(device, dtype) for name, wanted in module.state_dict().items()}
    module.load_state_dict(fitted, assign=True)
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


def build(part: Part, settings: dict[str, Any]) -> nn.Module:
    """The network that these settings describe, with whatever weights its class begins with."""
    if part == "text_encoder":
        # Which tokens begin and end a text is the tokenizer's to say; here they only choose the pooled state, which
        # is not used: 2 takes that of the highest number.
        return CLIPTextModel(CLIPTextConfig(**settings, bos_token_id=None, eos_token_id=2, pad_token_id=None))
    return CLASSES[part].from_config(settings)


def _read(sources: Mapping[str, Source]) -> dict[str, Tensor]:
    """The tensors by their own names, mapped from the files."""
    found: dict[str, Tensor] = {}
    for path in {source.file for source in sources.values()}:
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(source.name) for name, source in sources.items() if source.file == path}
    return found

"""LoRA: low-rank adapters beside a network's own weights, which stay untouched.

Hu et al. 2021 (arXiv:2106.09685), eq. 3: h = W x + strength * alpha / rank * B A x.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from diffusers.loaders.lora_pipeline import StableDiffusionLoraLoaderMixin as Loader
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from torch import nn
from transformers.utils import logging

from nodes.backend.share import twin
from nodes.types import Weights


def with_loras(base: nn.Module, files: Sequence[Weights]) -> Any:
    """A twin of a U-Net or text encoder with the adapters of these files beside its layers, all at strength 1.

    Keys of diffusers and of kohya's trainer are understood. Raises ValueError when a file does not fit the network.
    """
    adapted = twin(base)
    for index, weights in enumerate(files):
        try:
            _add(adapted, weights, f"lora_{index}")
        except (RuntimeError, ValueError, KeyError) as error:
            raise ValueError(f"{weights.path} does not fit this model: it was made for another family") from error
    return adapted


def with_strengths(adapted: nn.Module, strengths: Sequence[float]) -> Any:
    """A twin of an adapted network with other strengths, one for each of its LoRAs."""
    names = [f"lora_{index}" for index in range(len(strengths))]
    weighted = twin(adapted)
    for layer in weighted.modules():
        if isinstance(layer, BaseTunerLayer):
            layer.set_adapter(names, inference_mode=True)
            for name, strength in zip(names, strengths, strict=True):
                layer.set_scale(name, strength)  # pyright: ignore[reportCallIssue]
    return weighted


def _add(network: Any, weights: Weights, name: str) -> None:
    is_unet = isinstance(network, UNet2DConditionModel)
    file: Any = Loader.lora_state_dict(load_file(weights.path), unet_config=network.config if is_unet else None)
    tensors, alphas = file
    prefix = "unet" if is_unet else "text_encoder"
    if not any(key.startswith(prefix + ".") for key in tensors):
        return  # a file may cover one of the two networks alone
    with _quiet():
        if is_unet:
            network.load_lora_adapter(tensors, prefix=prefix, network_alphas=alphas, adapter_name=name)
        else:
            Loader.load_lora_into_text_encoder(tensors, alphas, network, prefix=prefix, adapter_name=name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' remarks that do not apply here.

    transformers shows a bar, and reports every weight of the base as missing, which none is; peft warns of a second
    adapter, which is meant.
    """
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")
            yield
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()

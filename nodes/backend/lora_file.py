"""What the names in a LoRA file mean: which pair of low-rank factors belongs to which layer of which network.

Four layouts are known: diffusers' (unet.LAYER.lora_A.weight, and its earlier spellings), peft's (base_model.model.
LAYER), kohya-ss/sd-scripts' (lora_unet_LAYER.lora_down.weight with .alpha beside it), and layers without a prefix.
Only the header of the file is read, so planning can do it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from nodes.backend.contents import flat, listed
from nodes.backend.families.family import Role
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import Settings

Shape = tuple[int, ...]

OTHER_KINDS = {
    r".+\.hada_\w+": "LoHa",
    r".+\.lokr_\w+": "LoKr",
    r".+\.lora_mid\.weight": "LoRA with middle convolutions",
    r".+\.(dora_scale|lora_magnitude_vector(\.\w+)*)": "DoRA",
    r".+\.(oft|boft)_\w+(\.\w+)*": "OFT",
    r".+\.[ab][12]\.weight": "GLoRA",
    r".+\.(ia3_\w+(\.\w+)*|on_input)": "(IA)3",
    r".+\.(diff|diff_b)": "whole differences of weights",
    r".+\.[wb]_norm": "trained norms",
    r".+\.lora_(embedding_[AB](\.\w+)*|[AB](\.\w+)*\.bias|(down|up)\.bias)": "LoRA of embeddings or with biases",
    r".+\.scalar": "LoRA with trained scalars",
    r".*vera_lambda_\w(\.\w+)*": "VeRA",
    r"bundle_emb\..+": "embeddings in a LoRA file",
}
"""What is published under the name of LoRA and cannot be applied, by what its tensors are called.

Yeh et al. 2023 (arXiv:2309.14859) describe most of them.
"""

FACTORS = {
    r"\.(lora_A|lora_down|lora\.down|lora_linear_layer\.down)(\.\w+)?\.weight": "down",
    r"\.(lora_B|lora_up|lora\.up|lora_linear_layer\.up)(\.\w+)?\.weight": "up",
    r"_lora\.down\.weight": "down",  # diffusers before 0.22 put the layers of an attention beside it
    r"_lora\.up\.weight": "up",
    r"\.alpha": "alpha",
}
EARLIER_LAYERS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}  # of text encoders


class Pair(NamedTuple):
    """The names of a layer's tensors. alpha: None when the file has none; see `lora_scale`."""

    down: str
    up: str
    alpha: str | None


class Content(NamedTuple):
    """pairs: by layer, as its network calls it. unknown: tensors that belong to no layer of it."""

    pairs: Mapping[str, Pair]
    unknown: tuple[str, ...]


def is_lora(found: Shapes) -> bool:
    """Whether a file holds low-rank pairs."""
    return any(_factor(name) in ("down", "up") for name in found)


def layers(network: Shapes) -> dict[str, Shape]:
    """The layers of a network that can be adapted, linear ones and convolutions: the shapes of their weights."""
    return {
        name.removesuffix(".weight"): shape
        for name, shape in network.items()
        if name.endswith(".weight") and len(shape) in (2, 4) and "embeddings." not in name
    }


def check_kind(place: Path, found: Shapes) -> None:
    """Raises ValueError when a file is no LoRA, or one of a kind that cannot be applied."""
    for pattern, kind in OTHER_KINDS.items():
        if names := [name for name in found if re.fullmatch(pattern, name)]:
            raise ValueError(
                f"{place} holds {kind} ({listed(sorted(names))}), which this program cannot apply; it can apply LoRA"
            )
    if not is_lora(found):
        raise ValueError(f"{place} is not a LoRA: it has no low-rank pairs")


def read(place: Path, found: Shapes, role: Role, layers: Mapping[str, Shape], settings: Settings) -> Content:
    """The part of a LoRA that is for one network. role, layers, settings: those of the network.

    Raises ValueError, naming the tensor, when a pair is not whole, is there twice, or does not fit its layer.
    """
    known = _names(role, layers, settings)
    factors: dict[str, dict[str, str]] = {}
    unknown: list[str] = []
    for name in found:
        factor = _factor(name)
        layer = known.get(_layer(name, role)) if factor else None
        if factor is None or layer is None:
            unknown.append(name)
        elif factor in factors.setdefault(layer, {}):
            raise ValueError(f"{place} has two tensors for one layer: {listed([factors[layer][factor], name])}")
        else:
            factors[layer][factor] = name
    pairs = {layer: _pair(place, names) for layer, names in factors.items()}
    for layer, pair in pairs.items():
        _check_shapes(place, found, pair, layers[layer])
    return Content(pairs, tuple(unknown))


def prompt_widths(found: Shapes) -> set[int]:
    """How wide the prompts are that the U-Net of a LoRA reads."""
    downs = (name for name in found if re.search(r"attn2[._].*to_k", name) and _factor(name) == "down")
    return {found[name][1] for name in downs if len(found[name]) > 1}


def _factor(name: str) -> str | None:
    return next((factor for ending, factor in FACTORS.items() if re.search(f"{ending}$", name)), None)


def _layer(name: str, role: Role) -> str:
    """The name without what says which factor it is, and without diffusers' earlier spelling of it."""
    for ending in FACTORS:
        bare = re.sub(f"{ending}$", "", name)
        if bare == name:
            continue
        if not ending.startswith("_"):
            return bare
        stem, _, layer = bare.replace(".processor.", ".").rpartition(".")
        layer = EARLIER_LAYERS.get(layer, layer) if role.tokenizer else layer
        return f"{stem}.to_out.0" if layer == "to_out" else f"{stem}.{layer}"
    return name


def _names(role: Role, layers: Iterable[str], settings: Settings) -> dict[str, str]:
    """Every name that a file may use for a layer, to the layer."""
    spellings = role.architecture.spellings(settings)
    known: dict[str, str] = {}
    for layer in layers:
        own = {s.name.removesuffix(".weight") for s in spellings(f"{layer}.weight") if s.rows is None} | {layer}
        for prefix in role.adapter_names:
            known |= {prefix + within + name: layer for name in own for within in ("", "base_model.model.")}
        for prefix in role.flat_adapter_names:
            known |= {prefix + name.replace(".", "_"): layer for name in own}
    return known


def _pair(place: Path, names: Mapping[str, str]) -> Pair:
    for factor, other in (("down", "up"), ("up", "down")):
        if factor not in names:
            what = names.get(other, names.get("alpha", ""))
            raise ValueError(f"{place} is not whole: {listed([what])} has no {factor} factor beside it")
    return Pair(names["down"], names["up"], names.get("alpha"))


def _check_shapes(place: Path, found: Shapes, pair: Pair, layer: Shape) -> None:
    """down: [rank, inputs, *kernel]; up: [outputs, rank]; a kernel of 1 x 1 may be written out or not."""
    down, up = flat(found[pair.down]), flat(found[pair.up])
    rank = down[0] if down else 0
    for name, shape, wanted in ((pair.down, down, (rank, *flat(layer)[1:])), (pair.up, up, (layer[0], rank))):
        if shape != wanted or not rank:
            raise ValueError(
                f"{place} does not fit this model: {listed([name])} is {_sized(found[name])}, not {_sized(wanted)}"
            )
    if pair.alpha and any(side != 1 for side in found[pair.alpha]):
        raise ValueError(f"{place}: {listed([pair.alpha])} must be one number, it is {_sized(found[pair.alpha])}")


def _sized(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "a single number"

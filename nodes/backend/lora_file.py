"""What the names in a LoRA file mean: which tensors belong to which layer of which network, and what they make there.

Layouts: diffusers' (unet.LAYER.lora_A.weight, and its earlier spellings), peft's (base_model.model.LAYER), those of
kohya-ss/sd-scripts and OneTrainer (lora_unet_LAYER.lora_down.weight with .alpha beside it), AI-toolkit's
(diffusion_model.LAYER), and layers without a prefix. In each of them, layers bear their library's name or that of the
original code, which keeps several in one. Only the header of the file is read, so planning can do it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Literal, NamedTuple

from nodes.backend.contents import flat, listed
from nodes.backend.families.family import Role
from nodes.backend.headers import Shapes
from nodes.backend.networks.architecture import Settings, Spellings, Stored

Shape = tuple[int, ...]
Kind = Literal["LoRA", "LoHa", "LoKr"]
"""How a file says what is added to a weight: Yeh et al. 2023 (arXiv:2309.14859), sec. 3."""

OTHER_KINDS = {
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

ENDING = re.compile(
    r"(?P<layer>.[^.\n]*(?:\.[^.\n]*)*?)\.(?:"
    r"(?:lora_A|lora_down|lora\.down|lora_linear_layer\.down)(?:\.\w+)?\.(?P<down>weight)"
    r"|(?:lora_B|lora_up|lora\.up|lora_linear_layer\.up)(?:\.\w+)?\.(?P<up>weight)"
    r"|lora_(?P<mid>mid)\.weight"
    r"|(?P<alpha>alpha)"
    r"|(?P<magnitude>dora_scale|lora_magnitude_vector)(?:\.\w+)*"
    r"|(?P<other>hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2))"
    r")"
)
BESIDE = re.compile(r"(?P<layer>.+?)_lora\.(?P<beside>down|up)\.weight")
"""diffusers before 0.22 put the layers of an attention beside it."""

USUAL_FIRSTS = (".lora_down.weight", ".lora_A.weight")
IN_FACTORS = ("lora", "hada_", "lokr_")
"""One of these is in the name of each factor."""

EARLIER_LAYERS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}  # of text encoders
TABLES = re.compile(r"(.+\.)?(embeddings\..+|shared|embed_tokens|relative_attention_bias)\.weight")
"""Matrices that are looked up in, not multiplied with."""

KINDS: dict[Kind, tuple[str, ...]] = {
    "LoHa": ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
    "LoKr": ("lokr_w1", "lokr_w2"),
    "LoRA": ("down", "up"),
}
"""The factors that each kind must have; a factor F of LoKr may be given as F_a and F_b."""

MORE: dict[Kind, tuple[str, ...]] = {
    "LoHa": ("alpha", "hada_t1", "hada_t2"),
    "LoKr": ("alpha", "lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
    "LoRA": ("alpha", "mid", "magnitude"),
}
"""Those that it may have."""


class Addition(NamedTuple):
    """What a file adds to a layer. names: of its tensors, by factor. stored: where the layer is in what they make."""

    kind: Kind
    names: Mapping[str, str]
    stored: Stored


class Content(NamedTuple):
    """additions: by layer, as its network calls it. unknown: tensors that belong to no layer of it."""

    additions: Mapping[str, Addition]
    unknown: tuple[str, ...]


def is_lora(found: Shapes) -> bool:
    """Whether a file holds pairs of factors."""
    factors = (name for name in found if any(mark in name for mark in IN_FACTORS))
    return any(_split(name)[1] not in ("", "alpha", "magnitude", "mid") for name in factors)


def layers(network: Shapes) -> dict[str, Shape]:
    """The layers of a network that can be adapted, linear ones and convolutions: the shapes of their weights."""
    return {
        name.removesuffix(".weight"): shape
        for name, shape in network.items()
        if name.endswith(".weight") and len(shape) in (2, 4) and not TABLES.fullmatch(name)
    }


def check_kind(place: Path, found: Shapes) -> None:
    """Raises ValueError when a file is no LoRA, or one of a kind that cannot be applied."""
    for pattern, kind in OTHER_KINDS.items():
        if names := [name for name in found if re.fullmatch(pattern, name)]:
            raise ValueError(
                f"{place} holds {kind} ({listed(sorted(names))}), which this program cannot apply; it can apply LoRA, "
                "DoRA, LoHa and LoKr"
            )
    if not is_lora(found):
        raise ValueError(f"{place} is not a LoRA: it has no low-rank pairs")


def read(place: Path, found: Shapes, role: Role, layers: Mapping[str, Shape], settings: Settings) -> Content:
    """The part of a LoRA that is for one network. role, layers, settings: those of the network.

    Raises ValueError, naming the tensor, when what it has for a layer is not whole, is there twice, or does not fit.
    """
    known = names_of(role, layers, settings)
    grouped: dict[str, dict[str, str]] = {}
    unknown: list[str] = []
    for name in found:
        stem, factor = _split(name, is_text=role.tokenizer is not None)
        if not factor or stem not in known:
            unknown.append(name)
        elif factor in grouped.setdefault(stem, {}):
            raise ValueError(f"{place} has two tensors for one layer: {listed([grouped[stem][factor], name])}")
        else:
            grouped[stem][factor] = name
    additions: dict[str, Addition] = {}
    for stem, names in grouped.items():
        kind = _kind(place, names)
        targets = known[stem]
        check = _Check(place, found, names, kind, layers[targets[0][0]], _outputs(targets, layers))
        check.shapes()
        for layer, stored in targets:
            if layer in additions:
                twice = [next(iter(additions[layer].names.values())), next(iter(names.values()))]
                raise ValueError(f"{place} has two tensors for one layer: {listed(twice)}")
            additions[layer] = Addition(kind, names, stored)
    return Content(additions, tuple(unknown))


def prompt_widths(found: Shapes) -> set[int]:
    """How wide the prompts are that the U-Net of a LoRA reads."""
    downs = (name for name in found if re.search(r"attn2[._].*to_k", name) and _split(name)[1] == "down")
    return {found[name][1] for name in downs if len(found[name]) > 1}


def inputs(found: Shapes) -> dict[str, int]:
    """How many inputs each layer has, by what stands for it in the file, as far as factors [rank, inputs, ...] tell."""
    # Expressions take long, and a library holds millions of names.
    firsts = [name for name in found if "lora_down" in name or "lora_A" in name or ".down" in name]
    return {layer: next(iter(found[name][1:]), 0) for name in firsts if (layer := _of_first(name))}


def _of_first(name: str) -> str:
    """What stands for its layer in the name of such a factor; else ""."""
    for ending in USUAL_FIRSTS:
        if name.endswith(ending) and ".lora" not in (layer := name[: -len(ending)]):
            return layer
    layer, factor = _split(name)
    return layer if factor == "down" else ""


def _split(name: str, *, is_text: bool = False) -> tuple[str, str]:
    """A tensor's name as what stands for its layer, and which factor it is; "" when it is none."""
    match = ENDING.fullmatch(name) or BESIDE.fullmatch(name)
    if match is None:
        return name, ""
    layer, kind = match["layer"], str(match.lastgroup)
    if kind == "other":
        return layer, match["other"]
    if kind != "beside":
        return layer, kind
    stem, _, last = layer.replace(".processor.", ".").rpartition(".")
    last = EARLIER_LAYERS.get(last, last) if is_text else last
    return f"{stem}.to_out.0" if last == "to_out" else f"{stem}.{last}", match["beside"]


def names_of(role: Role, layers: Iterable[str], settings: Settings) -> dict[str, list[tuple[str, Stored]]]:
    """Every name that a file may use for layers, to those layers and where each is in what bears the name."""
    known: dict[str, list[tuple[str, Stored]]] = {}
    spellings = role.architecture.spellings(settings)
    for layer in layers:
        for own, stored in _own_names(spellings, layer):
            for prefix in role.adapter_names:
                for within in ("", "base_model.model."):
                    known.setdefault(prefix + within + own, []).append((layer, stored))
            for prefix in role.flat_adapter_names:
                known.setdefault(prefix + own.replace(".", "_"), []).append((layer, stored))
    return known


def _own_names(spellings: Spellings, layer: str) -> Iterator[tuple[str, Stored]]:
    spelled = (Stored(f"{layer}.weight"), *spellings(f"{layer}.weight"))
    by_name = {stored.name: stored for stored in spelled if stored.change != "transposed"}
    for name, stored in by_name.items():
        if name.endswith(".weight"):
            yield name.removesuffix(".weight"), stored


def _outputs(targets: Iterable[tuple[str, Stored]], layers: Mapping[str, Shape]) -> int:
    """How many rows the weight has that a file keeps these layers in."""
    return max(stored.rows[1] if stored.rows else layers[layer][0] for layer, stored in targets)


def _kind(place: Path, names: Mapping[str, str]) -> Kind:
    """Raises ValueError when a factor is missing, or belongs to another kind."""
    kind: Kind = "LoRA"
    if any(factor.startswith("hada_") for factor in names):
        kind = "LoHa"
    elif any(factor.startswith("lokr_") for factor in names):
        kind = "LoKr"
    first = next((name for factor, name in names.items() if factor != "alpha"), names.get("alpha", ""))
    for factor in KINDS[kind]:
        halves = {f"{factor}_a", f"{factor}_b"}
        if factor not in names and not (kind == "LoKr" and halves <= names.keys()):
            raise ValueError(f"{place} is not whole: {listed([first])} has no {factor} factor beside it")
        if factor in names and halves & names.keys():
            raise ValueError(f"{place} has two tensors for one layer: {listed([names[factor], first])}")
    if kind == "LoHa" and ("hada_t1" in names) != ("hada_t2" in names):
        raise ValueError(f"{place} is not whole: {listed([first])} has only one of hada_t1 and hada_t2 beside it")
    if kind == "LoKr" and "lokr_t2" in names and "lokr_w2" in names:
        raise ValueError(f"{place} has two tensors for one layer: {listed([names['lokr_t2'], names['lokr_w2']])}")
    for factor, name in names.items():
        if factor not in (*KINDS[kind], *MORE[kind]):
            what = f"DoRA of {kind}" if factor == "magnitude" else f"{kind} beside other kinds in one layer"
            raise ValueError(f"{place} holds {what} ({listed([name])}), which this program cannot apply")
    return kind


class _Check:
    """Whether the tensors for a layer fit it. layer: the shape of its weight. outputs: the rows that a file makes."""

    def __init__(
        self, place: Path, found: Shapes, names: Mapping[str, str], kind: Kind, layer: Shape, outputs: int
    ) -> None:
        self.place, self.names, self.kind, self.outputs = place, names, kind, outputs
        self.found = {factor: found[name] for factor, name in names.items()}
        self.inputs, self.kernel = layer[1], layer[2:]

    def shapes(self) -> None:
        """Raises ValueError naming the tensor that does not fit."""
        {"LoRA": self._lora, "LoHa": self._loha, "LoKr": self._lokr}[self.kind]()
        if "alpha" in self.names and any(side != 1 for side in self.found["alpha"]):
            raise ValueError(
                f"{self.place}: {listed([self.names['alpha']])} must be one number, it is {_sized(self.found['alpha'])}"
            )

    def _lora(self) -> None:
        """down: [rank, inputs, *kernel]; up: [outputs, rank]; a kernel of 1 x 1 may be written out or not."""
        rank = self._first("down")
        if "mid" in self.names:
            self._is("down", (rank, self.inputs))
            self._is("mid", (rank, rank, *self.kernel))
        else:
            self._is("down", (rank, self.inputs, *self.kernel))
        self._is("up", (self.outputs, rank))
        if "magnitude" in self.names:
            self._magnitude()

    def _magnitude(self) -> None:
        """One for each output; LyCORIS can have one for each input instead."""
        shape, name = self.found["magnitude"], self.names["magnitude"]
        first = shape[0] if shape else 0
        if prod(shape) != self.outputs or (name.endswith("dora_scale") and first != self.outputs):
            raise ValueError(
                f"{self.place} does not fit this model: {listed([name])} is {_sized(shape)}, not a number for each of "
                f"{self.outputs} outputs"
            )

    def _loha(self) -> None:
        for number in "12":
            first, second = f"hada_w{number}_a", f"hada_w{number}_b"
            rank = self._first(second)
            if (middle := f"hada_t{number}") in self.names:
                self._is(first, (rank, self.outputs))
                self._is(second, (rank, self.inputs))
                self._is(middle, (rank, rank, *self.kernel))
            else:
                self._is(first, (self.outputs, rank))
                self._is(second, (rank, self.inputs * prod(self.kernel)))

    def _lokr(self) -> None:
        one, other = self._factor_sides("lokr_w1"), self._factor_sides("lokr_w2")
        made = one[0] * other[0], one[1] * other[1]
        wanted = self.outputs, self.inputs * prod(self.kernel)
        if made != wanted:
            first = next(iter(self.names.values()))
            raise ValueError(
                f"{self.place} does not fit this model: {listed([first])} and what is beside it make {_sized(made)}, "
                f"not {_sized(wanted)}"
            )

    def _factor_sides(self, factor: str) -> tuple[int, int]:
        """Rows and columns of one of the two matrices."""
        if factor in self.names:
            shape = flat(self.found[factor])
            if len(shape) != 2 and (factor == "lokr_w1" or shape[2:] != self.kernel):
                self._is(factor, (self._first(factor), self.inputs))
            return shape[0], prod(shape[1:])
        rank = self._first(f"{factor}_b")
        if factor == "lokr_w2" and "lokr_t2" in self.names:
            rows, columns = self._last(f"{factor}_a"), self._last(f"{factor}_b")
            self._is(f"{factor}_a", (rank, rows))
            self._is(f"{factor}_b", (rank, columns))
            self._is("lokr_t2", (rank, rank, *self.kernel))
            return rows, columns * prod(self.kernel)
        rows, columns = self._first(f"{factor}_a"), self._last(f"{factor}_b")
        self._is(f"{factor}_a", (rows, rank))
        self._is(f"{factor}_b", (rank, columns))
        return rows, columns

    def _first(self, factor: str) -> int:
        shape = self.found[factor]
        return shape[0] if shape else 0

    def _last(self, factor: str) -> int:
        shape = self.found[factor]
        return shape[-1] if shape else 0

    def _is(self, factor: str, wanted: Shape) -> None:
        if flat(self.found[factor]) != flat(wanted) or not all(wanted):
            raise ValueError(
                f"{self.place} does not fit this model: {listed([self.names[factor]])} is "
                f"{_sized(self.found[factor])}, not {_sized(wanted)}"
            )


def _sized(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "a single number"

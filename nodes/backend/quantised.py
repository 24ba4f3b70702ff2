"""What the table of a file of weights tells of quantised layers: which tensors make one weight, and by which layout.

Files by ComfyUI and its tools mark a layer L with L.comfy_quant, a JSON object as bytes, or all of them in the file's
metadata; older ones put L.scale_weight beside eight-bit floats. Of each layer only the weight is shown on, with the
sides that it stands for; what belongs to it is known here. Planning asks this, so it has no torch, and no byte of a
weight is read. What the layouts mean is in `layouts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, cast

from nodes.backend.headers import Shapes, Stretch
from nodes.backend.strict_json import parse_object, quoted

Shape = tuple[int, ...]
Layout = Literal["float8", "int8", "w4a8", "nvfp4", "gguf"]

MARKER, METADATA = ".comfy_quant", "_quantization_metadata"
MAX_MARKER = 4096
"""Bytes. Real ones are below 200."""

OLD_SCALE, OLD_INPUT, OLD_FILE = ".scale_weight", ".scale_input", "scaled_fp8"
FLOAT8 = ("F8_E4M3", "F8_E5M2")
NUMBER = ("F32", "F16", "BF16")
ROTATION = 256
"""Inputs that are rotated together where a marker does not say."""

ROTATIONS = (4, 16, 64, 256, 1024)
OWN_WORDS = {"format", "convrot", "convrot_groupsize"}
NO_MATTER = {"per_row", "group_size", "full_precision_matrix_mult", "orig_dtype", "orig_shape"}
"""What a marker may say besides: the tensors tell it, or it is about speed."""

BITSANDBYTES = "packed by bitsandbytes (nf4), which needs the library bitsandbytes, and this program has not got it"
NUNCHAKU = "packed as SVDQuant or AWQ (svdquant_w4a4, nunchaku), which this program cannot read"
FOREIGN = {
    **dict.fromkeys(("absmax", "quant_map", "nested_absmax", "nested_quant_map", "bitsandbytes__nf4"), BITSANDBYTES),
    **dict.fromkeys(("bitsandbytes__fp4", "SCB"), BITSANDBYTES.replace("nf4", "fp4 or int8")),
    **dict.fromkeys(("qweight", "wscales", "wcscales", "smooth_factor", "smooth_factor_orig"), NUNCHAKU),
    **dict.fromkeys(("qzeros", "g_idx"), "packed as GPTQ or AWQ, which this program cannot read"),
    "weight_correction": "packed as w4a8 with corrections, which this program cannot read",
}
"""By how the names of their tensors end, layouts that are refused."""

SPECIAL = frozenset({*FOREIGN, MARKER[1:], OLD_SCALE[1:], OLD_FILE})
"""How a name ends in files in which something is packed, if no tensor is of eight-bit floats."""

INSTEAD = "use the model as float8, int8, w4a8, nvfp4 or GGUF, or one in 16 bits"


class Packed(NamedTuple):
    """A weight that is stored as several tensors, or in blocks. shape: its own. parts: their names in the file.

    kind: of eight-bit floats which, of GGUF which packing. rotated: inputs that were rotated together; 0: none.
    nbytes: of all its parts in the file.
    """

    layout: Layout
    shape: Shape
    parts: Mapping[str, str]
    kind: str = ""
    rotated: int = 0
    nbytes: int = 0

    @property
    def title(self) -> str:
        """For people."""
        match self.layout:
            case "float8":
                return "fp8" + " e5m2" * (self.kind == "F8_E5M2") + " scaled" * ("scale" in self.parts)
            case "int8":
                return "int8 rotated" if self.rotated else "int8"
            case "gguf":
                return f"GGUF {self.kind}"
            case _:
                return self.layout


class Content(NamedTuple):
    """shapes: of the tensors that a network may ask for. packed: those that are packed, by name."""

    shapes: Shapes
    packed: Mapping[str, Packed]


def is_plain(names: Iterable[str], dtypes: Iterable[str], metadata: Mapping[str, str]) -> bool:
    """Whether nothing in a .safetensors file is packed: there, `read` would find the shapes alone."""
    if METADATA in metadata or not set(FLOAT8).isdisjoint(dtypes):
        return False
    return SPECIAL.isdisjoint({name.rpartition(".")[2] for name in names})


def read(path: Path, stretches: Mapping[str, Stretch], metadata: Mapping[str, str]) -> Content:
    """What a .safetensors file holds. Raises ValueError, naming the file and the layer, when a layout is not known here
    or its tensors do not fit.
    """
    if name := next((name for name in stretches if name.rpartition(".")[2] in FOREIGN), None):
        what = FOREIGN[name.rpartition(".")[2]]
        raise ValueError(f"{path}: {quoted(name)} is of a layer {what}; {INSTEAD}")
    try:
        layers = _Layers(stretches)
        for layer, told in _told(path, stretches, metadata):
            layers.add(layer, told)
        layers.add_plain()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    shapes = {name: stretch.shape for name, stretch in stretches.items() if name not in layers.hidden}
    return Content(shapes | {name: packed.shape for name, packed in layers.packed.items()}, layers.packed)


# Markers ------------------------------------------------------------------------------------------------------

Told = dict[str, Any]


def _told(path: Path, stretches: Mapping[str, Stretch], metadata: Mapping[str, str]) -> Iterator[tuple[str, Told]]:
    """The layers that are marked, with what is said of each. A layer that is marked twice is yielded once."""
    told: dict[str, Told] = {}
    if METADATA in metadata:
        told |= _from_metadata(metadata[METADATA], stretches)
    marked = [name for name in stretches if name.endswith(MARKER)]
    if marked:
        with path.open("rb") as file:
            told |= {name.removesuffix(MARKER): _marker(file, name, stretches[name]) for name in marked}
    for name in stretches:
        if name.endswith(OLD_SCALE):
            told.setdefault(name.removesuffix(OLD_SCALE), {"format": "scaled_fp8"})
    yield from told.items()


def _marker(file: BinaryIO, name: str, stretch: Stretch) -> Told:
    if stretch.dtype != "U8" or len(stretch.shape) != 1 or stretch.size > MAX_MARKER:
        raise ValueError(f"{quoted(name)} must be up to {MAX_MARKER} bytes, it is {stretch.dtype} {stretch.shape}")
    file.seek(stretch.begin)
    try:
        return parse_object(file.read(stretch.size))
    except ValueError as error:
        raise ValueError(f"{quoted(name)} {error}") from None


def _from_metadata(text: str, stretches: Mapping[str, Stretch]) -> dict[str, Told]:
    """The layers of a file's metadata, which may leave out what begins the names of all of them."""
    try:
        layers: Any = parse_object(text.encode()).get("layers")
    except ValueError as error:
        raise ValueError(f"{METADATA} {error}") from None
    if not isinstance(layers, dict):
        raise ValueError(f"{METADATA} has no layers")
    named = cast("dict[str, Any]", layers)
    first = next((layer for layer in named if f"{layer}.weight" not in stretches), None)
    prefix = ""
    if first is not None:
        ending = f".{first}.weight"
        prefix = next((name.removesuffix(ending) + "." for name in stretches if name.endswith(ending)), "")
    told: dict[str, Told] = {}
    for layer, said in named.items():
        known = layer if f"{layer}.weight" in stretches else prefix + layer
        told[known] = cast("Told", said) if isinstance(said, dict) else {"format": said}
    return told


# Layers -------------------------------------------------------------------------------------------------------


@dataclass
class _Layers:
    """What was found so far. hidden: tensors that are parts of weights, or mark them."""

    stretches: Mapping[str, Stretch]
    packed: dict[str, Packed] = field(default_factory=dict[str, Packed])
    hidden: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.hidden |= {name for name in self.stretches if name.endswith(MARKER) or _marks_file(name)}

    def add(self, layer: str, told: Told) -> None:
        format = told.get("format")
        make = FORMATS.get(format) if isinstance(format, str) else None
        if make is None:
            known = ", ".join(name for name in FORMATS if name != OLD_FILE)
            raise ValueError(
                f"the layer {quoted(layer)} is quantised as {quoted(format)}, which this program cannot read; it can "
                f"read {known}, and GGUF"
            )
        if unknown := told.keys() - OWN_WORDS - NO_MATTER:
            raise ValueError(f"the layer {quoted(layer)} is marked with {quoted(min(unknown))}, which is not known")
        if f"{layer}.weight" not in self.stretches:
            raise ValueError(f"the layer {quoted(layer)} is marked as {format}, and has no weight")
        self._keep(f"{layer}.weight", make(_Layer(layer, told, self.stretches)))

    def add_plain(self) -> None:
        """Matrices of eight-bit floats that nothing is said of: each number for itself, or times a scale beside it."""
        for name, stretch in self.stretches.items():
            if name not in self.packed and stretch.dtype in FLOAT8 and len(stretch.shape) == 2:
                layer = _Layer(name.removesuffix(".weight"), {}, self.stretches, name)
                if name not in self.hidden:
                    self._keep(name, _float8(layer))

    def _keep(self, name: str, packed: Packed) -> None:
        nbytes = sum(self.stretches[part].size for part in packed.parts.values())
        self.packed[name] = packed._replace(nbytes=nbytes)
        self.hidden |= {part for part in packed.parts.values() if part != name}


def _marks_file(name: str) -> bool:
    return name == OLD_FILE or name.endswith(f".{OLD_FILE}")


@dataclass
class _Layer:
    """A layer that is packed. told: of it by its marker. weight: the name of its codes."""

    name: str
    told: Told
    stretches: Mapping[str, Stretch]
    weight: str = ""

    def __post_init__(self) -> None:
        self.weight = self.weight or f"{self.name}.weight"
        self.parts = {"weight": self.weight}

    def codes(self, *dtypes: str) -> Stretch:
        """The tensor of the weight. Raises ValueError when it is another."""
        found = self.stretches[self.weight]
        if found.dtype not in dtypes or len(found.shape) != 2 or not all(found.shape):
            self.refuse(self.weight, found, f"a matrix of {' or '.join(dtypes)}")
        return found

    def part(self, part: str, endings: tuple[str, ...], dtypes: tuple[str, ...], fits: Callable[[Shape], bool]) -> bool:
        """Take a tensor beside the weight; whether it is there. Raises ValueError when it does not fit."""
        name = next((self.name + ending for ending in endings if self.name + ending in self.stretches), None)
        if name is None:
            return False
        found = self.stretches[name]
        if found.dtype not in dtypes or not fits(found.shape):
            self.refuse(name, found, f"{' or '.join(dtypes)} of a shape that fits the weight")
        self.parts[part] = name
        return True

    def must(self, part: str, ending: str, dtypes: tuple[str, ...], fits: Callable[[Shape], bool]) -> None:
        if not self.part(part, (ending,), dtypes, fits):
            raise ValueError(f"the layer {quoted(self.name)} is not whole: {quoted(self.name + ending)} is missing")

    def refuse(self, name: str, found: Stretch, wanted: str) -> None:
        raise ValueError(f"{quoted(name)} is {found.dtype} {found.shape}; it must be {wanted}")

    def rotation(self, inputs: int) -> int:
        """How many inputs are rotated together. Raises ValueError when that is no power of four.

        A layer whose inputs are no multiple of it was left as it was.
        """
        if self.told.get("convrot") not in (None, False, True):
            raise ValueError(f"the layer {quoted(self.name)}: convrot is {quoted(self.told['convrot'])}")
        if not self.told.get("convrot"):
            return 0
        size = self.told.get("convrot_groupsize", ROTATION)
        if type(size) is not int or size not in ROTATIONS:
            known = ", ".join(map(str, ROTATIONS))
            raise ValueError(f"the layer {quoted(self.name)}: convrot_groupsize is {quoted(size)}, none of {known}")
        return size if inputs % size == 0 else 0


def _is_one(shape: Shape) -> bool:
    return all(side == 1 for side in shape) and len(shape) <= 2


def _scale(outputs: int) -> Callable[[Shape], bool]:
    """One for all, or one for each output."""
    return lambda shape: _is_one(shape) or shape in ((outputs,), (outputs, 1))


def _float8(layer: _Layer) -> Packed:
    codes = layer.codes(*FLOAT8)
    layer.part("scale", (".weight_scale", OLD_SCALE), NUMBER, _scale(codes.shape[0]))
    layer.part("input_scale", (".input_scale", OLD_INPUT), NUMBER, _is_one)
    return Packed("float8", codes.shape, layer.parts, codes.dtype)


def _float8_of(dtype: str) -> Callable[[_Layer], Packed]:
    def make(layer: _Layer) -> Packed:
        layer.codes(dtype)
        if not layer.part("scale", (".weight_scale", OLD_SCALE), NUMBER, lambda shape: True):
            raise ValueError(f"the layer {quoted(layer.name)} is not whole: its weight_scale is missing")
        return _float8(layer)

    return make


def _int8(layer: _Layer) -> Packed:
    codes = layer.codes("I8")
    layer.must("scale", ".weight_scale", NUMBER, _scale(codes.shape[0]))
    layer.part("input_scale", (".input_scale",), NUMBER, _is_one)
    return Packed("int8", codes.shape, layer.parts, "I8", layer.rotation(codes.shape[1]))


def _w4a8(layer: _Layer) -> Packed:
    """Always rotated: its codes were chosen for numbers that are spread as rotated ones are."""
    codes = layer.codes("I8", "U8")
    outputs, inputs = codes.shape[0], 2 * codes.shape[1]
    layer.told.setdefault("convrot", True)
    if not (rotation := layer.rotation(inputs)):
        raise ValueError(
            f"{quoted(layer.weight)} has rows of {inputs} numbers; w4a8 is rotated, a multiple of {ROTATION} at a time"
        )

    def groups(shape: Shape) -> bool:
        return len(shape) == 2 and shape[0] == outputs and shape[1] > 0 and inputs % shape[1] == 0

    layer.must("relative", ".weight_s_rel", ("F8_E4M3", "U8", "F32"), groups)
    layer.must("channel", ".weight_s_channel", ("F32",), lambda shape: shape in ((outputs,), (outputs, 1)))
    layer.must("codebook", ".weight_codebook", ("F32",), lambda shape: shape == (16,))
    return Packed("w4a8", (outputs, inputs), layer.parts, "", rotation)


TILE = 128, 4
"""Rows and columns of scales that nvfp4 keeps together."""

BLOCK = 16
"""Numbers of nvfp4 with a scale of their own."""


def tiled(outputs: int, inputs: int) -> Shape:
    """The sides of the scales of nvfp4, filled up to whole tiles."""
    rows, columns = -(-outputs // TILE[0]) * TILE[0], -(-(inputs // BLOCK) // TILE[1]) * TILE[1]
    return rows, columns


def _nvfp4(layer: _Layer) -> Packed:
    codes = layer.codes("U8")
    outputs, inputs = codes.shape[0], 2 * codes.shape[1]
    if inputs % BLOCK:
        raise ValueError(f"{quoted(layer.weight)} has rows of {inputs} numbers; nvfp4 needs a multiple of {BLOCK}")
    layer.must("blocks", ".weight_scale", ("F8_E4M3", "U8"), lambda shape: shape == tiled(outputs, inputs))
    layer.must("scale", ".weight_scale_2", ("F32",), _is_one)
    layer.part("input_scale", (".input_scale",), NUMBER, _is_one)
    return Packed("nvfp4", (outputs, inputs), layer.parts)


FORMATS: Mapping[str, Callable[[_Layer], Packed]] = {
    "float8_e4m3fn": _float8_of("F8_E4M3"),
    "float8_e5m2": _float8_of("F8_E5M2"),
    OLD_FILE: _float8,
    "int8_tensorwise": _int8,
    "asym_w4a8_int8": _w4a8,
    "nvfp4": _nvfp4,
}
"""By the word in a marker."""

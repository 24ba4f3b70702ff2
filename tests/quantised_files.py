"""Files of quantised weights, written from what is published of each layout, for tests and tools.

Numbers are rounded as each layout has it, without the searches by which published files lose less. Layers whose sides a
layout cannot have, and what is no matrix, stay as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from nodes.backend import layouts, weight_files, weight_tensors
from nodes.backend.gguf_header import PACKINGS

Tensors = dict[str, Tensor]

COMFY = ("float8_e4m3fn", "float8_e5m2", "scaled_fp8", "plain_fp8", "int8", "int8_convrot", "w4a8", "nvfp4")
"""The layouts of .safetensors files."""

SIMPLE = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
K_KINDS = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
GGUF = (*SIMPLE, *K_KINDS)

EIGHT = {"float8_e4m3fn": (torch.float8_e4m3fn, 448.0), "float8_e5m2": (torch.float8_e5m2, 57344.0)}
E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
CODEBOOK = torch.linspace(-1, 1, 16)
"""Not that of published files, which is denser near 0."""


def write(path: Path, tensors: Mapping[str, Tensor], layout: str, *, skip: Collection[str] = (), **how: Any) -> Path:
    """A file of these weights in one of COMFY or GGUF. skip: names that stay plain."""
    if layout in GGUF:
        return write_gguf(path, tensors, layout, skip=skip, **how)
    return write_comfy(path, tensors, layout, skip=skip, **how)


def is_layer(name: str, tensor: Tensor) -> bool:
    """Whether a tensor is the weight of a linear layer, as far as its name and shape say."""
    return tensor.ndim == 2 and name.endswith(".weight") and "embed_tokens" not in name and min(tensor.shape) > 1


# .safetensors -------------------------------------------------------------------------------------------------


def write_comfy(
    path: Path,
    tensors: Mapping[str, Tensor],
    layout: str,
    *,
    skip: Collection[str] = (),
    marked: str = "tensors",
    strip: str = "",
) -> Path:
    """marked: whether "tensors" say what each layer is, or the file's "metadata". strip: what begins the names of
    layers, and is left out there.
    """
    out: Tensors = {}
    layers: dict[str, Any] = {}
    for name, tensor in tensors.items():
        made = packed(tensor, layout) if name not in skip and is_layer(name, tensor) else None
        if made is None:
            out[name] = tensor.to(torch.bfloat16).contiguous()
            continue
        parts, told = made
        layer = name.removesuffix(".weight")
        out |= {f"{layer}.{part}": value.contiguous() for part, value in parts.items()}
        if told and marked == "tensors":
            out[f"{layer}.comfy_quant"] = torch.tensor(list(json.dumps(told).encode()), dtype=torch.uint8)
        elif told:
            layers[layer.removeprefix(strip)] = told if len(told) > 1 else told["format"]
    if layout == "scaled_fp8":
        out["scaled_fp8"] = torch.zeros(0, dtype=torch.float8_e4m3fn)
    about = {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": layers})} if layers else None
    save_file(out, path, about)
    return path


def packed(weight: Tensor, layout: str) -> tuple[Tensors, dict[str, Any]] | None:
    """A matrix as tensors, by what comes after the name of its layer, and what its marker says."""
    return _PACK[layout](weight.float())


def _float8(layout: str) -> Callable[[Tensor], tuple[Tensors, dict[str, Any]]]:
    def pack(weight: Tensor) -> tuple[Tensors, dict[str, Any]]:
        dtype, largest = EIGHT[layout]
        scale = weight.abs().amax() / largest
        return {"weight": (weight / scale).to(dtype), "weight_scale": scale.reshape(())}, {"format": layout}

    return pack


def _scaled_fp8(weight: Tensor) -> tuple[Tensors, dict[str, Any]]:
    parts, _ = _float8("float8_e4m3fn")(weight)
    return {"weight": parts["weight"], "scale_weight": parts["weight_scale"], "scale_input": torch.tensor(0.5)}, {}


def _plain_fp8(weight: Tensor) -> tuple[Tensors, dict[str, Any]]:
    return {"weight": weight.to(torch.float8_e4m3fn)}, {}


def hadamard(size: int) -> Tensor:
    """The Kronecker power of the regular matrix of 4 x 4, as float64."""
    first = torch.tensor([[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]], dtype=torch.float64) / 2
    made = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(round(math.log(size, 4))):
        made = torch.kron(made, first)
    return made


def rotate(weight: Tensor, size: int = 256) -> Tensor:
    groups = weight.double().reshape(len(weight), -1, size)
    return (groups @ hadamard(size)).reshape(weight.shape).float()


def _int8(weight: Tensor) -> tuple[Tensors, dict[str, Any]]:
    scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
    codes = (weight / scale).round().clamp(-127, 127).to(torch.int8)
    return {"weight": codes, "weight_scale": scale}, {"format": "int8_tensorwise", "per_row": True}


def _int8_convrot(weight: Tensor) -> tuple[Tensors, dict[str, Any]]:
    size = 256
    parts, told = _int8(rotate(weight, size) if weight.shape[1] % size == 0 else weight)
    return parts, {**told, "convrot": True, "convrot_groupsize": size}


def _w4a8(weight: Tensor) -> tuple[Tensors, dict[str, Any]] | None:
    outputs, inputs = weight.shape
    if inputs % 256:
        return None
    groups = rotate(weight).reshape(outputs, -1, 16)
    channel = groups.abs().amax(dim=(1, 2)).clamp(min=1e-12) / 127  # so that eight bits hold what stands before it
    relative = (groups.abs().amax(dim=2) / channel[:, None]).to(torch.float8_e4m3fn)
    normed = groups / (relative.float().unsqueeze(-1) * channel.view(-1, 1, 1)).clamp(min=1e-12)
    codes = (normed.unsqueeze(-1) - CODEBOOK).abs().argmin(-1).to(torch.uint8).reshape(outputs, inputs)
    pairs = codes[:, 0::2] | (codes[:, 1::2] << 4)
    parts = {"weight": pairs.view(torch.int8), "weight_s_rel": relative, "weight_s_channel": channel}
    return {**parts, "weight_codebook": CODEBOOK.clone()}, {"format": "asym_w4a8_int8", "group_size": 16}


def tile(scales: Tensor) -> Tensor:
    """[rows, columns] filled up and cut into tiles of 128 x 4, in each of which row r, column c is at (r % 32, r // 32,
    c).
    """
    rows, columns = -(-scales.shape[0] // 128) * 128, -(-scales.shape[1] // 4) * 4
    filled = torch.zeros(rows, columns, dtype=torch.uint8)
    filled[: scales.shape[0], : scales.shape[1]] = scales.view(torch.uint8)
    row, column = torch.arange(rows)[:, None], torch.arange(columns)[None]
    number = (row // 128) * (columns // 4) + column // 4
    made = torch.zeros(rows * columns, dtype=torch.uint8)
    made[number * 512 + (row % 32) * 16 + (row % 128) // 32 * 4 + column % 4] = filled
    return made.view(scales.dtype).reshape(rows, columns)


def _nvfp4(weight: Tensor) -> tuple[Tensors, dict[str, Any]] | None:
    outputs, inputs = weight.shape
    if inputs % 16:
        return None
    groups = weight.reshape(outputs, -1, 16)
    scale = weight.abs().amax() / (448 * 6)
    blocks = (groups.abs().amax(dim=2) / 6 / scale).to(torch.float8_e4m3fn)
    normed = groups / (blocks.float().unsqueeze(-1) * scale).clamp(min=1e-12)
    levels = (normed.abs().unsqueeze(-1) - torch.tensor(E2M1)).abs().argmin(-1)
    codes = (levels + 8 * (normed < 0)).to(torch.uint8).reshape(outputs, inputs)
    parts = {"weight": (codes[:, 0::2] << 4) | codes[:, 1::2], "weight_scale": tile(blocks)}
    return {**parts, "weight_scale_2": scale.reshape(())}, {"format": "nvfp4"}


_PACK: dict[str, Callable[[Tensor], tuple[Tensors, dict[str, Any]] | None]] = {
    "float8_e4m3fn": _float8("float8_e4m3fn"),
    "float8_e5m2": _float8("float8_e5m2"),
    "scaled_fp8": _scaled_fp8,
    "plain_fp8": _plain_fp8,
    "int8": _int8,
    "int8_convrot": _int8_convrot,
    "w4a8": _w4a8,
    "nvfp4": _nvfp4,
}


# GGUF ---------------------------------------------------------------------------------------------------------


def write_gguf(
    path: Path,
    tensors: Mapping[str, Tensor],
    kind: str,
    *,
    skip: Collection[str] = (),
    architecture: str = "flux",
    original: Mapping[str, tuple[int, ...]] | None = None,
) -> Path:
    """As city96's tool has them: matrices whose rows fill blocks are packed, the rest is F32 or F16. original: shapes
    of tensors that are laid out anew.
    """
    writer = gguf.GGUFWriter(None, architecture)
    films = {
        name: tuple(tensor.shape) for name, tensor in tensors.items() if tensor.ndim > 4
    }  # no file has so many sides
    tensors = {name: tensor.flatten(1) if name in films else tensor for name, tensor in tensors.items()}
    for name, shape in {**films, **(original or {})}.items():
        writer.add_array(f"comfy.gguf.orig_shape.{name}", [int(side) for side in shape])
    for name, tensor in tensors.items():
        packing = PACKINGS[kind]
        fills = tensor.ndim == 2 and tensor.shape[-1] % packing.numbers == 0
        if name not in {*skip, *films} and fills and (is_layer(name, tensor) or name in (original or {})):
            rows = quantised(tensor.float().numpy(), kind)
            writer.add_tensor(name, rows, raw_dtype=gguf.GGMLQuantizationType[kind])
        else:
            writer.add_tensor(name, tensor.float().numpy() if tensor.ndim < 2 else tensor.half().numpy())
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def quantised(numbers: Any, kind: str) -> Any:
    """Rows of numbers as rows of blocks. The package has no writers of the K kinds."""
    if kind in SIMPLE:
        return gguf.quants.quantize(numbers, gguf.GGMLQuantizationType[kind])
    blocks = _K_BLOCKS[kind](numbers.reshape(-1, 256).astype(np.float32))
    assert blocks.shape[1] == PACKINGS[kind].bytes
    return np.ascontiguousarray(blocks).reshape(len(numbers), -1)


def _halves(numbers: Any) -> Any:
    return numbers.astype(np.float16).reshape(-1, 1).view(np.uint8)


def _divided(a: Any, b: Any) -> Any:
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape), np.float32), where=b != 0)


def _symmetric(groups: Any, least: int, most: int, scales: int) -> tuple[Any, Any, Any]:
    """Groups, [n, 16, 16], as codes of least..most, whole scales of -scales..scales - 1, and a scale for each block."""
    wanted = np.abs(groups).max(axis=2) / most
    d = (wanted.max(axis=1, keepdims=True) / (scales - 1)).astype(np.float16).astype(np.float32)
    whole = np.clip(np.rint(_divided(wanted, d)), 1, scales - 1)
    codes = np.clip(np.rint(_divided(groups, (d * whole)[..., None])), least, most)
    return codes.astype(np.int32), whole.astype(np.int32), d


def _with_least(groups: Any, most: int, scales: int) -> tuple[Any, Any, Any, Any, Any]:
    """Groups as codes of 0..most above a least number, whole scales and least numbers, and a scale for either."""
    low = np.maximum(0, -groups.min(axis=2))
    wanted = (groups.max(axis=2) + low) / most
    d, dmin = ((v.max(axis=1, keepdims=True) / scales).astype(np.float16).astype(np.float32) for v in (wanted, low))
    scale, least = (np.clip(np.rint(_divided(v, by)), 0, scales) for v, by in ((wanted, d), (low, dmin)))
    codes = np.clip(np.rint(_divided(groups + (dmin * least)[..., None], (d * scale)[..., None])), 0, most)
    return codes.astype(np.int32), scale.astype(np.int32), least.astype(np.int32), d, dmin


def _fields(codes: Any, width: int, bits: int) -> Any:
    """Codes of a block, [n, 256], side by side in bytes: each byte has those `width` apart."""
    per_byte = 8 // bits
    parts = codes.reshape(len(codes), -1, per_byte, width)
    shifts = (np.arange(per_byte) * bits).reshape(1, 1, -1, 1)
    return np.bitwise_or.reduce(parts << shifts, axis=2).reshape(len(codes), -1).astype(np.uint8)


def _q2_k(blocks: Any) -> Any:
    codes, scale, least, d, dmin = _with_least(blocks.reshape(-1, 16, 16), 3, 15)
    packed = _fields(codes.reshape(-1, 256), 32, 2)
    return np.concatenate([(scale | (least << 4)).astype(np.uint8), packed, _halves(d), _halves(dmin)], axis=1)


def _q3_k(blocks: Any) -> Any:
    codes, scale, d = _symmetric(blocks.reshape(-1, 16, 16), -4, 3, 32)
    codes, scale = (codes + 4).reshape(-1, 256), scale + 32
    high = _fields(codes >> 2, 32, 1)
    lower = (scale[:, :8] & 15) | ((scale[:, 8:] & 15) << 4)
    upper = np.bitwise_or.reduce((scale.reshape(-1, 4, 4) >> 4) << np.array([0, 2, 4, 6]).reshape(1, 4, 1), axis=1)
    scales = np.concatenate([lower, upper], axis=1).astype(np.uint8)
    return np.concatenate([high, _fields(codes & 3, 32, 2), scales, _halves(d)], axis=1)


def _six_bits(scale: Any, least: Any) -> Any:
    first = (scale[:, :4] & 63) | ((scale[:, 4:] >> 4) << 6)
    second = (least[:, :4] & 63) | ((least[:, 4:] >> 4) << 6)
    rest = (scale[:, 4:] & 15) | ((least[:, 4:] & 15) << 4)
    return np.concatenate([first, second, rest], axis=1).astype(np.uint8)


def _q4_k(blocks: Any) -> Any:
    codes, scale, least, d, dmin = _with_least(blocks.reshape(-1, 8, 32), 15, 63)
    return np.concatenate(
        [_halves(d), _halves(dmin), _six_bits(scale, least), _fields(codes.reshape(-1, 256), 32, 4)], axis=1
    )


def _q5_k(blocks: Any) -> Any:
    codes, scale, least, d, dmin = _with_least(blocks.reshape(-1, 8, 32), 31, 63)
    codes = codes.reshape(-1, 256)
    high, low = _fields(codes >> 4, 32, 1), _fields(codes & 15, 32, 4)
    return np.concatenate([_halves(d), _halves(dmin), _six_bits(scale, least), high, low], axis=1)


def _q6_k(blocks: Any) -> Any:
    codes, scale, d = _symmetric(blocks.reshape(-1, 16, 16), -32, 31, 128)
    codes = (codes + 32).reshape(-1, 256)
    low = np.concatenate([_fields(half & 15, 64, 4) for half in (codes[:, :128], codes[:, 128:])], axis=1)
    return np.concatenate([low, _fields(codes >> 4, 32, 2), scale.astype(np.int8).view(np.uint8), _halves(d)], axis=1)


_K_BLOCKS: dict[str, Callable[[Any], Any]] = {
    "Q2_K": _q2_k,
    "Q3_K": _q3_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}


def dequantised(path: Path) -> Tensors:
    """What the weights of a file stand for, in float32."""
    packed = weight_files.packed(path)
    with weight_tensors.opened(path) as file:
        made = {name: file.get_tensor(name).float() for name in weight_files.shapes(path) if name not in packed}
        for name, weight in packed.items():
            parts = {part: file.get_tensor(stored) for part, stored in weight.parts.items()}
            made[name] = layouts.whole(weight, parts, torch.float32)
    return made

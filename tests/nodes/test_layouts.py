"""The numbers of quantised weights are those that the layouts are defined by, and those of the libraries.

Every definition is worked out here once more, in float64 and number by number where that is simplest.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from nodes.backend import gguf_blocks, layouts, weight_files, weight_tensors
from nodes.backend.gguf_header import PACKED, PACKINGS
from nodes.backend.quantised import Packed
from nodes.backend.quantised_layers import Kept, QuantisedEmbedding, QuantisedLinear
from tests import quantised_files
from tests.examples import each
from tests.quantised_files import COMFY, GGUF

NUMBERS = np.random.default_rng(0)


def numbers(outputs: int, inputs: int, seed: int = 0) -> Tensor:
    return torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed)) / math.sqrt(inputs)


def kept(folder: Path, weight: Tensor, layout: str, **how: Any) -> Kept:
    """A weight as a file has it in a layout."""
    path = quantised_files.write(folder / layout, {"a.weight": weight}, layout, **how)
    packed = weight_files.packed(path)["a.weight"]
    with weight_tensors.opened(path) as file:
        return Kept(packed, {part: file.get_tensor(name) for part, name in packed.parts.items()})


def made(found: Kept) -> Tensor:
    return layouts.whole(found.packed, found.parts, torch.float32)


# Definitions --------------------------------------------------------------------------------------------------

FLOAT8 = {"float8_e4m3fn": (4, 3), "float8_e5m2": (5, 2), "scaled_fp8": (4, 3), "plain_fp8": (4, 3)}


def eight_bit_float(code: int, exponent: int, mantissa: int) -> float:
    """IEEE 754 with so many bits of each; what would be infinite or no number is not asked for."""
    sign, bias = -1.0 if code & 128 else 1.0, 2 ** (exponent - 1) - 1
    power, part = (code >> mantissa) & (2**exponent - 1), code & (2**mantissa - 1)
    if power == 0:
        return sign * part * 2.0 ** (1 - bias - mantissa)
    return sign * (1 + part / 2**mantissa) * 2.0 ** (power - bias)


@pytest.mark.parametrize("layout", FLOAT8)
def test_eight_bit_floats_are_each_its_number_times_the_scale(tmp_path: Path, layout: str):
    found = kept(tmp_path, numbers(12, 20), layout)
    codes = found.parts["weight"].view(torch.uint8).flatten().tolist()
    scale = found.parts["scale"].double().item() if "scale" in found.parts else 1.0
    expected = torch.tensor([eight_bit_float(code, *FLOAT8[layout]) * scale for code in codes], dtype=torch.float64)
    assert made(found).flatten().equal(expected.float())  # a product of so few bits is rounded once


@pytest.mark.parametrize("kind", layouts.FLOATS)
def test_every_eight_bit_float_is_found_in_the_table_of_devices_that_do_not_know_them(
    kind: str, monkeypatch: pytest.MonkeyPatch
):
    codes = torch.arange(256, dtype=torch.uint8)
    expected = layouts.float8(codes, kind)
    monkeypatch.setattr(layouts, "KNOW_FLOAT8", ())
    assert layouts.float8(codes, kind).view(torch.int32).equal(expected.view(torch.int32))


def test_int8_is_each_number_times_the_scale_of_its_row(tmp_path: Path):
    found = kept(tmp_path, numbers(12, 20), "int8")
    expected = found.parts["weight"].double() * found.parts["scale"].double()
    assert made(found).equal(expected.float())


def test_a_rotation_is_orthogonal_symmetric_and_its_own_inverse():
    for size in (4, 16, 64, 256):
        turn = layouts.hadamard(size, torch.device("cpu"))
        assert turn.equal(quantised_files.hadamard(size).float())
        assert turn.equal(turn.T)
        assert (turn @ turn).equal(torch.eye(size))


def test_rotated_int8_is_turned_back_group_by_group(tmp_path: Path):
    found = kept(tmp_path, weight := numbers(12, 512), "int8_convrot")
    assert found.packed.rotated == 256
    codes = found.parts["weight"].double() * found.parts["scale"].double()
    turn = quantised_files.hadamard(256)
    expected = torch.cat([codes[:, :256] @ turn, codes[:, 256:] @ turn], dim=1)
    assert (made(found) - expected).abs().max() < 1e-6 * expected.abs().max()  # sums of 256 float32
    assert (made(found) - weight).norm() < 0.01 * weight.norm()


def test_a_layer_whose_inputs_do_not_fill_groups_was_never_rotated(tmp_path: Path):
    found = kept(tmp_path, numbers(12, 320), "int8_convrot")
    assert found.packed.rotated == 0
    assert made(found).equal((found.parts["weight"].double() * found.parts["scale"].double()).float())


def test_w4a8_is_a_number_of_the_codebook_times_two_scales_turned_back(tmp_path: Path):
    found = kept(tmp_path, weight := numbers(3, 256), "w4a8")
    parts = {name: part.double() if part.is_floating_point() else part for name, part in found.parts.items()}
    expected = torch.zeros(3, 256, dtype=torch.float64)
    for row in range(3):
        for column in range(256):
            byte = int(parts["weight"].view(torch.uint8)[row, column // 2])
            code = byte >> 4 if column % 2 else byte & 15
            expected[row, column] = parts["codebook"][code] * parts["relative"][row, column // 16]
    expected = (expected * parts["channel"][:, None]) @ quantised_files.hadamard(256)
    assert (made(found) - expected).abs().max() < 1e-6 * expected.abs().max()
    assert (made(found) - weight).norm() < 0.15 * weight.norm()


def test_nvfp4_is_a_number_of_four_bits_times_the_scale_of_its_block_times_one_for_all(tmp_path: Path):
    found = kept(tmp_path, weight := numbers(130, 80), "nvfp4")
    blocks, codes = found.parts["blocks"].double(), found.parts["weight"]
    assert blocks.shape == (256, 8)
    expected = torch.zeros(130, 80, dtype=torch.float64)
    for row in range(130):
        for column in range(80):
            byte = int(codes[row, column // 2])
            code = byte & 15 if column % 2 else byte >> 4
            tile, within = (row // 128) * 2 + column // 64, (row % 32) * 16 + (row % 128) // 32 * 4
            scale = blocks.flatten()[tile * 512 + within + column // 16 % 4]
            expected[row, column] = layouts.E2M1[code % 8] * (-1) ** (code // 8) * scale
    expected *= found.parts["scale"].double()
    assert made(found).equal(expected.float())  # the first product is exact
    assert (made(found) - weight).norm() < 0.15 * weight.norm()


@each("kind", PACKINGS)
def test_blocks_of_gguf_are_the_numbers_that_its_own_package_makes(kind: str):
    packing = PACKINGS[kind]
    assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]] == (packing.numbers, packing.bytes)
    rows = NUMBERS.integers(0, 256, (5, 3 * packing.bytes), dtype=np.uint8)
    with np.errstate(all="ignore"):  # among all bytes there are scales that are no numbers
        expected = gguf.quants.dequantize(rows, gguf.GGMLQuantizationType[kind])
        ours = gguf_blocks.decoded(torch.from_numpy(rows), kind, torch.float32).numpy()
    assert np.array_equal(ours, expected, equal_nan=True)


def test_packings_bear_the_numbers_of_the_package():
    assert {number: gguf.GGMLQuantizationType(number).name for number in PACKED} == {
        number: packing.name for number, packing in PACKED.items()
    }


@each("layout", GGUF)
def test_what_the_tests_write_as_gguf_is_near_what_it_was(tmp_path: Path, layout: str):
    weight = numbers(8, 512)
    least = {"Q2_K": 0.4, "Q3_K": 0.25}.get(layout, 0.1)
    assert (made(kept(tmp_path, weight, layout)) - weight).norm() < least * weight.norm()


# The library whose layouts they are ---------------------------------------------------------------------------


@pytest.fixture
def kitchen() -> Any:
    return pytest.importorskip("comfy_kitchen.backends.eager", reason="comfy-kitchen is not installed")


@pytest.mark.parametrize("layout", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_is_what_comfy_kitchen_makes(tmp_path: Path, layout: str, kitchen: Any):
    found = kept(tmp_path, numbers(12, 32), layout)
    codes, scale = found.parts["weight"], found.parts["scale"]
    assert made(found).equal(kitchen.quantization.dequantize_per_tensor_fp8(codes, scale, torch.float32))


@settings(max_examples=10, deadline=None)
@given(outputs=st.integers(1, 40), groups=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_int8_rotated_or_not_is_what_comfy_kitchen_makes(outputs: int, groups: int, seed: int):
    eager = pytest.importorskip("comfy_kitchen.backends.eager", reason="comfy-kitchen is not installed").quantization
    weight = numbers(outputs, 256 * groups, seed)
    for size in (0, 256):
        if size:
            codes, scale = eager.quantize_int8_convrot_weight(weight, size)
            theirs = eager.dequantize_int8_convrot_weight(codes, scale, size)
        else:
            codes, scale = eager.quantize_int8_rowwise(weight)
            theirs = eager.dequantize_int8_simple(codes, scale)
        packed = Packed("int8", tuple(weight.shape), {}, "I8", size)
        assert layouts.whole(packed, {"weight": codes, "scale": scale}, torch.float32).equal(theirs)


def test_w4a8_differs_from_comfy_kitchen_by_its_rounding_to_eight_bits_alone(kitchen: Any):
    outputs, weight = 24, numbers(24, 512)
    library = pytest.importorskip("comfy_kitchen.backends.eager.w4a8_int8")
    codes, relative, channel, _, codebook = library.quantize_w4a8_int8_weight(weight)
    parts = {"weight": codes, "relative": relative, "channel": channel, "codebook": codebook}
    ours = layouts.whole(Packed("w4a8", (outputs, 512), {}, "", 256), parts, torch.float32)
    theirs = library.dequantize_w4a8_int8_weight(codes, relative, channel, codebook, output_dtype=torch.float32)
    # It rounds what stands before the scale of a row to whole numbers, of half a one at the most; a rotation leaves the
    # length of a group as it is.
    groups = (ours - theirs).reshape(outputs, -1, 256).norm(dim=2)
    assert (groups <= 0.5 * channel[:, None] * math.sqrt(256)).all()
    assert (ours - weight).norm() <= 1.001 * (theirs - weight).norm()


def test_nvfp4_is_what_comfy_kitchen_makes_to_a_unit_in_the_last_place(kitchen: Any):
    weight = numbers(130, 192)
    scale = weight.abs().amax() / (448 * 6)
    codes, blocks = kitchen.quantization.quantize_nvfp4(weight, scale)
    parts = {"weight": codes, "blocks": blocks, "scale": scale}
    ours = layouts.whole(Packed("nvfp4", (130, 192), {}), parts, torch.float32)
    theirs = kitchen.quantization.dequantize_nvfp4(codes, scale, blocks, torch.float32)
    # it multiplies the two scales first, and rounds once more
    assert ((ours - theirs).abs() <= 2e-7 * theirs.abs()).all()


# Rows ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(layout=st.sampled_from((*COMFY, *GGUF)), data=st.data())
def test_rows_of_a_packed_weight_are_those_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, layout: str, data: st.DataObject
):
    outputs = data.draw(st.integers(2, 300))
    first = data.draw(st.integers(0, outputs - 1))
    end = data.draw(st.integers(first + 1, outputs))
    found = kept(tmp_path_factory.mktemp("rows"), numbers(outputs, 256), layout)
    linear = nn.Linear(256, end - first, bias=False)
    ours = QuantisedLinear(found._replace(rows=(first, end)), linear, torch.float32).made()
    expected = made(found)[first:end]
    if found.packed.rotated:  # the sums of a product of matrices may be added up in another order
        assert torch.allclose(ours, expected, atol=1e-6, rtol=1e-5)
    else:
        assert ours.equal(expected)


def test_a_cut_can_be_cut_again(tmp_path: Path):
    found = kept(tmp_path, numbers(300, 64), "nvfp4")
    layout, parts = layouts.of(found.packed).cut(found.parts, 100, 290)
    layout, parts = layout.cut(parts, 50, 170)
    assert layout.matrix(parts, torch.float32).equal(made(found)[150:270])


@pytest.mark.parametrize("layout", ["int8", "int8_convrot", "float8_e4m3fn", "Q8_0", "Q6_K"])
def test_a_packed_table_looks_up_the_rows_of_the_whole(tmp_path: Path, layout: str):
    found = kept(tmp_path, numbers(40, 256), layout)
    table = QuantisedEmbedding(found, nn.Embedding(40, 256), torch.float32)
    ids = torch.tensor([[0, 39, 7], [7, 1, 2]])
    assert torch.allclose(table(ids), made(found)[ids], atol=1e-6)
    assert table.weight.shape == (40, 256)


# Layers -------------------------------------------------------------------------------------------------------

DTYPES = [torch.float32, torch.bfloat16]


@each("dtype", DTYPES)
@each("layout", [*COMFY, "Q4_K", "Q5_1"])
def test_a_layer_multiplies_with_the_numbers_of_its_weight(tmp_path: Path, layout: str, dtype: torch.dtype):
    found = kept(tmp_path, numbers(24, 256), layout)
    linear = nn.Linear(256, 24).to(dtype)
    layer, x = QuantisedLinear(found, linear, dtype), torch.randn(2, 3, 256).to(dtype)
    expected = functional.linear(x, layouts.whole(found.packed, found.parts, dtype), linear.bias)
    with torch.inference_mode():
        assert layer(x).equal(expected)


def test_a_weight_can_be_asked_what_it_is_like_for_nothing_and_is_right_for_who_computes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    layer = QuantisedLinear(kept(tmp_path, numbers(24, 256), "int8"), nn.Linear(256, 24), torch.bfloat16)
    expected, asked = layer.made(), list[int]()
    monkeypatch.setattr(QuantisedLinear, "made", lambda self: asked.append(1) or expected)
    assert (layer.weight.dtype, layer.weight.shape, layer.weight.device.type) == (torch.bfloat16, (24, 256), "cpu")
    assert asked == []
    assert (layer.weight.float() + 0).equal(expected.float())
    assert asked == [1]


def test_what_casts_a_network_leaves_packed_weights_alone(tmp_path: Path):
    layer = QuantisedLinear(kept(tmp_path, numbers(24, 256), "w4a8"), nn.Linear(256, 24), torch.float32)
    before = layer.made()
    assert layer.half().to(torch.bfloat16).made().equal(before)
    assert layer.bias.dtype == torch.bfloat16


@pytest.mark.parametrize("layout", ["float8", "int8"])
def test_rows_of_nothing_stay_nothing_and_what_is_no_number_is_none(layout: Any):
    weight = torch.zeros(4, 32)
    weight[1], weight[2, 3], weight[3, 5] = 1e-44, torch.inf, torch.nan
    packed, parts = layouts.pack(weight, layout)
    made = layouts.whole(packed, parts, torch.float32)
    assert made[:2].abs().max() < 1e-37
    assert made[2:].isnan().any(dim=1).all()


def test_gradients_flow_through_a_packed_layer(tmp_path: Path):
    layer = QuantisedLinear(kept(tmp_path, numbers(24, 256), "Q4_K"), nn.Linear(256, 24), torch.float32)
    x = torch.randn(2, 256, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, layer.made().sum(0).expand(2, -1), atol=1e-5)


# Products of eight bits ---------------------------------------------------------------------------------------


@pytest.fixture
def eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(layouts.EIGHT_BITS, "1")


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 40), inputs=st.integers(1, 9), outputs=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_products_of_whole_numbers_are_summed_exactly(rows: int, inputs: int, outputs: int, seed: int):
    x = numbers(rows, 8 * inputs, seed)
    codes = torch.randint(-127, 128, (8 * outputs, 8 * inputs), generator=torch.Generator().manual_seed(seed)).to(
        torch.int8
    )
    scale = torch.rand(8 * outputs) + 0.5
    ours = layouts.int8_product(x, codes, scale)
    rounded, own = layouts.to_int8(x)
    exact = (rounded.long() @ codes.long().T).float() * own * scale
    assert ours is not None
    assert ours.equal(exact)
    assert (rounded.float() * own - x).abs().max() <= 0.5001 * own.max()


@pytest.mark.parametrize("layout", ["float8_e4m3fn", "float8_e5m2", "scaled_fp8", "plain_fp8"])
@pytest.mark.usefixtures("eight_bits")
def test_a_product_of_float8_is_that_of_the_numbers_that_it_rounds_to(tmp_path: Path, layout: str):
    found = kept(tmp_path, numbers(32, 256), layout)
    layer, x = QuantisedLinear(found, nn.Linear(256, 32), torch.float32), torch.randn(20, 256)
    rounded, scale = layouts.to_float8(x, found.parts.get("input_scale"))
    exact = (rounded.double() * scale.double()) @ made(found).double().T
    with torch.inference_mode():
        ours = layer(x) - layer.bias
    assert (ours - exact).abs().max() < 1e-5 * exact.abs().max()  # sums in float32
    # of three bits of mantissa: 1/16 at the most for each number, and signs that differ
    plain = functional.linear(x, made(found))
    if layout != "scaled_fp8":  # whose scale of inputs cuts off what is larger
        assert (ours - plain).norm() < 0.06 * plain.norm()


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-6), (torch.float16, 1e-3), (torch.bfloat16, 8e-3)])
def test_rows_are_rounded_and_multiplied_each_by_itself(dtype: torch.dtype, error: float):
    """Which is why a picture does not hang on those that are made with it. error: of rounding what comes out."""
    x, (_, parts) = (
        numbers(8, 64).to(dtype),
        layouts.pack(numbers(16, 64, 1) * torch.arange(1.0, 17)[:, None], "float8"),
    )
    x[3] *= 100
    made = layouts.float8_product(x, parts["weight"], parts["scale"])
    alone = torch.cat([layouts.float8_product(row[None], parts["weight"], parts["scale"]) for row in x])
    assert (made - alone).abs().max() <= error * alone.abs().max()
    codes, own = layouts.to_float8(x)
    exact = (codes.double() * own) @ (parts["weight"].double() * parts["scale"]).T
    assert ((made - exact).norm(dim=1) <= error * exact.norm(dim=1)).all()


@pytest.mark.parametrize("layout", ["int8", "int8_convrot", "w4a8"])
@pytest.mark.usefixtures("eight_bits")
def test_a_product_of_int8_is_near_that_of_the_numbers(tmp_path: Path, layout: str):
    found = kept(tmp_path, numbers(32, 512), layout)
    layer, x = QuantisedLinear(found, nn.Linear(512, 32), torch.float32), torch.randn(20, 512)
    with torch.inference_mode():
        ours = layer(x) - layer.bias
    plain = functional.linear(x, made(found))
    assert not ours.equal(plain)
    assert (ours - plain).norm() < 0.02 * plain.norm()


@pytest.mark.usefixtures("eight_bits")
def test_in_training_numbers_are_never_rounded_to_eight_bits(tmp_path: Path):
    found = kept(tmp_path, numbers(32, 256), "int8")
    layer, x = QuantisedLinear(found, nn.Linear(256, 32), torch.float32), torch.randn(20, 256)
    assert layer(x).equal(functional.linear(x, made(found), layer.bias))


def test_what_eight_bits_change_changes_keys(monkeypatch: pytest.MonkeyPatch):
    from nodes.backend import devices

    before = devices.environment("cpu")
    monkeypatch.setenv(layouts.EIGHT_BITS, "1")
    assert devices.environment("cpu") != before
    monkeypatch.delenv(layouts.EIGHT_BITS)
    assert devices.environment("cpu") == before

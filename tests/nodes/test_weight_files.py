"""What the table of a file tells of its layouts, before a weight is read, and what cannot be used is one sentence."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import run
from typing import Any

import gguf
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodes.backend import checkpoints, gguf_header, gguf_names, headers, labels, weight_files
from nodes.backend.networks import qwen3, t5
from nodes.backend.strict_json import MAX_QUOTED
from tests import headers as tables
from tests import quantised_files
from tests.examples import examples
from tests.quantised_files import COMFY, GGUF

TITLES = {
    "float8_e4m3fn": "fp8 scaled",
    "float8_e5m2": "fp8 e5m2 scaled",
    "scaled_fp8": "fp8 scaled",
    "plain_fp8": "fp8",
    "int8": "int8",
    "int8_convrot": "int8 rotated",
    "w4a8": "w4a8",
    "nvfp4": "nvfp4",
    **{kind: f"GGUF {kind}" for kind in GGUF},
}
TENSORS = {"a.b.weight": torch.randn(32, 512), "a.b.bias": torch.randn(32), "norm.weight": torch.randn(512)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("layouts")
    return {layout: quantised_files.write(folder / layout, TENSORS, layout) for layout in (*COMFY, *GGUF)}


@pytest.mark.parametrize("layout", TITLES)
def test_a_table_tells_the_layout_and_shows_the_weights_alone(files: dict[str, Path], layout: str):
    path = files[layout]
    assert weight_files.layout(path) == labels.layout(path) == TITLES[layout]
    assert weight_files.shapes(path) == {name: tuple(tensor.shape) for name, tensor in TENSORS.items()}
    assert weight_files.packed(path).keys() == {"a.b.weight"}


def test_planning_reads_no_weight_and_has_no_torch(files: dict[str, Path], tmp_path: Path):
    """Of a file whose weights are not there, or are, it is told the same."""
    said = (
        "import sys; from pathlib import Path; from nodes.backend import weight_files\n"
        f"print([weight_files.layout(Path(p)) for p in {[str(files['int8_convrot']), str(files['Q4_K'])]!r}])\n"
        "print(sorted({'torch', 'numpy', 'gguf', 'safetensors'} & sys.modules.keys()))"
    )
    done = run([sys.executable, "-c", said], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.splitlines() == ["['int8 rotated', 'GGUF Q4_K']", "[]"]


def test_what_is_not_quantised_is_as_it_was(sd15_folder: Path):
    for path in sd15_folder.glob("**/*.safetensors"):
        assert weight_files.shapes(path) == headers.shapes(path)
        assert weight_files.packed(path) == {}
        assert weight_files.stretches(path) == headers.stretches(path)


# Markers ------------------------------------------------------------------------------------------------------


def marked(folder: Path, told: Any, tensors: Mapping[str, Tensor] | None = None, *, metadata: Any = None) -> Path:
    """A layer L as int8 with a marker that says this."""
    parts: dict[str, Tensor] = {"L.weight": torch.zeros(4, 256, dtype=torch.int8), "L.weight_scale": torch.ones(4, 1)}
    parts |= tensors or {}
    if told is not None:
        raw = told if isinstance(told, bytes) else json.dumps(told).encode()
        parts["L.comfy_quant"] = torch.tensor(list(raw), dtype=torch.uint8)
    path = folder / "m.safetensors"
    about = metadata if metadata is None or isinstance(metadata, str) else json.dumps(metadata)
    save_file(parts, path, {"_quantization_metadata": about} if about is not None else None)
    return path


def refusal(path: Path) -> str:
    """The sentence; what is no ValueError comes through."""
    try:
        weight_files.shapes(path)
    except ValueError as error:
        message = str(error)
        assert str(path) in message
        assert "\n" not in message
        assert len(message) < len(str(path)) + 4 * MAX_QUOTED
        return message
    return "accepted"


INT8 = {"format": "int8_tensorwise"}
BAD: dict[str, tuple[Any, dict[str, Tensor], str]] = {
    "mxfp8": (
        {"format": "mxfp8"},
        {},
        "quantised as 'mxfp8', which this program cannot read; it can read float8",
    ),
    "convrot_w4a4": ({"format": "convrot_w4a4"}, {}, "quantised as 'convrot_w4a4'"),
    "svdquant": ({"format": "svdquant_w4a4"}, {}, "quantised as 'svdquant_w4a4'"),
    "no format": ({}, {}, "quantised as None"),
    "a list": ([1], {}, "holds no JSON object"),
    "no JSON": (b"\xff\xfe", {}, "is no UTF-8"),
    "a number": ({"format": 7}, {}, "quantised as 7"),
    "words not known": (INT8 | {"zero_point": 3}, {}, "marked with 'zero_point'"),
    "an odd rotation": (INT8 | {"convrot": True, "convrot_groupsize": 128}, {}, "convrot_groupsize is 128"),
    "rotated perhaps": (INT8 | {"convrot": "yes"}, {}, "convrot is 'yes'"),
    "another weight": (
        INT8,
        {"L.weight": torch.zeros(4, 256)},
        "'L.weight' is F32 (4, 256); it must be a matrix",
    ),
    "a cube": (INT8, {"L.weight": torch.zeros(4, 4, 4, dtype=torch.int8)}, "it must be a matrix of I8"),
    "another scale": (INT8, {"L.weight_scale": torch.ones(5, 1)}, "'L.weight_scale' is F32 (5, 1)"),
    "a scale of whole numbers": (INT8, {"L.weight_scale": torch.ones(4, 1).int()}, "'L.weight_scale' is I32"),
    "float8 without a scale": (
        {"format": "float8_e4m3fn"},
        {"L.weight": torch.zeros(4, 4).to(torch.float8_e4m3fn), "L.weight_scale": torch.ones(4, 4)},
        "'L.weight_scale' is F32 (4, 4)",
    ),
    "nvfp4 of other tiles": (
        {"format": "nvfp4"},
        {"L.weight": torch.zeros(4, 8, dtype=torch.uint8), "L.weight_scale": torch.ones(4, 1).to(torch.float8_e4m3fn)},
        "'L.weight_scale' is F8_E4M3 (4, 1)",
    ),
    "w4a8 of few inputs": (
        {"format": "asym_w4a8_int8"},
        {"L.weight": torch.zeros(4, 8, dtype=torch.int8)},
        "w4a8 is rotated, a multiple of 256 at a time",
    ),
    "w4a8 of six bits": (
        {"format": "asym_w4a8_int8"},
        {
            "L.weight": torch.zeros(4, 384, dtype=torch.int8),
            "L.weight_s_rel": torch.ones(4, 32).to(torch.float8_e4m3fn),
            "L.weight_s_channel": torch.ones(4),
        },
        "'L.weight_codebook' is missing",
    ),
    "bitsandbytes": (
        None,
        {"L.weight.quant_state.bitsandbytes__nf4": torch.zeros(9, dtype=torch.uint8)},
        "packed by bitsandbytes (nf4), which needs the library bitsandbytes, and this program has not got it",
    ),
    "nunchaku": (None, {"L.qweight": torch.zeros(4, dtype=torch.int32)}, "packed as SVDQuant or AWQ"),
    "GPTQ": (None, {"L.qzeros": torch.zeros(4, dtype=torch.int32)}, "packed as GPTQ"),
}


@pytest.mark.parametrize(("told", "tensors", "message"), BAD.values(), ids=BAD.keys())
def test_a_layout_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, told: Any, tensors: dict[str, Tensor], message: str
):
    assert message in refusal(marked(tmp_path, told, tensors))


def test_a_marker_of_a_layer_that_is_not_there_is_refused(tmp_path: Path):
    path = marked(tmp_path, INT8, {"M.comfy_quant": torch.tensor(list(b'{"format": "nvfp4"}'), dtype=torch.uint8)})
    assert "'M' is marked as nvfp4, and has no weight" in refusal(path)


def test_a_layer_that_lacks_its_scale_is_refused(tmp_path: Path):
    path = marked(tmp_path, INT8)
    tensors = load_file(path)
    del tensors["L.weight_scale"]
    save_file(tensors, path)
    assert "'L.weight_scale' is missing" in refusal(path)


@pytest.mark.parametrize(
    "said", ["7", "[]", "{", '{"layers": []}', '{"layers": {"L": 7}}', '{"layers": {"X": "nvfp4"}}']
)
def test_metadata_that_say_something_else_are_refused(tmp_path: Path, said: str):
    assert refusal(marked(tmp_path, None, metadata=said)) != "accepted"


def test_metadata_say_the_same_as_markers(tmp_path: Path):
    about = {"format_version": "1.0", "layers": {"L": {**INT8, "convrot": True}}}
    assert weight_files.packed(marked(tmp_path, None, metadata=about))["L.weight"].rotated == 256
    about["layers"] = {"L": "int8_tensorwise"}
    assert weight_files.packed(marked(tmp_path, None, metadata=about))["L.weight"].rotated == 0


def test_a_layer_may_have_one_scale(tmp_path: Path):
    for scale in (torch.tensor(2.0), torch.ones(1), torch.ones(4), torch.ones(4, 1)):
        assert refusal(marked(tmp_path, INT8, {"L.weight_scale": scale})) == "accepted"


def test_a_part_that_belongs_to_nothing_is_refused_by_the_network(wide_file: Path):
    tensors = load_file(wide_file) | {"layers.0.feed_forward.w1.weight_scale": torch.ones(())}
    path = wide_file.with_name("left_over.safetensors")
    save_file(tensors, path)
    with pytest.raises(ValueError, match=r"no use for: layers\.0\.feed_forward\.w1\.weight_scale"):
        checkpoints.denoiser(str(path))


@pytest.fixture
def wide_file(zimage_folder: Path, tmp_path: Path) -> Path:
    from tests import tiny_split

    return tiny_split.beside_settings(zimage_folder, tmp_path / "z")["transformer"]


WORDS = st.sampled_from([None, True, "", "nvfp4", "int8_tensorwise", "float8_e4m3fn", 0, -1, 256, 1e300, [], {}])
MARKERS = st.dictionaries(
    st.sampled_from(["format", "convrot", "convrot_groupsize", "per_row", "group_size", "x"]), WORDS, max_size=4
)


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=MARKERS | WORDS)
def test_any_marker_is_read_or_one_sentence(tmp_path: Path, told: Any):
    refusal(marked(tmp_path, told))


# GGUF ---------------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def info(name: str, sides: tuple[int, ...], kind: int, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, kind, offset)


def gguf_file(
    folder: Path,
    infos: list[bytes],
    keys: list[bytes] | None = None,
    *,
    data: int = 64,
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> Path:
    keys = [text("general.architecture") + struct.pack("<I", 8) + text("flux")] if keys is None else keys
    head = b"GGUF" + struct.pack("<IQQ", version, *(counts or (len(infos), len(keys)))) + b"".join((*keys, *infos))
    path = folder / "x.gguf"
    path.write_bytes(head + bytes(-len(head) % 32) + bytes(data))
    return path


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


BAD_GGUF: dict[str, tuple[list[bytes], dict[str, Any], str]] = {
    "version": ([], {"version": 1}, "its version is 1"),
    "big-endian": ([], {"version": 3 << 24}, "its version is"),
    "too many tensors": ([], {"counts": (1 << 60, 0)}, "1,152,921,504,606,846,976 tensors"),
    "too many keys": ([], {"counts": (0, 1 << 60)}, "keys"),
    "more tensors than there are": ([], {"counts": (50, 0), "keys": []}, "is cut short"),
    "a long name": ([struct.pack("<Q", 1 << 40)], {}, "1,099,511,627,776 bytes long"),
    "no UTF-8": ([struct.pack("<Q", 2) + b"\xff\xff"], {}, "is no UTF-8"),
    "five sides": ([info("a", (1,) * 5, 0)], {}, "5 sides"),
    "unknown type": ([info("a", (32,), 99)], {}, "of type 99"),
    "type of before": ([info("a", (32,), 4)], {}, "of type 4"),
    "half a block": ([info("a", (16,), 2)], {}, "no multiple of the 32 numbers in a block of Q4_0"),
    "no rows": ([info("a", (32, 0), 2)], {}, "no multiple"),
    "beyond the end": ([info("a", (32, 99), 2)], {}, "it is cut short"),
    "huge": ([info("a", (1 << 62, 1 << 62), 0)], {}, "more than any file can hold"),
    "twice": ([info("a", (4,), 0), info("a", (4,), 0, 32)], {}, "'a' stands twice"),
    "one in another": ([info("a", (16,), 0), info("b", (4,), 0, 32)], {}, "within 'a'"),
    "unaligned": ([info("a", (4,), 0), info("b", (4,), 0, 17)], {}, "unaligned"),
    "odd alignment": (
        [],
        {"keys": [key("general.alignment", 4, struct.pack("<I", 48))]},
        "general.alignment is 48; it must be a power of two",
    ),
    "alignment as text": ([], {"keys": [key("general.alignment", 8, text("32"))]}, "general.alignment is '32'"),
    "a key twice": ([], {"keys": [key("k", 7, b"\1")] * 2}, "'k' stands twice"),
    "unknown value": ([], {"keys": [key("k", 77, b"")]}, "of type 77"),
    "lists of lists": ([], {"keys": [key("k", 9, struct.pack("<IQ", 9, 1 << 60))]}, "a list in it"),
    "an endless list": ([], {"keys": [key("k", 9, struct.pack("<IQ", 0, 1 << 60))]}, "is longer than"),
    "an endless list of texts": ([], {"keys": [key("k", 9, struct.pack("<IQ", 8, 1 << 60))]}, "texts in lists"),
    "a million texts": (
        [],
        {"keys": [key("k", 9, struct.pack("<IQQ", 8, 1, 0)), key("l", 9, struct.pack("<IQ", 8, 1_000_000))]},
        "1,000,001 texts in lists; 1,000,000 is the most",
    ),
    "architecture as a number": ([], {"keys": [key("general.architecture", 4, bytes(4))]}, "which is no text"),
    "a piece": ([], {"keys": [key("split.count", 2, struct.pack("<H", 3))]}, "one of 3 pieces"),
    "other sides": (
        [info("a", (4,), 0)],
        {"keys": [key("comfy.gguf.orig_shape.a", 9, struct.pack("<IQii", 5, 2, 3, 3))]},
        "is said to have been (3, 3)",
    ),
    "nine other sides": (
        [info("a", (4,), 0)],
        {"keys": [key("comfy.gguf.orig_shape.a", 9, struct.pack("<IQ9i", 5, 9, *[1] * 8, 4))]},
        "is said to have been of more sides than there can be",
    ),
}


@pytest.mark.parametrize(("infos", "how", "message"), BAD_GGUF.values(), ids=BAD_GGUF.keys())
def test_a_table_of_gguf_that_lies_is_one_sentence(tmp_path: Path, infos: list[bytes], how: Any, message: str):
    said = refusal(gguf_file(tmp_path, infos, **how))
    assert message in said
    assert said != "accepted"


def test_a_table_of_gguf_beyond_every_real_one_is_not_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gguf_header, "MAX_HEADER", 100)
    path = gguf_file(tmp_path, [], [key("k", 9, struct.pack("<IQ", 8, 99)) + bytes(99 * 8)])
    assert "is longer than 100 bytes" in refusal(path)


def test_the_sides_of_gguf_come_the_last_one_first(tmp_path: Path):
    path = gguf_file(tmp_path, [info("a", (32, 2), 8), info("b", (3,), 0, 96)], data=128)
    assert weight_files.shapes(path) == {"a": (2, 32), "b": (3,)}
    assert weight_files.stretches(path)["a"].shape == (2, 34)
    assert gguf_header.read(path).architecture == "flux"


@pytest.mark.parametrize(
    ("architecture", "name", "said"),
    [
        ("llama", "blk.0.attn_q.weight", "heads llama.cpp has turned round .* mistral_3_small_flux2_fp8.safetensors"),
        ("mistral3", "blk.0.attn_norm.weight", "take the text encoder's .safetensors file instead"),
        (
            "clip",
            "v.blk.0.attn_q.weight",
            r"sees pictures, cut off by llama.cpp \(mmproj\); take .* as one .safetensors",
        ),
    ],
)
def test_a_language_model_that_llama_cpp_changes_says_what_to_take_instead(
    tmp_path: Path, architecture: str, name: str, said: str
):
    path = quantised_files.write_gguf(
        tmp_path / "a.gguf", {name: torch.ones(32, 32)}, "Q8_0", architecture=architecture
    )
    with pytest.raises(ValueError, match=rf"{path} cannot be used: it is .*{said}"):
        weight_files.shapes(path)
    assert weight_files.shapes(
        quantised_files.write_gguf(
            tmp_path / "b.gguf", {"own.weight": torch.ones(32, 32)}, "Q8_0", architecture="llama"
        )
    )


LANGUAGE_MODELS = {
    "qwen3": (qwen3.ARCHITECTURE, gguf.MODEL_ARCH.QWEN3),
    "t5encoder": (t5.ARCHITECTURE, gguf.MODEL_ARCH.T5ENCODER),
}


@pytest.mark.parametrize("architecture", LANGUAGE_MODELS)
def test_names_of_llama_cpp_are_those_that_its_own_table_has(architecture: str):
    ours, theirs = LANGUAGE_MODELS[architecture]
    settings = {name: field.default for name, field in ours.schema.items()} | {"feed_forward_proj": "gated-gelu"}
    names = gguf.get_tensor_name_map(theirs, 100)
    spelled = ours.spellings(settings)
    for own in ours.shapes(settings):
        published = {stored.name for stored in spelled(own)}
        (called,) = {called for name in published if (called := names.get_name(name, (".weight",)))}
        (found,) = gguf_names.published({called: 0}, architecture)
        assert found in published


def test_a_changed_file_is_read_again(tmp_path: Path):
    assert weight_files.shapes(gguf_file(tmp_path, [info("a", (3,), 0)])) == {"a": (3,)}
    assert weight_files.shapes(gguf_file(tmp_path, [info("a", (3,), 0), info("b", (1,), 0, 32)])).keys() == {"a", "b"}


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), layout=st.sampled_from(["Q4_K", "int8", "nvfp4"]))
def test_a_changed_byte_is_never_more_than_a_sentence(
    tmp_path: Path, files: dict[str, Path], data: st.DataObject, layout: str
):
    whole = files[layout].read_bytes()
    path = tmp_path / "w"
    at = data.draw(st.integers(0, 900))
    kind = data.draw(st.sampled_from(["set", "insert", "delete", "cut"]))
    byte = bytes([data.draw(st.integers(0, 255))])
    middle = {"set": byte, "insert": byte + whole[at : at + 1], "delete": b"", "cut": b""}[kind]
    path.write_bytes(whole[:at] + middle + (b"" if kind == "cut" else whole[at + 1 :]))
    refusal(path)


def test_a_gguf_is_no_lora(tmp_path: Path, zimage_folder: Path):
    model = checkpoints.checkpoint(str(zimage_folder)).model
    with pytest.raises(ValueError, match="is not a safetensors file"):
        checkpoints.lora(str(gguf_file(tmp_path, [info("a", (3,), 0)])), model)


def test_a_file_of_shapes_alone_is_enough(tmp_path: Path):
    assert weight_files.layout(tables.zeros(tmp_path / "a.safetensors", {"a": (2, 2)})) == ""

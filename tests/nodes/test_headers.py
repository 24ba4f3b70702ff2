"""A table of contents that lies is one sentence, and what is accepted the format's own reader accepts as well."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save_file

from nodes.backend import columns, headers, weight_files
from nodes.backend.columns import Columns
from nodes.backend.strict_json import MAX_QUOTED
from tests.examples import examples

FLOAT = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
NEXT = {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}


def file(folder: Path, header: Any, data: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    headers._read.cache_clear()
    headers._text.cache_clear()
    return path


def refusal(path: Path) -> str | None:
    """The sentence; None when the file is accepted. Anything else than a ValueError comes through."""
    try:
        headers.shapes(path)
    except ValueError as error:
        message = str(error)
        assert str(path) in message
        assert "\n" not in message
        assert len(message) <= len(str(path)) + 3 * MAX_QUOTED
        return message
    return None


BAD: dict[str, tuple[Any, int, str]] = {
    "offsets as text": ({"w": FLOAT | {"data_offsets": ["0", "8"]}}, 8, "data_offsets"),
    "offsets as fractions": ({"w": FLOAT | {"data_offsets": [0.0, 8.0]}}, 8, "data_offsets"),
    "offsets as truth": ({"w": FLOAT | {"shape": [0], "data_offsets": [False, False]}}, 0, "data_offsets"),
    "three offsets": ({"w": FLOAT | {"data_offsets": [0, 8, 8]}}, 8, "two data_offsets"),
    "falling offsets": ({"w": FLOAT | {"data_offsets": [8, 0]}}, 8, "data_offsets"),
    "negative offsets": ({"w": FLOAT | {"data_offsets": [-8, 0]}}, 8, "data_offsets"),
    "negative shape": ({"w": FLOAT | {"shape": [-2]}}, 8, "has shape [-2]"),
    "two negative sides": ({"w": FLOAT | {"shape": [-1, -2]}}, 8, "has shape [-1, -2]"),
    "fractional shape": ({"w": FLOAT | {"shape": [2.0]}}, 8, "has shape [2.0]"),
    "shape as text": ({"w": FLOAT | {"shape": "2"}}, 8, "is not described by"),
    "shape as truth": ({"w": FLOAT | {"shape": [True, 2]}}, 8, "has shape"),
    "many sides": ({"w": FLOAT | {"shape": [1] * 99 + [2]}}, 8, "has shape"),
    "huge shape": ({"w": FLOAT | {"shape": [1 << 62, 1 << 62]}}, 8, "more than any file can hold"),
    "huge number": ({"w": FLOAT | {"shape": [int("9" * 41)]}}, 8, "too large"),
    "unknown dtype": ({"w": FLOAT | {"dtype": "F31"}}, 8, "has dtype 'F31'"),
    "dtype as list": ({"w": FLOAT | {"dtype": ["F32"]}}, 8, "has dtype"),
    "too few bytes": ({"w": FLOAT | {"shape": [3]}}, 8, "the 12 bytes"),
    "no description": ({"w": 7}, 8, "is not described by"),
    "more than a description": ({"w": FLOAT | {"file": "/etc/passwd"}}, 8, "is not described by"),
    "overlap": ({"v": FLOAT, "w": NEXT | {"data_offsets": [4, 8]}}, 8, "'v' and 'w' overlap"),
    "twice the same bytes": ({"v": FLOAT, "w": FLOAT}, 8, "overlap"),
    "gap": ({"v": FLOAT, "w": NEXT | {"data_offsets": [12, 16]}}, 16, "'v' and 'w' have a gap"),
    "gap at the start": ({"w": NEXT}, 12, "'the header' and 'w' have a gap"),
    "trailing bytes": ({"w": FLOAT}, 9, "its tensors end at byte"),
    "only trailing bytes": ({}, 9, "its tensors end at byte"),
    "cut short": ({"w": FLOAT}, 7, "is cut short"),
    "duplicate name": (b'{"w": {"dtype": "F32"}, "w": {"dtype": "F16"}}', 8, "'w' stands twice"),
    "duplicate field": (b'{"w": {"dtype": "F32", "dtype": "F16", "shape": []}}', 8, "'dtype' stands twice"),
    "no number": (b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}', 8, "NaN is no number"),
    "infinite": (b'{"w": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 8]}}', 8, "too large"),
    "nested deeply": (b'{"w": ' + b"[" * 200_000, 0, "is nested too deeply"),
    "no UTF-8": (b'{"w\xff": 1}', 0, "is no UTF-8"),
    "a list": (b"[]", 0, "holds no JSON object"),
    "metadata as list": ({"__metadata__": []}, 0, "__metadata__ is no object"),
    "numbers in metadata": ({"__metadata__": {"steps": 7}}, 0, "only text can stand there"),
}  # fmt: skip


@pytest.mark.parametrize(("header", "size", "message"), BAD.values(), ids=BAD.keys())
def test_a_table_that_lies_is_one_sentence(tmp_path: Path, header: Any, size: int, message: str):
    assert message in (refusal(file(tmp_path, header, bytes(size))) or "accepted")


def test_a_sentence_shows_little_of_a_long_name(tmp_path: Path):
    refusal(file(tmp_path, {"w" * 100_000: FLOAT | {"dtype": "F" * 100_000}}, bytes(8)))
    refusal(file(tmp_path, {"v" * 100_000: FLOAT, "w" * 100_000: FLOAT}, bytes(8)))


def test_a_table_beyond_every_real_one_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "w.safetensors"
    with path.open("wb") as out:
        out.write(struct.pack("<Q", headers.MAX_HEADER + 1))
        out.truncate(headers.MAX_HEADER + 100)
    monkeypatch.setattr(headers, "parse_object", None)
    assert "10,000,000 is the most" in (refusal(path) or "accepted")


def test_scalars_empty_tensors_and_padding_are_in_order(tmp_path: Path):
    header = {"scalar": {"dtype": "F16", "shape": [], "data_offsets": [0, 2]}}
    header |= {name: {"dtype": "F32", "shape": [0, 4], "data_offsets": [2, 2]} for name in "ab"}
    header |= {"__metadata__": {"format": "pt"}}
    path = file(tmp_path, json.dumps(header).encode() + b"   ", bytes(2))
    assert headers.shapes(path) == {"scalar": (), "a": (0, 4), "b": (0, 4)}


WRONG = st.sampled_from([None, True, "", "0", -1, 0, 1, 2, 8, 9, 16, 1.0, 1 << 31, 1 << 63, 1 << 64, [], [0, 8], {}])
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "I64", "BOOL", "F31"]) | WRONG,
        "shape": st.lists(st.integers(0, 3) | WRONG, max_size=4) | WRONG,
        "data_offsets": st.lists(st.integers(0, 16) | WRONG, min_size=2, max_size=2) | WRONG,
    },
    optional={"more": WRONG},
)
TABLES = st.dictionaries(st.sampled_from(["a", "b", "c", "__metadata__"]), ENTRIES | WRONG, max_size=3)


@examples(200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=TABLES, size=st.integers(0, 24))
def test_what_is_accepted_the_formats_own_reader_accepts(tmp_path: Path, table: dict[str, Any], size: int):
    path = file(tmp_path, table, bytes(size))
    if refusal(path) is None:
        deserialize(path.read_bytes())


@examples(200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 200), byte=st.integers(0, 255), kind=st.sampled_from(["set", "insert", "delete"]))
def test_a_changed_byte_is_never_more_than_a_sentence(tmp_path: Path, at: int, byte: int, kind: str):
    whole = file(tmp_path, {"v": FLOAT, "w": NEXT, "__metadata__": {"format": "pt"}}, bytes(12)).read_bytes()
    at %= len(whole)
    middle = bytes([byte]) if kind == "set" else bytes([byte]) + whole[at : at + 1] if kind == "insert" else b""
    path = tmp_path / "w.safetensors"
    path.write_bytes(whole[:at] + middle + whole[at + 1 :])
    headers._read.cache_clear()
    headers._text.cache_clear()
    if refusal(path) is None:
        try:
            deserialize(path.read_bytes())
        except SafetensorError as error:
            pytest.fail(f"accepted, but {error}")


WRITTEN = (
    '{"__metadata__":{"format":"pt"},"a.b":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},'
    '"c":{"dtype":"I64","shape":[],"data_offsets":[12,20]},"d":{"dtype":"F32","shape":[0,4],"data_offsets":[20,20]}}  '
)


def test_a_table_as_it_is_usually_written_is_read_by_column_and_says_the_same(tmp_path: Path):
    path = file(tmp_path, WRITTEN.encode(), bytes(20))
    text = headers._text(path, *headers._identity(path))
    by_column = columns.read(text.table, text.data)
    assert by_column is not None
    assert headers._of_entries(path, text).shapes == headers.shapes(path) == {"a.b": (2, 3), "c": (), "d": (0, 4)}
    assert headers._of_entries(path, text).stretches == headers.stretches(path)
    assert headers.sizes(path) == {"F16": 12, "I64": 8, "F32": 0}


def test_what_is_read_by_column_is_never_what_would_be_refused(tmp_path: Path):
    """Every character of a table replaced, put in and left out: either way of reading finds the same, or nothing."""
    by_column = 0
    for at in range(len(WRITTEN)):
        for middle in ("", *'"\\{}[]:, \t0129-+.eaF_é'):
            for behind in (at, at + 1):
                text = headers._Text(b"", *_taken_apart(WRITTEN[:at] + middle + WRITTEN[behind:]), 20)
                if text.metadata is None or (found := columns.read(text.table, text.data)) is None:
                    continue
                whole = (WRITTEN[:at] + middle + WRITTEN[behind:]).encode()
                assert headers._of_entries(tmp_path, text._replace(whole=whole)).table == Columns(*map(tuple, found))
                by_column += 1
    assert by_column > 100  # names and texts of any letters are still a table


def _taken_apart(text: str) -> tuple[Any, str]:
    try:
        return headers._metadata_first(text)
    except ValueError:
        return None, ""


def test_a_table_of_any_length_is_read(tmp_path: Path):
    """A length of 128 begins with the byte that pickles begin with."""
    path = tmp_path / "a.safetensors"
    text = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    for length in range(len(text), len(text) + 256):
        path.write_bytes(struct.pack("<Q", length) + text.ljust(length) + bytes(4))
        assert headers.shapes(path) == {"w": (1,)}


def test_a_tensor_of_zeros_is_told_from_others_however_large(tmp_path: Path):
    tensors = {"none": np.zeros(3_000_000, np.float32), "last": np.zeros(3_000_000, np.float32)}
    tensors["last"][-1] = 1
    tensors["nothing"] = np.zeros(0, np.float32)
    save_file(tensors, tmp_path / "a.safetensors")
    assert [weight_files.is_zero(tmp_path / "a.safetensors", name) for name in tensors] == [True, False, True]

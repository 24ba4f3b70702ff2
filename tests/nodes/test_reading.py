"""Weights that are read in pieces are those of the file, whatever the pieces."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from nodes.backend import checkpoints, loading, reading
from nodes.backend.device_memory import Main
from nodes.backend.headers import BYTES
from tests.examples import examples

CPU = torch.device("cpu")
TENSORS = {
    "a": torch.arange(100, dtype=torch.float32).reshape(10, 10) / 7,
    "b": torch.arange(33).to(torch.float16) / 3,
    "c": torch.arange(7).to(torch.bfloat16),
    "nothing": torch.zeros(0, 4),
    "number": torch.tensor(2.5),
    "whole": torch.arange(5),
    "mask": torch.tensor([True, False, True]),
}


def wide(_name: str, tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "a.safetensors"
    save_file(TENSORS, path)
    return path


@examples(40)
@given(st.sets(st.sampled_from(sorted(TENSORS))), st.integers(1, 500), st.integers(1, 4))
def test_any_of_the_tensors_in_pieces_of_any_size_are_those_of_the_file(
    file: Path, names: set[str], piece: int, ahead: int
):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "PIECE", piece)
        patched.setattr(reading, "AHEAD", ahead)
        found = reading.read(file, names, Main(CPU), wide)
    assert found.keys() == names
    for name, tensor in found.items():
        expected = load_file(file)[name]
        assert tensor.equal(expected.float() if expected.is_floating_point() else expected)
        assert tensor.shape == expected.shape


def test_every_kind_of_number_that_a_file_may_have_is_known():
    assert reading.DTYPES.keys() == BYTES.keys()
    assert all(dtype.itemsize == BYTES[name] for name, dtype in reading.DTYPES.items())


class Watched(Main):
    """Counts the pieces of memory that are made, and waits as a device does that has not copied yet."""

    def __init__(self) -> None:
        super().__init__(CPU)
        self.made, self.copied, self.reached = 0, 0, list[int]()

    def staging(self, nbytes: int) -> torch.Tensor:
        self.made += 1
        return super().staging(nbytes)

    def mark(self) -> int:
        self.copied += 1
        return self.copied

    def reach(self, mark: Any) -> None:
        self.reached.append(mark)


def test_memory_is_bounded_and_no_piece_is_overwritten_before_it_is_copied(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "PIECE", 32)
    memory = Watched()
    reading.read(file, TENSORS, memory, wide)
    pieces = -(-sum(t.nbytes for t in TENSORS.values()) // 32)
    assert memory.made == reading.AHEAD
    assert memory.reached == list(range(1, pieces - reading.AHEAD + 1))


def test_reading_goes_on_while_a_piece_is_copied(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "PIECE", 32)
    both = threading.Barrier(2, timeout=20)
    fill, waits = reading._fill, iter(range(2))

    def filled(*args: Any) -> None:
        if next(waits, None) is not None:
            both.wait()  # passes when two are being read at a time
        fill(*args)

    monkeypatch.setattr(reading, "_fill", filled)
    assert reading.read(file, ["a"], Main(CPU), wide)["a"].equal(TENSORS["a"])


def test_a_file_that_has_become_shorter_is_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.safetensors"
    path.write_bytes(file.read_bytes())
    known = reading.stretches(path)
    path.write_bytes(path.read_bytes()[:-40])
    monkeypatch.setattr(reading, "stretches", lambda path: known)
    with pytest.raises(ValueError, match=r"a\.safetensors is cut short: it ends before byte"):
        reading.read(path, TENSORS, Main(CPU), wide)


def test_half_precision_is_made_of_the_files_numbers_tensor_by_tensor(file: Path):
    found = reading.read(
        file, ["a", "b", "whole"], Main(CPU), lambda _, tensor: tensor.half() if tensor.is_floating_point() else tensor
    )
    assert found["a"].equal(TENSORS["a"].half())
    assert found["b"].equal(TENSORS["b"])
    assert found["whole"].dtype == torch.int64


@pytest.mark.parametrize("folder", ["sd15_folder", "flux_folder"])
def test_a_network_that_was_read_in_pieces_is_the_mapped_one(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, folder: str
):
    found = checkpoints.checkpoint(str(request.getfixturevalue(folder)))
    for network in (found.model.network, found.vae.network, *found.text_encoder.encoders):
        mapped = loading.load(network, CPU, torch.float32).state_dict()
        with monkeypatch.context() as patched:
            patched.setattr(loading, "COPIED", ("cpu",))
            patched.setattr(reading, "PIECE", 10_000)
            copied = loading.load(network, CPU, torch.float32).state_dict()
        assert all(tensor.equal(mapped[name]) for name, tensor in copied.items())

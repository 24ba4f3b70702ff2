"""Weights cut into several files are whole, and what their list says is true."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from torch import zeros

from nodes.backend import shards

STEM = "model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate("ab", 1):
        save_file({name: zeros(number)}, tmp_path / shard(number))
    write_index(tmp_path, {"a": shard(1), "b": shard(2)})
    return tmp_path


def shard(number: int, count: int = 2) -> str:
    return f"{STEM}-{number:05d}-of-{count:05d}.safetensors"


def write_index(folder: Path, weight_map: Any) -> None:
    (folder / f"{STEM}.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def refusal(folder: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        shards.all_shapes(shards.weight_files(folder, STEM))
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_numbered_files_are_one_table(folder: Path):
    assert shards.all_shapes(shards.weight_files(folder, STEM)) == {"a": (1,), "b": (2,)}


def test_numbered_files_need_no_list(folder: Path):
    (folder / "model.safetensors.index.json").unlink()
    assert len(shards.all_shapes(shards.weight_files(folder, STEM))) == 2


def test_a_missing_file_of_several_is_named(folder: Path):
    (folder / shard(1)).unlink()
    assert f"{shard(1)} is missing" in refusal(folder)


def test_a_file_of_another_set_is_named(folder: Path):
    (folder / shard(3, 3)).write_bytes((folder / shard(1)).read_bytes())
    assert f"{shard(3, 3)} in {folder} does not belong" in refusal(folder)


def test_an_absurd_count_is_refused(folder: Path):
    for number in (1, 2):
        (folder / shard(number)).rename(folder / shard(number, 99_999))
    assert "are not whole" in refusal(folder)


def test_a_tensor_in_two_files_is_named(folder: Path):
    save_file({"a": zeros(1), "b": zeros(2)}, folder / shard(2))
    assert "'a' stands in" in refusal(folder)


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": shard(1), "b": "../elsewhere/model.safetensors"}, "it is in model-00002-of-00002"),
        ({"a": shard(1), "b": "/etc/passwd"}, "it is in model-00002-of-00002"),
        ({"a": shard(1), "b": 7}, "it is in model-00002-of-00002"),
        ({"a": shard(1), "b": shard(2), "c": shard(2)}, "names 'c'"),
        ({"a": shard(1)}, "does not name 'b'"),
        ([], "has no weight_map"),
        (None, "has no weight_map"),
    ],
)
def test_a_list_that_points_elsewhere_is_refused(folder: Path, weight_map: Any, message: str):
    write_index(folder, weight_map)
    assert message in refusal(folder)


def test_a_damaged_list_is_named(folder: Path):
    (folder / "model.safetensors.index.json").write_text("{")
    assert "is not valid JSON" in refusal(folder)

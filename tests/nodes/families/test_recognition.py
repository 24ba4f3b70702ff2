"""Whose model a folder or a file is, is told from headers and settings, and one family alone says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nodes.backend import checkpoints, families, tokenizer_kinds
from tests import tiny_models

BUILDERS: dict[str, Callable[[Path], Path]] = {
    "sd1": tiny_models.build_sd15,
    "sd2": tiny_models.build_sd21,
    "sdxl": tiny_models.build_sdxl,
    "sdxl_refiner": tiny_models.build_sdxl_refiner,
    "sd3": tiny_models.build_sd3,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("families")
    return {name: build(root / name) for name, build in BUILDERS.items()}


@pytest.mark.parametrize("name", BUILDERS)
def test_one_family_alone_recognises_its_folder_and_its_file(
    name: str, folders: dict[str, Path], single_file: Callable[[Path], Path]
):
    for place in (folders[name], single_file(folders[name])):
        found = checkpoints.look(place)
        # `recognise` asks in order; nothing here may depend on it
        assert [family.name for family in families.FAMILIES if family.recognises(found)] == [name]
        assert checkpoints.checkpoint(str(place)).model.network.family == name


def test_every_family_has_a_name_of_its_own_and_defaults_that_are_in_its_limits():
    assert len({family.name for family in families.FAMILIES}) == len(families.FAMILIES)
    for family in families.FAMILIES:
        assert family.defaults.size % family.space.multiple == 0
        assert family.denoiser in family.roles
        assert set(family.encoders) <= family.roles.keys()
        kinds = {role.tokenizer.kind for role in family.roles.values() if role.tokenizer}
        assert kinds <= tokenizer_kinds.KINDS.keys()


def test_a_family_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="'sd9' is no family of models"):
        families.of("sd9")

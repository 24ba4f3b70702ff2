"""Tiny random models on disk, built once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tiny_models


@pytest.fixture(scope="session")
def sd15_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion 1.5, 3.9 MB, 64 x 64 pictures."""
    return tiny_models.build_sd15(tmp_path_factory.mktemp("models") / "sd15")


@pytest.fixture(scope="session")
def sd21_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion 2.1, which predicts v."""
    return tiny_models.build_sd21(tmp_path_factory.mktemp("models") / "sd21")


@pytest.fixture(scope="session")
def controlnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ControlNet for sd15_folder."""
    return tiny_models.build_controlnet_sd15(tmp_path_factory.mktemp("models") / "controlnet")

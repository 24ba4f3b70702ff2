"""Tiny random models on disk, built once for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodes.backend import pool
from tests import tiny_models, tiny_modern
from tests.tiny_checkpoints import write_single_file


@pytest.fixture
def empty_pool() -> Iterator[None]:
    """No network is in memory, and what is loaded is on the CPU."""
    pool.configure("cpu")
    pool.free()
    yield
    pool.free()


@pytest.fixture(scope="session")
def sd15_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion 1.5, 3.9 MB, 64 x 64 pictures."""
    return tiny_models.build_sd15(tmp_path_factory.mktemp("models") / "sd15")


@pytest.fixture(scope="session")
def sd21_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion 2.1, which predicts v."""
    return tiny_models.build_sd21(tmp_path_factory.mktemp("models") / "sd21")


@pytest.fixture(scope="session")
def sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion XL."""
    return tiny_models.build_sdxl(tmp_path_factory.mktemp("models") / "sdxl")


@pytest.fixture(scope="session")
def sdxl_refiner_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The refiner of sdxl_folder."""
    return tiny_models.build_sdxl_refiner(tmp_path_factory.mktemp("models") / "sdxl_refiner")


@pytest.fixture(scope="session")
def controlnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ControlNet for sd15_folder."""
    return tiny_models.build_controlnet_sd15(tmp_path_factory.mktemp("models") / "controlnet")


@pytest.fixture
def single_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a checkpoint's folder as one file, which lies among the folder's settings as published ones do."""

    def write(folder: Path, name: str = "model.safetensors", **options: Any) -> Path:
        place = tmp_path / f"{folder.name}_as_file"
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
        return write_single_file(folder, place / name, **options)

    return write


@pytest.fixture(scope="session")
def sd3_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion 3.5 with all three text encoders, 2.3 MB, 64 x 64 pictures."""
    return tiny_models.build_sd3(tmp_path_factory.mktemp("models") / "sd3")


@pytest.fixture(scope="session")
def flux_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flux.1 dev, 64 x 64 pictures."""
    return tiny_models.build_flux(tmp_path_factory.mktemp("models") / "flux")


@pytest.fixture(scope="session")
def zimage_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Z-Image Turbo."""
    return tiny_modern.build_z_image(tmp_path_factory.mktemp("models") / "zimage")


@pytest.fixture(scope="session")
def klein_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flux.2 Klein."""
    return tiny_modern.build_klein(tmp_path_factory.mktemp("models") / "klein")


@pytest.fixture(scope="session")
def flux2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flux.2 dev."""
    return tiny_modern.build_flux2_dev(tmp_path_factory.mktemp("models") / "flux2")


@pytest.fixture(scope="session")
def qwenimage_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Qwen-Image, 64 x 64 pictures."""
    return tiny_modern.build_qwen_image(tmp_path_factory.mktemp("models") / "qwenimage")


@pytest.fixture(scope="session")
def qwenimage_edit_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Qwen-Image-Edit, by version."""
    root = tmp_path_factory.mktemp("models")
    builders = {"2509": tiny_modern.build_qwen_edit, "2511": tiny_modern.build_qwen_edit_11}
    return {version: build(root / f"qwenimage_edit_{version}") for version, build in builders.items()}


@pytest.fixture(scope="session")
def krea2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Krea 2, raw."""
    return tiny_modern.build_krea2(tmp_path_factory.mktemp("models") / "krea2")


@pytest.fixture(scope="session")
def qwenimage21_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Qwen-Image 2.1."""
    return tiny_modern.build_qwen_21(tmp_path_factory.mktemp("models") / "qwenimage21")

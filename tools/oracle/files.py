"""Tiny random models on disk, made when they are first asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image as Pillow
from torch import Tensor

from tests import tiny_models, tiny_variants
from tools.oracle.asking import SIDE, Ask
from tools.oracle.rows import Row


class Files:
    """root: the folder that they are made in."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, row: Row, ask: Ask) -> Path:
        """A checkpoint of the diffusers layout."""
        plain = self._made(row, "folder", row.build)
        if ask.distilled:
            return self._made(row, "distilled", lambda place: tiny_variants.distilled(plain, place))
        if ask.kind == "fill" and row.always != "fill":
            return self._made(row, "filling", lambda place: tiny_variants.filling(plain, place))
        return plain

    def file(self, row: Row, ask: Ask) -> Path:
        """The same as one file of the original layout, among the folder's settings as published ones are."""
        folder = self.folder(row, ask)

        def make(place: Path) -> None:
            shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*.safetensors"))
            row.single(folder, place / "model.safetensors")

        return self._made(row, f"{folder.name}_as_file", make) / "model.safetensors"

    def lora(self, row: Row, seed: int) -> Path:
        folder = self.folder(row, Ask())
        return self._made(
            row,
            f"lora_{seed}.safetensors",
            lambda place: tiny_models.build_lora(place, folder, seed=seed, **row.adapted),
        )

    def embedding(self, row: Row) -> Path:
        """Two vectors for each encoder that can be taught."""
        if row.text_from:
            return self.embedding(row.text_from)
        folder = self.folder(row, Ask())

        def make(place: Path) -> None:
            draws = torch.Generator().manual_seed(1)
            widths = {name: tiny_variants.token_width(folder, name) for name in row.embedded}
            vectors = {name: torch.randn(2, width, generator=draws) / width**0.5 for name, width in widths.items()}
            place.write_bytes(safetensors.torch.save(vectors))

        return self._made(row, "embedding.safetensors", make)

    def controlnet(self, row: Row, ask: Ask) -> Path:
        folder = self.folder(row, Ask())
        make = row.completing if ask.kind == "completing" else row.controlnet
        return self._made(row, f"{ask.kind}_net", lambda place: make(folder, place))

    def picture(self, size: tuple[int, int] = (SIDE, SIDE)) -> Path:
        """Smooth colours, as a PNG. size: (width, height)."""
        place = self._root / f"picture_{size[0]}x{size[1]}.png"
        if not place.exists():
            coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(5))
            smooth = torch.nn.functional.interpolate(coarse, size[::-1], mode="bicubic").clamp(0, 1)
            Pillow.fromarray((smooth[0].permute(1, 2, 0) * 255).round().byte().numpy()).save(place)
        return place

    def shown(self, size: tuple[int, int]) -> Pillow.Image:
        with Pillow.open(self.picture(size)) as file:
            return file.copy()

    def pixels(self, size: tuple[int, int]) -> Tensor:
        """The picture as [1, 3, height, width] in 0..1."""
        array = np.asarray(self.shown(size), np.float32)
        return torch.from_numpy(array / 255).permute(2, 0, 1)[None]

    def mask(self, size: tuple[int, int]) -> Tensor:
        """[1, 1, height, width]: the middle is made anew."""
        width, height = size
        mask = torch.zeros(1, 1, height, width)
        mask[..., height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
        return mask

    def _made(self, row: Row, name: str, make: Callable[[Path], object]) -> Path:
        place = self._root / row.name / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            make(place)
        return place

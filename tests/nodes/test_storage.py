"""What goes to disk comes back equal, bit for bit; a damaged file is an error that names it."""

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.backend import storage
from nodes.types import (
    PIXELS,
    Conditioning,
    Control,
    Embedding,
    Flow,
    Hint,
    History,
    Image,
    Latent,
    Mask,
    Masked,
    NoiseSchedule,
    PictureSize,
    SizeShift,
    StepShift,
)
from tests.nodes.descriptions import CONTROLNET, MODEL, SPACE, TEXT_ENCODER, VAE, WEIGHTS


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


VALUES: dict[str, tuple[Any, ...]] = {
    "plain": (None, True, 1, -(2**60), 0.1, "naïve \udc80 text", (), (1, (2.5, "x"))),
    "odd numbers": (math.inf, -math.inf, -0.0, 5e-324),
    "latent": (Latent(noise(1, 4, 2, 2), SPACE, VAE), 7),
    "image": (Image(noise(2, 3, 4, 4)), Mask(noise(1, 1, 4, 4))),
    "text": (Conditioning("sd1", "a cat", noise(1, 77, 8)),),
    "text with more": (
        Conditioning(
            *("sdxl", "a cat", noise(1, 77, 8), noise(1, 8), PictureSize(64, 32), 3.5, (noise(1, 4, 2, 2),)),
            Masked(noise(1, 4, 2, 2), noise(1, 1, 16, 16)),
        ),
    ),
    "history": (History((noise(1, 2), noise(2, 2)), (1.5, 0.5), ()), History()),
    "control": (Control((Hint(CONTROLNET, noise(1, 3, 2, 2), 0.8, 0.0, 1.0),)),),
    "models": (
        MODEL,
        replace(MODEL, process=Flow(3.0), space=PIXELS),
        replace(MODEL, process=Flow(by_size=SizeShift())),
        replace(MODEL, process=Flow(by_size=StepShift(tokens=16, steps=4))),
        replace(MODEL, process=Flow(terminal=0.02, own=(1.0, 0.5))),
        replace(TEXT_ENCODER, embeddings=(Embedding("style", WEIGHTS),)),
        VAE,
    ),
    "kinds of tensor": (noise(3).half(), noise(3).bfloat16(), torch.arange(3), torch.tensor(True), torch.zeros(0, 2)),
}


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(equal, a, b))
    if type(a).__name__ in storage.CLASSES:
        return type(a) is type(b) and all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return type(a) is type(b) and repr(a) == repr(b)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_what_is_stored_comes_back_equal(values: tuple[Any, ...], tmp_path: Path):
    storage.save(values, tmp_path / "entry")
    assert equal(storage.load(tmp_path / "entry"), values)


def test_a_view_comes_back_contiguous_and_alone(tmp_path: Path):
    whole = noise(4, 6)
    storage.save((whole.T, whole[1]), tmp_path / "entry")
    turned, row = storage.load(tmp_path / "entry")
    assert torch.equal(turned, whole.T)
    assert turned.is_contiguous()
    assert torch.equal(row, whole[1])
    assert (tmp_path / "entry").stat().st_size < 4 * (24 + 6) + 400  # the row alone, not what it is a view of


def test_one_tensor_in_two_places_is_stored(tmp_path: Path):
    latent = Latent(noise(1, 4, 2, 2), SPACE)
    storage.save((latent, latent), tmp_path / "entry")
    assert equal(storage.load(tmp_path / "entry"), (latent, latent))


def test_a_result_computed_in_inference_mode_is_stored(tmp_path: Path):
    with torch.inference_mode():
        values = (Latent(noise(1, 4, 2, 2) * 2, SPACE),)
    storage.save(values, tmp_path / "entry")
    assert equal(storage.load(tmp_path / "entry"), values)


def test_what_does_not_travel_on_links_is_refused(tmp_path: Path):
    with pytest.raises(TypeError, match="dict does not travel on links"):
        storage.save(({},), tmp_path / "entry")


def test_a_folder_that_cannot_be_written_to_is_an_os_error(tmp_path: Path):
    with pytest.raises(OSError, match="No such file"):
        storage.save(VALUES["latent"], tmp_path / "gone" / "entry")


@pytest.mark.parametrize("cut", [0, 4, 20, -1])
def test_a_file_cut_short_is_an_error_that_names_it(cut: int, tmp_path: Path):
    path = tmp_path / "entry"
    storage.save(VALUES["latent"], path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match="entry is not a stored result"):
        storage.load(path)


SCHEDULE = '{"class": "NoiseSchedule", "fields": {"kind": %s, "beta_start": %s, "beta_end": 1, "num_timesteps": %s}}'


@pytest.mark.parametrize(
    "tree",
    [
        '{"class": "Path", "fields": {}}',
        '{"class": "Latent", "fields": {"exec": 1}}',
        '{"tensor": "9"}',
        '{"class": ["Latent"], "fields": {}}',
        "[1]",
        '{"class": "Latent", "fields": {"samples": "text", "factor": 8, "vae": null}}',
        '{"class": "Image", "fields": {"pixels": 1}}',
        '{"class": "Image", "fields": {}}',
        '{"class": "Vae", "fields": {"weights": {"class": "Weights", "fields": {"path": 1, "fingerprint": ""}},'
        ' "latent_channels": 4, "factor": 8, "native_size": 64}}',
        SCHEDULE % ('"other"', "0", "9"),
        SCHEDULE % ('"linear"', "0", "true"),
        SCHEDULE % ('"linear"', '"0"', "9"),
        '{"class": "History", "fields":'
        ' {"denoised": {"tuple": [1]}, "sigmas": {"tuple": []}, "samples": {"tuple": []}}}',
        "[" * 100_000,
        "not JSON",
    ],
)
def test_a_file_that_says_something_else_is_an_error(tree: str, tmp_path: Path):
    from safetensors.torch import save_file

    save_file({}, tmp_path / "entry", {storage.KEY: tree})
    with pytest.raises(ValueError, match="entry is not a stored result"):
        storage.load(tmp_path / "entry")


def test_a_field_that_is_younger_than_a_file_is_at_its_default(tmp_path: Path):
    from safetensors.torch import save_file

    tree = SCHEDULE % ('"linear"', "0.001", "9")
    save_file({}, tmp_path / "entry", {storage.KEY: f'{{"tuple": [{tree}]}}'})
    assert storage.load(tmp_path / "entry") == (NoiseSchedule("linear", 0.001, 1.0, 9, zero_snr=False),)

"""Words taught later stand for their vectors wherever a prompt names them: as in diffusers' load_textual_inversion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodes import text
from nodes.backend import checkpoints, pool
from nodes.backend.prompt import chunks
from nodes.types import TextEncoder
from tests import tiny_models

TOKEN = "<tiny-style>"
PROMPT = f"a cat in {TOKEN} under a tree"


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu():
    pool.configure("cpu")


@pytest.fixture(scope="module")
def encoder(sd15_folder: Path) -> TextEncoder:
    return checkpoints.checkpoint(str(sd15_folder)).text_encoder


@pytest.fixture(scope="module")
def encoders(sdxl_folder: Path) -> TextEncoder:
    return checkpoints.checkpoint(str(sdxl_folder)).text_encoder


def written(folder: Path, layout: tiny_models.EmbeddingFormat, vectors: int = 2) -> Path:
    place = folder / f"{layout} style.safetensors"
    return tiny_models.build_textual_inversion(place, key_format=layout, token=TOKEN, vectors=vectors)


def assert_same(ours: Tensor, theirs: Tensor):
    """float32; the library adds rows to its table, ours are put in: the sums are the same."""
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("vectors", [1, 3])
def test_a_word_of_stable_diffusion_1_reads_as_in_diffusers(
    sd15_folder: Path, encoder: TextEncoder, tmp_path: Path, vectors: int
):
    path = written(tmp_path, "diffusers", vectors)
    pipeline: Any = StableDiffusionPipeline.from_pretrained(sd15_folder)
    pipeline.load_textual_inversion(str(path))
    theirs = pipeline.encode_prompt(PROMPT, "cpu", 1, False)[0]
    assert_same(text.prompt(text.load_embedding(encoder, str(path)), PROMPT).embeds, theirs)


def test_a_word_of_sdxl_reads_as_in_diffusers(sdxl_folder: Path, encoders: TextEncoder, tmp_path: Path):
    path = written(tmp_path, "sdxl")
    pipeline: Any = StableDiffusionXLPipeline.from_pretrained(sdxl_folder)
    tensors = load_file(path)
    for key, number in (("clip_l", ""), ("clip_g", "_2")):
        tokenizer, encoder = getattr(pipeline, f"tokenizer{number}"), getattr(pipeline, f"text_encoder{number}")
        pipeline.load_textual_inversion(tensors[key], token=TOKEN, text_encoder=encoder, tokenizer=tokenizer)
    theirs = pipeline.encode_prompt(PROMPT, device="cpu", do_classifier_free_guidance=False)[0]
    ours = text.prompt(text.load_embedding(encoders, str(path), TOKEN), PROMPT)
    assert_same(ours.embeds, theirs)


def test_a_name_is_the_files_own_or_another_with_its_mark_or_without(encoder: TextEncoder, tmp_path: Path):
    path = written(tmp_path, "a1111")
    own, other = text.load_embedding(encoder, str(path)), text.load_embedding(encoder, str(path), "chalk")
    wanted = text.prompt(other, "a cat, chalk").embeds
    for taught, prompt in (
        (own, "a cat, a1111 style"),
        (own, "a cat, embedding:a1111 style"),
        (other, "a cat, embedding:chalk"),
        (other, "a cat, Chalk"),
    ):
        assert torch.equal(text.prompt(taught, prompt).embeds, wanted), prompt
    assert not torch.equal(text.prompt(other, "a cat, chalky").embeds, wanted)
    assert torch.equal(text.prompt(other, "a cat, chalky").embeds, text.prompt(encoder, "a cat, chalky").embeds)


def test_a_name_can_be_weighed(encoder: TextEncoder, tmp_path: Path):
    taught = text.load_embedding(encoder, str(written(tmp_path, "a1111")), "chalk")
    plain, empty = text.prompt(taught, "cat chalk").embeds, text.prompt(taught, "").embeds
    weighed = text.prompt(taught, "cat (embedding:chalk:1.5)").embeds
    reader = pool.reader(taught.encoders[0])
    places = [n for n, weight in enumerate(chunks("cat (a:1.5)", reader.tokenizer, 77)[0].weights) if weight != 1]
    first = places[0]
    for place in (first, first + 1):  # two vectors
        torch.testing.assert_close(weighed[0, place], torch.lerp(empty[0, place], plain[0, place], 1.5))
    assert torch.equal(weighed[0, :first], plain[0, :first])


def test_vectors_take_as_many_places_and_stay_together(encoder: TextEncoder):
    tokenizer = pool.reader(encoder.encoders[0]).tokenizer
    vectors = torch.ones(6, 32)
    first, second = chunks("chalk " * 13, tokenizer, 77, {"chalk": vectors})
    assert [place for place, _ in first.vectors] == list(range(1, 73))
    assert [place for place, _ in second.vectors] == list(range(1, 7))


def test_an_embedding_for_one_of_two_encoders_is_text_to_the_other(encoders: TextEncoder, tmp_path: Path):
    path = tmp_path / "one.safetensors"
    width = load_file(written(tmp_path, "sdxl"))["clip_g"].shape[1]
    save_file({"emb_params": torch.ones(1, width)}, path)
    plain = text.prompt(encoders, "a cat chalk").embeds
    taught = text.prompt(text.load_embedding(encoders, str(path), "chalk"), "a cat embedding:chalk").embeds
    assert torch.equal(taught[..., :-width], plain[..., :-width])
    assert not torch.equal(taught[..., -width:], plain[..., -width:])


def test_a_name_that_is_not_there_is_told(encoder: TextEncoder):
    with pytest.raises(ValueError, match="the prompt names the embedding 'chalk', which this encoder does not know"):
        text.prompt(encoder, "a cat, embedding:chalk")


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"emb_params": torch.ones(1, 13)}, "is an embedding for text encoders 13 wide; these are 32"),
        ({"emb_params": torch.ones(76, 32)}, "takes the place of 76 words; a chunk has room for 75"),
        ({"emb_params": torch.ones(1, 1, 32)}, "is 1 x 1 x 32, not vectors"),
        ({"clip_l": torch.ones(1, 32), "clip_g": torch.ones(1, 64)}, "has tensors for none of the text encoders"),
        ({"a.lora_up.weight": torch.ones(1, 1)}, "is no embedding: it has low-rank pairs"),
        ({}, "is no embedding: it has no tensors"),
    ],
)
def test_a_file_that_fits_no_encoder_is_refused_by_planning(
    encoder: TextEncoder, tensors: dict[str, Tensor], reason: str, tmp_path: Path
):
    path = tmp_path / "odd.safetensors"
    save_file(tensors, path)
    with pytest.raises(ValueError, match=r".") as caught:
        text.load_embedding(encoder, str(path))
    assert reason in str(caught.value)
    assert path.name in str(caught.value)


def test_pickles_and_names_that_mean_something_else_are_refused(encoder: TextEncoder, tmp_path: Path):
    path = written(tmp_path, "a1111")
    (tmp_path / "style.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="is a pickle"):
        text.load_embedding(encoder, str(tmp_path / "style.pt"))
    with pytest.raises(ValueError, match="give it a name without"):
        text.load_embedding(encoder, str(path), "style (2)")
    with pytest.raises(ValueError, match="there are two embeddings named 'Chalk'"):
        text.load_embedding(text.load_embedding(encoder, str(path), "chalk"), str(path), "Chalk")

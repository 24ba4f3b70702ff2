"""What T5 makes of a prompt is what the stock pipelines of Stable Diffusion 3 and Flux make of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline, StableDiffusion3Pipeline

from nodes.backend import t5_prompt, unigram
from nodes.backend.prompt import parse
from tests import tiny_models
from tests.nodegraph.test_text import NASTY

PIPELINES = {"sd3": StableDiffusion3Pipeline, "flux": FluxPipeline}
LENGTHS = {"sd3": 256, "flux": 512}
PARTS = {"sd3": ("tokenizer_3", "text_encoder_3"), "flux": ("tokenizer_2", "text_encoder_2")}


@pytest.fixture(scope="module", params=PIPELINES)
def stock(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Any]:
    """The family, the folder of its model, and its own pipeline."""
    folder = tmp_path_factory.mktemp("models") / request.param
    {"sd3": tiny_models.build_sd3, "flux": tiny_models.build_flux}[request.param](folder)
    return request.param, folder, PIPELINES[request.param].from_pretrained(folder)


@pytest.fixture(scope="module")
def t5(stock: Any) -> tuple[Any, Any, int]:
    """Our tokenizer, the encoder and the length."""
    family, folder, pipeline = stock
    tokenizer, encoder = PARTS[family]
    module = getattr(pipeline, encoder)
    words = unigram.read(folder / tokenizer, module.config.vocab_size)
    return t5_prompt.tokenizer(words), module, LENGTHS[family]


def encode(text: str, t5: Any) -> torch.Tensor:
    tokenizer, encoder, length = t5
    return t5_prompt.encode(parse(text), tokenizer, encoder, length)


@pytest.mark.parametrize(
    "text", ["", "a photo of a red cat", "cat,dog  and 3\tbirds!\n", "Ünïcödé ☃ 東京 </s> x", "é" * 90]
)
def test_an_unweighted_prompt_is_encoded_bit_for_bit_as_the_pipeline_does(text: str, stock: Any, t5: Any):
    family, _, pipeline = stock
    with torch.inference_mode():
        theirs = pipeline._get_t5_prompt_embeds(text, max_sequence_length=LENGTHS[family], device="cpu")
    ours = encode(text, t5)
    assert (ours.shape, ours.dtype) == ((1, LENGTHS[family], tiny_models.T5_WIDTH), torch.float32)
    assert ours.equal(theirs)


def test_a_weight_of_one_changes_nothing_and_brackets_cut_no_word(t5: Any):
    assert encode("a (red:1.0) un(believ:1)able cat", t5).equal(encode("a red unbelievable cat", t5))


@pytest.mark.parametrize("text", NASTY)
def test_no_character_of_a_prompt_is_an_error(text: str, t5: Any):
    assert encode(text, t5).isfinite().all()
    assert encode(f"a ({text}:1.5)", t5).isfinite().all()


def test_weight_moves_a_token_away_from_the_empty_prompt(t5: Any):
    empty, plain, heavy = (encode(text, t5) for text in ("", "a red cat", "a (red:1.5) cat"))
    expected = plain.clone()
    expected[0, 1] = empty[0, 1] + 1.5 * (plain[0, 1] - empty[0, 1])
    torch.testing.assert_close(heavy, expected, rtol=1e-5, atol=1e-6)  # float32: lerp sums in another order


def test_a_token_of_several_weights_has_their_mean(t5: Any):
    tokenizer, _, length = t5
    read = t5_prompt._read(parse("(c:2)at (zq:3)x"), tokenizer, length)  # "cat" is one token, "zqx" a mark and letters
    assert [tokenizer.id_to_token(id) for id in read[0]] == ["▁cat", "▁", "z", "q", "x"]
    assert read[1] == [pytest.approx(4 / 3), 3, 3, 3, 1]


def test_break_parts_words_and_nothing_else(t5: Any):
    assert encode("a cat BREAK (a dog:1.2)", t5).equal(encode("a cat (a dog:1.2)", t5))


def test_a_prompt_that_is_too_long_is_refused_with_the_limit_and_what_is_too_much(t5: Any):
    _, _, length = t5
    fits = "red " * (length - 1)
    assert encode(fits, t5).shape[1] == length
    with pytest.raises(ValueError, match=rf"has {length + 1} tokens for T5, .*; {length} is the most.*'cat'"):
        encode(fits + "cat", t5)
    with pytest.raises(ValueError, match="3,001 tokens") as caught:
        encode("red " * 3000, t5)
    assert len(str(caught.value)) < 400


def test_an_encoder_in_bfloat16_gives_float32_results(t5: Any):
    tokenizer, encoder, length = t5
    half = copy.deepcopy(encoder).to(torch.bfloat16)
    embeds = t5_prompt.encode(parse("a (red:1.3) cat"), tokenizer, half, length)
    assert embeds.dtype == torch.float32
    # bfloat16 keeps 8 bits of a number: of the order of 1 % after the layers
    torch.testing.assert_close(embeds, encode("a (red:1.3) cat", t5), rtol=0.1, atol=0.1)

"""Prompt syntax, chunks and the encoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from nodes.backend import prompt as prompts
from nodes.backend.prompt import Piece, parse, read
from nodes.text import clip_skip
from tests.examples import each
from tests.nodegraph.test_text import NASTY
from tests.nodes.descriptions import TEXT_ENCODER


@each(
    ("text", "pieces"),
    [
        ("a cat", [("a cat", 1)]),
        ("", []),
        ("a (red) cat", [("a ", 1), ("red", 1.1), (" cat", 1)]),
        ("a [red] cat", [("a ", 1), ("red", 1 / 1.1), (" cat", 1)]),
        ("(red:1.5)", [("red", 1.5)]),
        ("(red: .5 )", [("red", 0.5)]),
        ("(red:-1)", [("red", -1)]),
        ("((red))", [("red", 1.1 * 1.1)]),
        ("(a (b:2) c)", [("a ", 1.1), ("b", 2.2), (" c", 1.1)]),
        ("([red])", [("red", 1.1 / 1.1)]),
        (r"a \(red\) cat", [("a (red) cat", 1)]),
        (r"\[x\] \\", [("[x] \\", 1)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("3:00 PM", [("3:00 PM", 1)]),
        ("open (to the end", [("open ", 1), ("to the end", 1.1)]),
        ("never opened) here", [("never opened) here", 1)]),
        ("(a]", [("a]", 1.1)]),
        ("one BREAK two", [("one ", 1), ("BREAK", 1), (" two", 1)]),
        ("BREAKFAST", [("BREAKFAST", 1)]),
        ("\\", [("\\", 1)]),
    ],
)
def test_emphasis_is_read_as_people_write_it(text: str, pieces: list[tuple[str, float]]):
    assert [(piece.text, pytest.approx(piece.weight)) for piece in parse(text)] == pieces


def test_neighbours_of_one_weight_are_one_piece():
    assert parse("un(believ:1.0)able") == (Piece("unbelievable"),)


def encode(prompt: str, tokenizer: Any, encoder: Any, skip_layers: int = 0) -> Tensor:
    """As the families of Stable Diffusion 1 and 2 read it."""
    return read(prompt, tokenizer, encoder, layers_back=skip_layers, normed=True).embeds


@pytest.fixture(scope="module")
def pipeline(sd15_folder: Path) -> StableDiffusionPipeline:
    return StableDiffusionPipeline.from_pretrained(sd15_folder)


@pytest.fixture(scope="module")
def clip(pipeline: StableDiffusionPipeline) -> tuple[CLIPTokenizer, CLIPTextModel]:
    return pipeline.tokenizer, pipeline.text_encoder


@pytest.mark.parametrize("text", ["", "a photo of a red cat", "cat,dog (of) 3  birds!", "A Cat's house"])
def test_an_unweighted_prompt_is_encoded_bit_for_bit_as_the_pipeline_does(text: str, pipeline: Any, clip: Any):
    theirs, _ = pipeline.encode_prompt(text.replace("(of)", "of"), "cpu", 1, False)
    assert encode(text.replace("(of)", "of"), *clip).equal(theirs)


def test_a_weight_of_one_changes_nothing(clip: Any):
    assert encode("a (red:1.0) cat", *clip).equal(encode("a red cat", *clip))


@each("text", NASTY)
def test_no_character_of_a_prompt_is_an_error(text: str, clip: Any):
    assert encode(text, *clip).isfinite().all()


def test_weight_moves_a_token_away_from_the_empty_prompt(clip: Any):
    empty, plain, heavy = (encode(text, *clip) for text in ("", "a red cat", "a (red:1.5) cat"))
    expected = plain.clone()
    expected[0, 2] = empty[0, 2] + 1.5 * (plain[0, 2] - empty[0, 2])
    torch.testing.assert_close(heavy, expected, rtol=1e-5, atol=1e-6)  # float32: lerp sums in another order


def test_long_prompts_are_read_in_chunks_side_by_side(clip: Any):
    long = " ".join(["red cat"] * 50)
    embeds = encode(long, *clip)
    assert embeds.shape == (1, 154, 32)
    # the second chunk holds words 76 to 100; another batch size rounds differently
    torch.testing.assert_close(
        embeds[:, 77:], encode(" ".join((["red", "cat"] * 50)[75:]), *clip), rtol=1e-4, atol=1e-5
    )


def test_break_starts_a_chunk_that_is_read_by_itself(clip: Any):
    # the first chunk is the same text; another batch size rounds differently
    torch.testing.assert_close(
        encode("a cat BREAK a dog", *clip),
        torch.cat([encode("a cat", *clip), encode("a dog", *clip)], dim=1),
        rtol=1e-4,
        atol=1e-5,
    )


def test_no_word_is_cut_between_chunks(clip: Any):
    tokenizer, _ = clip
    word = "zqxjkv"
    length = len(tokenizer(word, add_special_tokens=False).input_ids)
    assert length > 1
    first, second = prompts.chunks("a " * 74 + word, tokenizer, 77)
    assert [first.ids.count(tokenizer.eos_token_id), second.ids.index(tokenizer.eos_token_id)] == [2, 1 + length]


def test_a_word_longer_than_a_chunk_is_cut(clip: Any):
    tokenizer, _ = clip
    assert len(prompts.chunks("zqxj" * 60, tokenizer, 77)) > 1


def test_a_smaller_context_makes_smaller_chunks(clip: Any):
    tokenizer, _ = clip
    assert [len(chunk.ids) for chunk in prompts.chunks("a cat " * 15, tokenizer, 24)] == [24, 24]


def test_clip_skip_takes_an_earlier_layer_through_the_final_norm(clip: Any):
    tokenizer, encoder = clip
    ids = tokenizer("a cat", padding="max_length", return_tensors="pt").input_ids
    with torch.inference_mode():
        hidden = encoder(ids, output_hidden_states=True).hidden_states[-2]
        expected = encoder.final_layer_norm(hidden)
    assert encode("a cat", *clip, skip_layers=1).equal(expected)


def test_skipping_every_layer_is_refused(clip: Any):
    with pytest.raises(ValueError, match="has 3 layers, 3 cannot be skipped"):
        encode("a cat", *clip, skip_layers=3)


def test_clip_skip_node_only_describes():
    assert clip_skip(TEXT_ENCODER, 2).skip_layers == 2

"""Classifier-free guidance on a toy denoiser whose answer depends on every token."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nodes.backend import noise
from nodes.backend.families import unet_calls
from nodes.backend.families.family import Asked
from nodes.backend.guidance import guided
from nodes.types import Conditioning

X = noise.draw((2, 4, 8, 8), 0, 0)


def prompt(seed: int, tokens: int = 77) -> Conditioning:
    return Conditioning("sd1", "", noise.draw((1, tokens, 16), seed, 0))


COND, UNCOND = prompt(1), prompt(2)


def states(x: Tensor, prompts: tuple[Conditioning, ...]) -> Tensor:
    """[prompts * batch, tokens, width], as U-Nets are told them."""
    return unet_calls.embeds(Asked(x, 0.0, prompts, (64, 64)))


def attend(x: Tensor, prompts: tuple[Conditioning, ...]) -> Tensor:
    """Cross-attention of every latent pixel to the tokens."""
    embeds = states(x, prompts)
    queries = x.flatten(1)[:, :128].reshape(len(x), 8, 16)
    mixed = torch.nn.functional.scaled_dot_product_attention(queries, embeds, embeds)
    return x + mixed.mean(dim=(1, 2))[:, None, None, None]


def mixed(cond: Conditioning, uncond: Conditioning, guidance_scale: float) -> Tensor:
    """What guidance is, of each prompt by itself."""
    denoised_cond, denoised_uncond = attend(X, (cond,)), attend(X, (uncond,))
    return denoised_uncond + guidance_scale * (denoised_cond - denoised_uncond)


class Recorder:
    """A denoiser that keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Tensor] = []

    def __call__(self, x: Tensor, prompts: tuple[Conditioning, ...]) -> Tensor:
        self.asked.append(states(x, prompts))
        return x


@pytest.mark.parametrize("together", [True, False])
def test_guidance_moves_from_the_negative_through_the_positive_prompt(together: bool):
    # one batch of four instead of two of two: rounding
    torch.testing.assert_close(guided(attend, X, COND, UNCOND, 5.0, together=together), mixed(COND, UNCOND, 5.0))


def test_both_prompts_go_through_the_network_as_one_batch_negative_first():
    record = Recorder()
    guided(record, X, COND, UNCOND, 5.0, together=True)
    (asked,) = record.asked
    assert asked.equal(torch.cat([UNCOND.embeds, UNCOND.embeds, COND.embeds, COND.embeds]))


def test_prompts_that_cannot_be_asked_together_go_through_one_after_the_other_negative_first():
    record = Recorder()
    guided(record, X, COND, UNCOND, 5.0, together=False)
    assert [len(embeds) for embeds in record.asked] == [2, 2]
    assert record.asked[0].equal(UNCOND.embeds.expand(2, -1, -1))
    assert record.asked[1].equal(COND.embeds.expand(2, -1, -1))


@pytest.mark.parametrize("together", [True, False])
def test_a_scale_of_one_asks_for_the_positive_prompt_alone(together: bool):
    record = Recorder()
    guided(record, X, COND, UNCOND, 1.0, together=together)
    (asked,) = record.asked
    assert asked.equal(COND.embeds.expand(2, -1, -1))


def test_prompts_of_different_lengths_act_as_if_each_were_alone():
    long, short = prompt(3, 3 * 77), prompt(4, 2 * 77)
    # every token is there two or three times, which softmax divides out up to rounding
    torch.testing.assert_close(guided(attend, X, long, short, 3.0, together=True), mixed(long, short, 3.0))

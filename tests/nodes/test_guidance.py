"""Classifier-free guidance on a toy denoiser whose answer depends on every token."""

from __future__ import annotations

import torch
from torch import Tensor

from nodes.backend import noise
from nodes.backend.guidance import guided

X = noise.draw((2, 4, 8, 8), 0, 0)
COND, UNCOND = noise.draw((1, 77, 16), 1, 0), noise.draw((1, 77, 16), 2, 0)


def attend(x: Tensor, embeds: Tensor) -> Tensor:
    """Cross-attention of every latent pixel to the tokens."""
    queries = x.flatten(1)[:, :128].reshape(len(x), 8, 16)
    mixed = torch.nn.functional.scaled_dot_product_attention(queries, embeds, embeds)
    return x + mixed.mean(dim=(1, 2))[:, None, None, None]


def test_guidance_moves_from_the_negative_through_the_positive_prompt():
    cond, uncond = (attend(X, embeds.expand(2, -1, -1)) for embeds in (COND, UNCOND))
    # one batch of four instead of two of two: rounding
    torch.testing.assert_close(guided(attend, X, COND, UNCOND, 5.0), uncond + 5 * (cond - uncond))


def test_both_prompts_go_through_the_network_as_one_batch_negative_first():
    asked: list[Tensor] = []

    def record(x: Tensor, embeds: Tensor) -> Tensor:
        asked.append(embeds)
        return x

    guided(record, X, COND, UNCOND, 5.0)
    assert [len(embeds) for embeds in asked] == [4]
    assert asked[0].equal(torch.cat([UNCOND, UNCOND, COND, COND]))


def test_a_scale_of_one_asks_for_the_positive_prompt_alone():
    asked: list[Tensor] = []

    def record(x: Tensor, embeds: Tensor) -> Tensor:
        asked.append(embeds)
        return x

    guided(record, X, COND, UNCOND, 1.0)
    assert [len(embeds) for embeds in asked] == [2]


def test_prompts_of_different_lengths_act_as_if_each_were_alone():
    long = noise.draw((1, 3 * 77, 16), 3, 0)
    short = noise.draw((1, 2 * 77, 16), 4, 0)
    cond, uncond = (attend(X, embeds.expand(2, -1, -1)) for embeds in (long, short))
    # every token is there two or three times, which softmax divides out up to rounding
    torch.testing.assert_close(guided(attend, X, long, short, 3.0), uncond + 3 * (cond - uncond))

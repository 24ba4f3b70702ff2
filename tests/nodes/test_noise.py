"""Noise: every seed has its own, and every picture of a batch the noise that it has alone."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nodegraph.node import Context
from nodes import sampling
from nodes.backend import noise as noises
from nodes.backend import solvers
from nodes.backend.solvers import step
from nodes.latent import keep_outside, latent_forward_diffusion, noise
from nodes.types import (
    Conditioning,
    Diffusion,
    Flow,
    History,
    Latent,
    Mask,
    Model,
    Network,
    Process,
    Space,
    Weights,
)
from tests.examples import each, examples

SHAPE = (1, 4, 8, 8)
SPACE = Space("sd", 4, 8)
LATENT = Latent(torch.zeros(SHAPE), SPACE)
PROCESSES = {"diffusion": (Diffusion(), (14.0, 5.0, 2.0, 0.7, 0.0)), "flow": (Flow(), (1.0, 0.8, 0.5, 0.2, 0.0))}
ODD = (4, 5, 3)  # of an item: no multiple of 16, which is how many numbers torch draws at a time


def torch_noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- seeds ---


@given(st.integers(0, 2**64 - 1), st.integers(0, 63))
@examples(100)
def test_every_bit_of_a_seed_counts(seed: int, bit: int):
    assert not noises.draw(SHAPE, seed, 0).equal(noises.draw(SHAPE, seed ^ (1 << bit), 0))


def test_each_of_the_64_bits_of_a_seed_makes_noise_of_its_own():
    every = 2**64 - 1
    drawn = [noises.draw((1, 1, 2, 2), seed, 0) for seed in (every, *(every ^ (1 << bit) for bit in range(64)))]
    assert len({tuple(noise.flatten().tolist()) for noise in drawn}) == 65


def test_the_seed_of_a_picture_is_the_one_that_every_version_gave_it():
    """Or else a picture of a batch could not be made again."""
    assert [noises.item_seed(11, item) for item in range(3)] == [11, 9504111709799332595, 16703562816681920021]


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 - 1])
def test_seeds_of_32_bits_give_the_noise_that_torch_gives(seed: int):
    assert noises.draw(SHAPE, seed, 0).equal(torch_noise(seed, *SHAPE))


def test_the_words_of_the_twister_stand_where_they_are_written():
    state = torch.Generator().manual_seed(7).get_state().view(torch.int64)[noises.TWISTER]
    words = np.random.RandomState(7).get_state(legacy=False)["state"]["key"]
    assert state.equal(torch.from_numpy(words.astype(np.int64)))


@pytest.mark.parametrize("upper", [1, 2, 2**31 + 5])
def test_the_words_of_long_seeds_are_those_of_numpy_seeded_with_both_halves(upper: int):
    state = noises.generator(7 + (upper << 32)).get_state().view(torch.int64)[noises.TWISTER]
    words = np.random.RandomState([7, upper]).get_state(legacy=False)["state"]["key"]
    assert state.equal(torch.from_numpy(words.astype(np.int64)))


@pytest.mark.parametrize("seed", [7 + 2**32, 2**63, 2**64 - 1])
def test_noise_of_long_seeds_is_normal_and_tells_the_same_story_each_time(seed: int):
    drawn = noises.draw((1, 4, 128, 128), seed, 0)
    assert drawn.mean().abs() < 0.02
    assert abs(drawn.std() - 1) < 0.02
    assert drawn.equal(noises.draw((1, 4, 128, 128), seed, 0))


def test_seeds_that_differ_in_the_upper_half_alone_have_nothing_in_common():
    a, b = (noises.draw((1, 4, 128, 128), seed, 0).flatten() for seed in (7, 7 + 2**32))
    assert torch.corrcoef(torch.stack([a, b]))[0, 1].abs() < 0.02


# --- batches ---


@each("item", [SHAPE[1:], ODD, (1, 2, 3)])
@each("index", [0, 1, 5])
def test_a_picture_alone_has_the_noise_that_it_has_in_a_batch(item: tuple[int, ...], index: int):
    batch = noises.draw((5, *item), 11, index)
    for i in range(5):
        assert noises.draw((1, *item), 11, index, first=i).equal(batch[i : i + 1])
    assert noises.draw((2, *item), 11, index, first=3).equal(batch[3:])


@pytest.mark.parametrize("index", [0, 1, 5])
def test_no_two_pictures_of_a_batch_have_the_same_noise(index: int):
    batch = noises.draw((8, *SHAPE[1:]), 11, index)
    assert len({tuple(picture.flatten().tolist()) for picture in batch}) == 8


def test_pictures_of_a_batch_keep_their_noise_when_it_is_added_to_some_of_them():
    for add in (noises.add_noise, noises.diffuse):
        whole = add(torch.ones(5, *SHAPE[1:]), 0.5, 11)
        assert add(torch.ones(2, *SHAPE[1:]), 0.5, 11, 3).equal(whole[3:])
    assert noises.add_noise(torch.ones(SHAPE), 0.5, 11).equal(1 + 0.5 * noises.draw(SHAPE, 11, 0))


def test_a_batch_starts_from_the_one_draw_that_diffusers_makes():
    assert noises.draw((3, *SHAPE[1:]), 11, 0).equal(torch_noise(11, 3, *SHAPE[1:]))


def toy_denoiser(x: Tensor, sigma: float) -> Tensor:
    """Works on each number alone, so that a batch has the bits of its pictures."""
    return torch.tanh(x) / (1 + sigma)


def denoised(solver: str, process: Process, sigmas: Sequence[float], latent: Latent, seed: int) -> Tensor:
    x, history = latent.samples, History()
    for index, levels in enumerate(pairwise(sigmas)):
        x, _, history = step(solver, process, toy_denoiser, x, *levels, history, seed, index, latent.batch_index)
    return x


@each("kind", PROCESSES)
@each("solver", get_args(solvers.SolverName))
def test_a_picture_of_a_batch_can_be_made_alone_with_every_solver(solver: str, kind: str):
    process, sigmas = PROCESSES[kind]
    batch, seed = noise(Latent(torch.zeros(3, *SHAPE[1:]), SPACE), sigmas[0], 9)
    together = denoised(solver, process, sigmas, batch, seed)
    for i in range(3):
        alone, seed = noise(LATENT, sigmas[0], 9, i)
        assert denoised(solver, process, sigmas, alone, seed).equal(together[i : i + 1])


def test_the_step_takes_the_number_of_the_picture_from_its_latent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nodes.backend.denoise.denoiser", lambda *_: toy_denoiser)
    model = Model(Network("sd1", "unet", Weights("", "")), Diffusion(), SPACE, 64)
    prompt = Conditioning("sd1", "", torch.zeros(1, 1, 1))

    def stepped(latent: Latent) -> Latent:
        return sampling.unet_step(Context(), model, latent, prompt, prompt, 5.0, 2.0, 0, 9, 1.0, "euler_ancestral")[0]

    batch = stepped(noise(Latent(torch.zeros(3, *SHAPE[1:]), SPACE), 5.0, 9).latent)
    alone = stepped(noise(LATENT, 5.0, 9, 2).latent)
    assert alone.samples.equal(batch.samples[2:])
    assert alone.batch_index == 2


def test_noise_takes_the_place_of_a_picture_whose_latents_flow():
    picture = Latent(torch.ones(SHAPE), replace(SPACE, flow=True))
    assert noise(picture, 0.75, 9).latent.samples.equal(0.25 + 0.75 * noises.draw(SHAPE, 9, 0))
    assert noise(picture, 1.0, 9).latent.samples.equal(noises.draw(SHAPE, 9, 0))


def test_what_is_kept_outside_a_mask_is_on_the_way_of_a_flow_as_well():
    picture = Latent(torch.ones(SHAPE), replace(SPACE, flow=True))
    kept = keep_outside(picture, picture, Mask(torch.zeros(1, 1, 64, 64)), 0.75, 9).samples
    assert kept.equal(noise(picture, 0.75, 9).latent.samples)


def test_what_is_kept_outside_a_mask_has_the_noise_of_its_picture():
    batch, _ = noise(Latent(torch.zeros(3, *SHAPE[1:]), SPACE), 5.0, 9)
    alone, _ = noise(LATENT, 5.0, 9, 2)
    mask = Mask(torch.zeros(1, 1, 64, 64))
    kept = keep_outside(batch, Latent(torch.ones(3, *SHAPE[1:]), SPACE), mask, 2.0, 9).samples
    assert keep_outside(alone, Latent(torch.ones(SHAPE), SPACE), mask, 2.0, 9).samples.equal(kept[2:])


def test_forward_diffusion_has_the_noise_of_its_picture():
    batch = latent_forward_diffusion(Latent(torch.zeros(3, *SHAPE[1:]), SPACE), 500, "cosine", 9).samples
    alone = Latent(torch.zeros(SHAPE), SPACE, batch_index=2)
    assert latent_forward_diffusion(alone, 500, "cosine", 9).samples.equal(batch[2:])


def test_every_solver_is_tried_here():
    assert set(get_args(solvers.SolverName)) == set(solvers.SOLVERS)


# --- what a step costs ---


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2), st.sampled_from([SHAPE, (2, *ODD)])), max_size=12))
def test_in_whatever_order_steps_are_made_each_has_the_noise_that_it_has_alone(
    steps: list[tuple[int, int, Sequence[int]]],
):
    for index, seed, shape in steps:
        numbers = [noises.generator(noises.item_seed(seed, item)) for item in range(shape[0])]
        alone = [[torch.randn(shape[1:], generator=one) for _ in range(index + 1)][-1] for one in numbers]
        assert noises.draw(shape, seed, index).equal(torch.stack(alone))


def test_a_step_draws_its_own_noise_and_none_of_the_steps_before(monkeypatch: pytest.MonkeyPatch):
    noises.draw(SHAPE, 4711, 1)
    drawn: list[int] = []
    original = torch.randn

    def randn(*args: object, **named: object) -> Tensor:
        drawn.append(1)
        return original(*args, **named)

    monkeypatch.setattr(torch, "randn", randn)
    for index in range(2, 30):
        noises.draw(SHAPE, 4711, index)
    assert len(drawn) == 28


def test_generators_that_are_kept_are_bounded():
    for seed in range(noises.MAX_GOING + 20):
        noises.draw((1, 1, 1, 1), seed, 1)
    assert len(noises._going) == noises.MAX_GOING
    kept = [seed for _, seed in noises._going._kept]
    assert kept == [*range(20, noises.MAX_GOING + 20)]  # the latest, which the next step asks for

"""The denoiser of a model description, with prompts, guidance and hints in it: one for all families."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nodes import fit
from nodes.backend import families, guidance, parts, pool, process, resident, solvers, widening
from nodes.backend.families.family import Asked, Family, Follower
from nodes.backend.solvers import Denoiser, SolverName, Step
from nodes.types import Conditioning, Control, Hint, History, Model, Process

Report = Callable[[int, int], None]
"""(done, total) parts of one evaluation of the network; may raise to stop it."""


def denoiser(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    guidance_scale: float,
    control: Control | None,
    report: Report,
) -> Denoiser:
    """D(x, sigma).

    Raises ValueError when it is given a prompt or a latent that was made for another model.
    """
    family = families.of(model.network.family)
    for prompt in (positive, negative):
        fit.check_prompt(model, fit.prompt_is(prompt))
    fit.check_placed((fit.prompt_is(positive), fit.prompt_is(negative)))
    for hint in control.hints if control else ():
        fit.check_controlnet(model, hint.controlnet)
        fit.check_hint(hint.controlnet, hint.vae, mask=hint.mask, completed=hint.completed)
    negative = family.negative(completed(negative, positive))
    if family.is_told_guidance(parts.settings(model.network)):
        positive, guidance_scale = guidance.told(positive, guidance_scale), 1.0
    together = family.together((negative, positive))
    net = pool.network(model.network, model.loras)
    controlled_by = positive if family.controlled_by_positive else None
    hints = [(pool.network(hint.controlnet.network), hint) for hint in control.hints] if control else []
    limits = model.guidance_limits
    push = guidance.normalised(family.combined, limits.normalization) if limits.normalization else family.combined

    @torch.inference_mode()
    def denoise(x: Tensor, sigma: float) -> Tensor:
        fit.check_latent(model, tuple(x.shape))
        fit.check_shown(model, tuple(x.shape), fit.prompt_is(positive))
        for _, hint in hints:
            for pictures in (hint.pixels, hint.mask, hint.completed):
                fit.check_pictures(len(x), 1 if pictures is None else len(pictures))
            fit.check_positions(hint.controlnet.network, model.space, tuple(x.shape))
        on_the_way = 1 - process.timestep_at(model.process, sigma) / process.num_timesteps(model.process)
        with _watched(family, net, report):
            return guidance.guided(
                lambda x, prompts: predict(net, model, hints, x, sigma, prompts, controlled_by),
                x,
                positive,
                negative,
                guidance_scale if on_the_way <= limits.truncation else 1.0,
                together=together,
                push=push,
            )

    return denoise


@torch.inference_mode()
def step(
    solver: SolverName,
    model: Model,
    denoise: Denoiser,
    samples: Tensor,
    sigma: float,
    sigma_next: float,
    history: History,
    seed: int,
    index: int,
    first: int = 0,
) -> Step:
    """As `solvers.step`, where the model is: what comes in is put there unless it still is, what comes out may be under
    way from there.
    """
    device = pool.device()
    x, *earlier = (resident.on(tensor, device) for tensor in (samples, *history.denoised, *history.samples))
    count = len(history.denoised)
    history = replace(history, denoised=tuple(earlier[:count]), samples=tuple(earlier[count:]))
    made = solvers.step(solver, model.process, denoise, x, sigma, sigma_next, history, seed, index, first)
    return Step(resident.leave(made.x), resident.leave(made.denoised), _left(made.history))


def _left(history: History) -> History:
    denoised, samples = (tuple(map(resident.leave, kept)) for kept in (history.denoised, history.samples))
    return replace(history, denoised=denoised, samples=samples)


def completed(negative: Conditioning, positive: Conditioning) -> Conditioning:
    """A negative prompt with what the positive one brings besides its text, where it brings nothing itself."""
    told = positive.distilled_guidance if negative.distilled_guidance is None else negative.distilled_guidance
    return replace(
        negative,
        distilled_guidance=told,
        references=negative.references or positive.references,
        masked=negative.masked or positive.masked,
    )


def predict(
    net: Any,
    model: Model,
    hints: Sequence[tuple[Any, Hint]],
    x: Tensor,
    sigma: float,
    prompts: tuple[Conditioning, ...],
    controlled_by: Conditioning | None = None,
) -> Tensor:
    """The clean latents expected in x, float32 where x is.

    x: [prompts * batch, channels, height, width]. The network works on its own device and in its own precision.
    controlled_by: the prompt that ControlNets read for all of them; None when they read each.
    """
    family, (height, width) = families.of(model.network.family), x.shape[-2:]
    scaled = (x * process.input_scale(model.process, sigma)).to(pool.device(), widening.computed_in(net))
    factor = model.space.factor
    asked = Asked(scaled, process.timestep_at(model.process, sigma), prompts, (height * factor, width * factor))
    sized = process.at_size(model.process, height, width) if hints else model.process
    active = [follower(net, hint, asked.size) for net, hint in hints if is_active(hint, sized, sigma)]
    if active:
        told = asked
        if controlled_by is not None:
            told = asked._replace(x=scaled[: asked.batch], prompts=(controlled_by,))
        asked = asked._replace(residuals=family.residuals(net, active, told))
    return process.denoised(model.process, x, family.predict(net, model, asked).to(x), sigma)


def follower(controlnet: Any, hint: Hint, size: tuple[int, int]) -> Follower:
    """size: (height, width) in pixels of the pictures being made."""
    if hint.vae is None:
        return Follower(controlnet, hint)
    vae = hint.vae.network
    completed = None if hint.completed is None else pool.latent(vae, hint.completed, size)
    return Follower(controlnet, hint, pool.network(vae), pool.latent(vae, hint.pixels, size), completed)


def is_active(hint: Hint, sized: Process, sigma: float) -> bool:
    """Whether a step that starts at this noise level follows the hint: its start is included, its end is not."""
    first, end = (process.sigma_at_fraction(sized, fraction) for fraction in (hint.start, hint.end))
    return first >= sigma > end


def _watched(family: Family, net: Any, report: Report) -> AbstractContextManager[None]:
    """On an accelerator, blocks are launched long before they are computed: their reports would tell nothing."""
    if pool.device().type == "cpu":
        return reporting(family.blocks(net), report)
    report(0, 1)
    return nullcontext()


@contextmanager
def reporting(blocks: Sequence[Any], report: Report) -> Generator[None]:
    """Report after every block of the network: a large one takes many seconds, and Stop must not wait for its end."""
    total = len(blocks) + 1  # what follows the last block counts as one more

    def said(done: int) -> Callable[..., None]:
        return lambda *_: report(done, total)

    hooks = [block.register_forward_hook(said(done)) for done, block in enumerate(blocks, 1)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

"""Denoising, one step at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from nodegraph.node import Context, Draft, Range, Seed, node
from nodes import fit
from nodes.backend.solvers import SolverName
from nodes.fit import Hints, Known, Latents, Prompt
from nodes.types import Conditioning, Control, Diffusion, Flow, GuidanceLimits, History, Latent, Model, NoiseSchedule

Training = Literal["as told", "epsilon", "v_prediction", "sample", "flow"]


@node(
    "sampling.trained_as",
    title="Trained as",
    aliases=("model sampling", "v-prediction", "shift", "zero SNR", "ModelSamplingDiscrete", "ModelSamplingSD3"),
)
def trained_as(
    model: Model,
    prediction: Training = "as told",
    zero_snr: bool = False,
    shift: Annotated[float, Range(0.0, 100.0, step=0.1, zero="as told")] = 0.0,
) -> Model:
    """Say how a denoiser was trained, where its file does not, or says it wrongly.

    prediction: what the network tells: the noise, the velocity (v), the picture, or a flow's velocity.
    zero_snr: whether nothing is left of the picture at the last timestep: Lin et al. 2023 (arXiv:2305.08891).
    shift: how much of a flow's steps are spent near the noise, the same for every size: Esser et al. 2024
    (arXiv:2403.03206). Link the model to Noise too when this makes a flow of it.
    """
    process = model.process
    if prediction == "flow" and not isinstance(process, Flow):
        process = Flow()
    elif prediction not in ("as told", "flow"):
        known = process.noise_schedule if isinstance(process, Diffusion) else NoiseSchedule()
        process = Diffusion(prediction, known)
    if zero_snr and isinstance(process, Diffusion):
        process = replace(process, noise_schedule=replace(process.noise_schedule, zero_snr=True))
    elif zero_snr:
        raise ValueError("a flow leaves nothing of the picture by itself; zero_snr has no meaning for it")
    if shift and isinstance(process, Flow):
        process = replace(process, shift=shift, by_size=None, terminal=0.0)
    elif shift:
        raise ValueError("shift is for flows; this model is none")
    return replace(model, process=process)


@node(
    "sampling.limit_guidance",
    title="Limit guidance",
    aliases=("RenormCFG", "cfg_normalization", "cfg_truncation", "CFG rescale", "guidance interval"),
)
def limit_guidance(
    model: Model,
    normalization: Annotated[float, Range(0.0, 10.0, step=0.05, zero="off")] = 1.0,
    truncation: Annotated[float, Range(0.0, 1.0, step=0.01)] = 1.0,
) -> Model:
    """Keep a high guidance scale from burning a picture, or end it early; for models that are asked both prompts.

    normalization: a step goes at most so many times as far as the positive prompt alone would.
    truncation: from there on, between 0, noise, and 1, the picture, the positive prompt alone is followed, which takes
    half the time.
    """
    return replace(model, guidance_limits=GuidanceLimits(normalization, truncation))


WILD = 3.5
"""The guidance scale from which solvers of higher order run wild with few steps, and that of the first shows what will
come. Below, they come nearer than it does; heun asks twice for a step, and of those that ask once uni_pc is nearest."""

DRAFT_SOLVER = Draft(
    instead=(("dpmpp_2m", WILD, "euler"), ("uni_pc", WILD, "euler"), ("heun", WILD, "euler"), ("heun", 0.0, "uni_pc")),
    by="guidance_scale",
)


class Denoised(NamedTuple):
    latent: Latent
    denoised: Latent
    history: History


def _stepped(
    model: Model,
    latent: Known,
    positive: Prompt | None,
    negative: Prompt | None,
    control: Hints | None = None,
    **_: object,
) -> tuple[Known, Known, None]:
    fit.check_step(model, latent, (positive, negative), control or ())
    return (latent, latent, None)


@node(
    "sampling.unet_step",
    version=2,
    title="U-Net step",
    aliases=("sampler", "denoise", "KSampler", "CFG"),
    shows="denoised",
    outline=_stepped,
)
def unet_step(
    ctx: Context,
    model: Model,
    latent: Latent,
    positive: Conditioning,
    negative: Conditioning,
    sigma: float,
    sigma_next: float,
    index: Annotated[int, Range(0, 10_000)] = 0,
    seed: Annotated[int, Range(0, 2**64 - 1), Seed()] = 0,
    guidance_scale: Annotated[float, Range(0.0, 30.0, step=0.1)] = 7.5,
    solver: Annotated[SolverName, DRAFT_SOLVER] = "euler",
    history: History | None = None,
    control: Control | None = None,
) -> Denoised:
    """Take noise out of a latent: one step from noise level sigma to sigma_next.

    guidance_scale: how strongly the prompts act; 1 follows the positive prompt alone and takes half the time.
    solver: how the step is computed. heun asks the U-Net twice; dpmpp_2m and uni_pc use the history of earlier steps;
    euler_ancestral, dpmpp_2m_sde and lcm add fresh noise, made from the seed and the step's index, for each picture of
    a batch as for that picture alone. history: of the step before, also where one loop goes on from another.
    denoised: the finished picture as far as it can be told now.
    """
    from nodes.backend.denoise import denoiser, step

    if history and any(tensor.shape != latent.samples.shape for tensor in (*history.denoised, *history.samples)):
        raise ValueError("the history is that of a latent of another shape; begin every denoising without one")
    fit.check_space("model", model.space, Latents.of(latent))
    denoise = denoiser(model, positive, negative, guidance_scale, control, ctx.progress)
    x, denoised, history = step(
        *(solver, model, denoise, latent.samples, sigma, sigma_next),
        *(history or History(), seed, index, latent.batch_index),
    )
    return Denoised(replace(latent, samples=x), replace(latent, samples=denoised), history)

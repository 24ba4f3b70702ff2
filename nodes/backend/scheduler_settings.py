"""How a denoiser was trained, from the settings of the scheduler in its folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

from nodes.backend.fields import Either, Field, Flag, Only, Real, Schema, Whole, read_settings
from nodes.backend.networks.architecture import NOT_USED
from nodes.backend.process import betas
from nodes.types import Diffusion, Flow, NoiseSchedule, Prediction, SizeShift

DIFFUSION: Schema = {
    "prediction_type": Field(Only(*get_args(Prediction)), "epsilon"),
    "beta_schedule": Field(Only("linear", "scaled_linear", "squaredcos_cap_v2"), "linear"),
    "beta_start": Field(Real(1e-8, 0.999), 0.0001),
    "beta_end": Field(Real(1e-8, 0.999), 0.02),
    "num_train_timesteps": Field(Whole(2, 10_000), 1000),
    "rescale_betas_zero_snr": Field(Either(Flag(), Only(None)), False),
    "trained_betas": NOT_USED,
}
FLOW: Schema = {
    "num_train_timesteps": Field(Only(1000), 1000),
    "shift": Field(Real(1e-3, 1e3), 1.0),
    "use_dynamic_shifting": Field(Flag(), False),
    "base_shift": Field(Real(-10, 10), 0.5),
    "max_shift": Field(Real(-10, 10), 1.15),
    "base_image_seq_len": Field(Whole(1, 1_000_000), 256),
    "max_image_seq_len": Field(Whole(2, 1_000_000), 4096),
    "invert_sigmas": Field(Only(False), False),
    "shift_terminal": Field(Either(Real(0.0, 0.9), Only(None)), None),
    "use_karras_sigmas": Field(Only(False, None), False),
    "use_exponential_sigmas": Field(Only(False, None), False),
    "use_beta_sigmas": Field(Only(False, None), False),
    "time_shift_type": Field(Only("exponential"), "exponential"),
    "stochastic_sampling": Field(Only(False), False),
}

MAX_LOG_SIGMA = 15.0
"""exp(15) is 700 times the highest noise level of any published model."""


def read_diffusion(path: Path) -> Diffusion:
    """Of models that noise is added to. Raises ValueError when the settings cannot be meant."""
    settings = read_settings(path, DIFFUSION)
    kind, start, end = settings["beta_schedule"], float(settings["beta_start"]), float(settings["beta_end"])
    schedule = NoiseSchedule(
        kind, start, end, settings["num_train_timesteps"], bool(settings["rescale_betas_zero_snr"])
    )
    if start > end:
        raise ValueError(f"{path}: beta_start is {start:g}, above beta_end, which is {end:g}")
    if -sum(math.log1p(-beta) for beta in betas(schedule)) > 2 * MAX_LOG_SIGMA:
        raise ValueError(
            f"{path}: beta_end {end:g} over num_train_timesteps {schedule.num_timesteps:,} is too much noise"
        )
    return Diffusion(settings["prediction_type"], schedule)


def read_flow(path: Path, patch: int, *, to_least: bool) -> Flow:
    """Of flows. patch, to_least: see `Flow`; they are the family's. Raises ValueError when they cannot be meant."""
    settings = read_settings(path, FLOW)
    terminal = float(settings["shift_terminal"] or 0)
    if not settings["use_dynamic_shifting"]:
        return Flow(float(settings["shift"]), to_least=to_least, terminal=terminal)
    fewest, most = settings["base_image_seq_len"], settings["max_image_seq_len"]
    if fewest >= most:
        raise ValueError(f"{path}: base_image_seq_len is {fewest:,}, not below max_image_seq_len, which is {most:,}")
    shifts = float(settings["base_shift"]), float(settings["max_shift"])
    return Flow(by_size=SizeShift(*shifts, fewest, most, patch), to_least=to_least, terminal=terminal)

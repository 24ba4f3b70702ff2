"""Our noise levels by diffusers' schedulers."""

from __future__ import annotations

from typing import Any

import diffusers

from tools.oracle.asking import Ask

_diffusers: Any = diffusers  # which names are its own, its stubs do not say

SPACINGS = {"normal": "linspace", "simple": "trailing"}
"""What our schedules are called there."""


def scheduler(ask: Ask, config: Any) -> Any:
    """config: of the scheduler that comes with a model."""
    if ask.solver == "lcm":
        return _diffusers.LCMScheduler.from_config(config, clip_sample=False)
    return _diffusers.EulerDiscreteScheduler.from_config(config, timestep_spacing=SPACINGS[ask.schedule])

"""Denoisers of pixels themselves, without an autoencoder: the ancestor, Ho et al. 2020 (arXiv:2006.11239)."""

from __future__ import annotations

from typing import ClassVar

from nodes.backend.families.family import Defaults, Found
from nodes.backend.families.sd import UNET, StableDiffusion, is_unet
from nodes.types import PIXELS


class Pixel(StableDiffusion):
    name = "pixel"
    title = "Pixel model"
    roles: ClassVar = {"unet": UNET}
    encoders = ()
    reads = ("sd1",)
    space = PIXELS
    defaults = Defaults(32, 20, 4.0, "dpmpp_2m", "karras")

    def recognises(self, found: Found) -> bool:
        return (
            is_unet(found)
            and not {"vae", "text_encoder", "text_encoder_2", ""} & found.kinds.keys()
            and bool(found.kinds)
        )


FAMILY = Pixel()

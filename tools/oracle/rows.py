"""The rows of the table: the families, and what diffusers calls their pipelines. A new family is one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from tests import tiny_models, tiny_variants
from tools.oracle.asking import SIDE, TASKS, Ask, Kind


def _as_it_is(latent: Tensor, width: int, height: int) -> Tensor:
    return latent


@dataclass(frozen=True)
class Row:
    """name: of its files. build: its model as a folder of the diffusers layout. pipelines: diffusers' classes.

    always: what its tasks are that need not be of another kind. scale: our guidance scale, and theirs. arguments: what
    the stock pipelines are told besides, or in place of what others are. without: arguments that they have not. flow:
    whether they keep the scheduler that they come with. why: tasks without meaning, with the reason. refiner: of the
    second half of the steps. adapted: what LoRA files are made with. hint: the argument of the pictures for a
    ControlNet. unpacked: of (latent, width, height), the latent that a pipeline returns, as others have it. text_from:
    where prompts are read, when the model cannot. side: of its pictures, in pixels.
    """

    name: str
    title: str
    build: Callable[[Path], Path]
    pipelines: Mapping[Kind, str]
    always: Kind = "text"
    scale: float = 5.0
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    without: frozenset[str] = frozenset()
    flow: bool = False
    why: Mapping[str, str] = field(default_factory=dict[str, str])
    refiner: Row | None = None
    adapted: Mapping[str, Any] = field(default_factory=dict[str, Any])
    controlnet: Callable[[Path, Path], Path] = tiny_variants.controlnet
    controlnet_class: str = "ControlNetModel"
    hint: str = "image"
    unpacked: Callable[[Tensor, int, int], Tensor] = _as_it_is
    text_from: Row | None = None
    side: int = SIDE

    @property
    def places(self) -> tuple[str, ...]:
        return ("folder",) if self.text_from else ("folder", "file")

    def ask(self, task: str) -> Ask:
        ask = TASKS[task]
        schedule = "normal" if self.flow else ask.schedule  # of flows it is that of their published pipelines
        width, height = (side * self.side // SIDE for side in ask.size)
        kind = self.always if ask.kind == "text" else ask.kind
        return replace(ask, size=(width, height), kind=kind, schedule=schedule)


NO_REFINER = "Only Stable Diffusion XL has a refiner."
TO_COME = "The next to be built."

SD1 = Row(
    "sd1",
    "Stable Diffusion 1.x",
    tiny_models.build_sd15,
    {
        "text": "StableDiffusionPipeline",
        "image": "StableDiffusionImg2ImgPipeline",
        "inpaint": "StableDiffusionInpaintPipeline",
        "controlnet": "StableDiffusionControlNetPipeline",
    },
    why={"refiner": NO_REFINER, "textual inversion": TO_COME},
)
SD2 = replace(SD1, name="sd2", title="Stable Diffusion 2.x", build=tiny_models.build_sd21)
REFINER = Row(
    "sdxl_refiner",
    "SDXL refiner alone",
    tiny_models.build_sdxl_refiner,
    {"image": "StableDiffusionXLImg2ImgPipeline", "inpaint": "StableDiffusionXLInpaintPipeline"},
    always="image",
    adapted={"text_encoders": False},
    why={
        "text": "The refiner goes on from a picture, in all of its cells.",
        "ControlNet": "No ControlNet is made for the refiner.",
        "textual inversion": TO_COME,
        "refiner": "Its half of a run is in the cell of Stable Diffusion XL.",
        "few steps: LCM": "No refiner was distilled.",
        "few steps: Turbo, Lightning": "No refiner was distilled.",
    },
)
SDXL = Row(
    "sdxl",
    "Stable Diffusion XL",
    tiny_models.build_sdxl,
    {
        "text": "StableDiffusionXLPipeline",
        "image": "StableDiffusionXLImg2ImgPipeline",
        "inpaint": "StableDiffusionXLInpaintPipeline",
        "controlnet": "StableDiffusionXLControlNetPipeline",
    },
    refiner=REFINER,
    why={"textual inversion": TO_COME},
)
PIXEL = Row(
    "pixel",
    "Pixel models",
    lambda place: tiny_variants.pixel_model(place, tiny_models.build_sd15),
    {},
    text_from=SD1,
    side=32,
    adapted={"text_encoders": False},
    why={
        "ControlNet": "No ControlNet is made for pixel models.",
        "refiner": NO_REFINER,
        "textual inversion": TO_COME,
    },
)
SD3 = Row(
    "sd3",
    "Stable Diffusion 3",
    tiny_models.build_sd3,
    {
        "text": "StableDiffusion3Pipeline",
        "image": "StableDiffusion3Img2ImgPipeline",
        "inpaint": "StableDiffusion3InpaintPipeline",
        "controlnet": "StableDiffusion3ControlNetPipeline",
    },
    flow=True,
    controlnet=tiny_variants.sd3_controlnet,
    controlnet_class="SD3ControlNetModel",
    hint="control_image",
    why={
        "LoRA at 0.7": TO_COME,
        "two LoRAs": TO_COME,
        "textual inversion": TO_COME,
        "refiner": NO_REFINER,
        "few steps: LCM": "Latent consistency models are not distilled from flows.",
    },
)

ROWS: tuple[Row, ...] = (SD1, SD2, SDXL, REFINER, SD3, PIXEL)

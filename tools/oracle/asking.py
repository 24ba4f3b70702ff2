"""What is asked of a model, as plain values: ours and theirs read the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "image", "inpaint", "controlnet", "completing", "fill", "reference"]
"""The kinds of pipeline that diffusers has for a family. fill: models that are shown the picture they complete.

completing: ControlNets that are.
"""

CONTROLLED: tuple[Kind, ...] = ("controlnet", "completing")

POSITIVE, NEGATIVE = "a photo of a red cat", "blurry"
TOKEN = "<tiny-style>"
SEED, STEPS, SIDE = 11, 4, 64
STRENGTH = 0.5
HINT_STRENGTH = 0.8


@dataclass(frozen=True)
class Ask:
    """One cell of the table.

    size: (width, height). scale: the guidance scale; None is the row's. loras: the seeds of LoRA files, with their
    strengths. distilled: of a model whose U-Net reads the guidance scale. references: how many pictures to work from.
    """

    kind: Kind = "text"
    batch: int = 1
    size: tuple[int, int] = (SIDE, SIDE)
    solver: Literal["euler", "lcm"] = "euler"
    schedule: Literal["normal", "simple", "lcm"] = "normal"
    scale: float | None = None
    loras: tuple[tuple[int, float], ...] = ()
    clip_skip: int = 0
    embedding: bool = False
    refined: bool = False
    distilled: bool = False
    references: int = 1

    @property
    def prompt(self) -> str:
        return f"{POSITIVE} {TOKEN}" if self.embedding else POSITIVE

    @property
    def shown(self) -> tuple[tuple[int, int], ...]:
        """The sizes of the pictures to work from."""
        return (self.size, (96, 64), (64, 80))[: self.references]

    @property
    def strength(self) -> float:
        """How much of a picture is made anew."""
        return STRENGTH if self.kind == "image" else 1.0


TASKS: dict[str, Ask] = {
    "text": Ask(),
    "batch of 2": Ask(batch=2),
    "other size": Ask(size=(96, 64)),
    "image": Ask(kind="image"),
    "inpaint": Ask(kind="inpaint"),
    "inpainting model": Ask(kind="fill"),
    "ControlNet": Ask(kind="controlnet"),
    "ControlNet that completes": Ask(kind="completing"),
    "one reference": Ask(kind="reference"),
    "three references": Ask(kind="reference", references=3),
    "LoRA at 0.7": Ask(loras=((1, 0.7),)),
    "two LoRAs": Ask(loras=((1, 0.7), (2, 0.4))),
    "textual inversion": Ask(embedding=True),
    "refiner": Ask(refined=True),
    "few steps: LCM": Ask(solver="lcm", schedule="lcm", scale=8.5, distilled=True),
    "few steps: Turbo, Lightning": Ask(schedule="simple", scale=1.0),
    "clip skip": Ask(clip_skip=1),
}

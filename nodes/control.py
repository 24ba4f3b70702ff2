"""ControlNet: pictures that guide the denoiser."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, cast

from nodegraph.node import File, Range, node
from nodes import fit
from nodes.backend.kinds import CONTROLNET
from nodes.fit import Hints, Known
from nodes.types import Control, ControlNet, Hint, Image, Mask, Vae

Mode = Literal["as trained", "canny", "tile", "depth", "blur", "pose", "grey", "low quality"]
"""All that the union ControlNets of any family know."""


@node("control.load", title="Load ControlNet")
def load_controlnet(path: Annotated[str, File((".safetensors",), folder=True, kinds=(CONTROLNET,))] = "") -> ControlNet:
    """A network that makes a denoiser follow a picture: edges, depth, a pose."""
    from nodes.backend.checkpoints import controlnet

    return controlnet(path)


def _mode(mode: str) -> str:
    return "" if mode == "as trained" else mode


def _followed(
    controlnet: ControlNet, image: Known, mode: str | None = None, control: Hints | None = None, **given: object
) -> tuple[Hints]:
    mask, completed = (cast("Known", given.get(name)) for name in ("mask", "inpaint_image"))
    if "inpaint_image" in given:
        fit.joined(3, inpaint_image=completed, mask=mask)
    elif "mask" in given:
        fit.joined(3, image=image, mask=mask)
    if mode is not None:
        fit.check_mode(controlnet, _mode(mode))
    vae = cast("Vae | None", given.get("vae"))
    if vae is not None or "vae" not in given:  # where it is linked and not known yet, nothing can be said
        linked = {name: name if name in given else None for name in ("mask", "inpaint_image")}
        fit.check_hint(controlnet, vae, mask=linked["mask"], completed=linked["inpaint_image"])
    return ((*(control or ()), (controlnet, image)),)


@node("control.apply", title="Apply ControlNet", outline=_followed)
def apply_controlnet(
    controlnet: ControlNet,
    image: Image,
    strength: Annotated[float, Range(0.0, 10.0, step=0.05)] = 1.0,
    start: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.0,
    end: Annotated[float, Range(0.0, 1.0, step=0.01)] = 1.0,
    control: Control | None = None,
    vae: Vae | None = None,
    mode: Mode = "as trained",
    mask: Mask | None = None,
    inpaint_image: Image | None = None,
) -> Control:
    """Follow this picture while denoising. Several add up: link one Apply into the next.

    image: what the ControlNet was trained on, such as edges; resized to the picture being made. One for all, or one
    for each picture of a batch.
    start, end: between which parts of the denoising, 0 = the first step, 1 = the last.
    vae: the checkpoint's own, for the ControlNets of families that read the picture as a latent; others need none.
    mode: what kind of picture it is, for a union ControlNet, which knows several.
    mask: of the picture's size and 1 where it is made anew, for a ControlNet that completes pictures.
    inpaint_image: the picture to complete, where image is another one to follow, for a ControlNet that reads both.
    """
    if start >= end:
        raise ValueError(f"start must be below end, got {start:g} and {end:g}")
    fit.check_hint(controlnet, vae, mask=mask, completed=inpaint_image)
    read_by = vae if fit.reads_latents(controlnet) else None
    earlier = control.hints if control else ()
    number = fit.check_mode(controlnet, _mode(mode))
    hint = Hint(controlnet, image.pixels, strength, start, end, number, read_by)
    if mask is None:
        return Control((*earlier, hint))
    from nodes.backend import families, inpainting

    hole = families.of(controlnet.network.family).hole
    left, anew = inpainting.without((inpaint_image or image).pixels, mask.weight, hole)
    changed = replace(hint, completed=left) if inpaint_image else replace(hint, pixels=left)
    return Control((*earlier, replace(changed, mask=anew)))

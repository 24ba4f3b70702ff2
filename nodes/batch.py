"""Batches taken apart and put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from nodegraph.node import Range, node
from nodes import fit
from nodes.fit import Known
from nodes.types import Image, Latent

Index = Annotated[int, Range(0, 9999)]


def _picked_image(image: Known, index: int) -> tuple[Known]:
    return (fit.picked(image, index),)


@node("batch.pick", title="Pick from batch", aliases=("image from batch", "index", "select"), outline=_picked_image)
def pick(image: Image, index: Index = 0) -> Image:
    """One picture of a batch; 0 is the first."""
    fit.picked(tuple(image.pixels.shape), index)
    return Image(image.pixels[index : index + 1].clone())


def _picked_latent(latent: Known, index: int) -> tuple[Known]:
    return (fit.picked(latent, index),)


@node("batch.pick_latent", aliases=("latent from batch", "index", "select"), outline=_picked_latent)
def pick_latent(latent: Latent, index: Index = 0) -> Latent:
    """One latent of a batch; 0 is the first. Noise that is added later is that of its place in the batch."""
    fit.picked(tuple(latent.samples.shape), index)
    samples = latent.samples[index : index + 1].clone()
    return replace(latent, samples=samples, batch_index=latent.batch_index + index)


def _listed(image: Known) -> tuple[tuple[Known, ...] | None]:
    return (None if image is None else ((1, *image[1:]),) * image[0],)


@node("batch.to_list", title="Batch to list", aliases=("split", "unbatch", "for each"), outline=_listed)
def to_list(image: Image) -> tuple[Image, ...]:
    """The pictures of a batch as a list, for a for-each zone or a grid."""
    return tuple(Image(pixels[None].clone()) for pixels in image.pixels)


def _joined(images: tuple[Known, ...] | None) -> tuple[Known]:
    shapes = None if images is None or None in images else [shape for shape in images if shape]
    return (fit.together(shapes) if shapes is not None else None,)


@node("batch.from_list", title="List to batch", aliases=("join", "combine", "rebatch"), outline=_joined)
def from_list(images: tuple[Image, ...]) -> Image:
    """The pictures of a list as one batch; all have one size."""
    import torch

    fit.together([tuple(image.pixels.shape) for image in images])
    return Image(torch.cat([image.pixels for image in images]))

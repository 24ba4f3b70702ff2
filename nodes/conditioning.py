"""Pictures that a denoiser is shown beside the one that it works on."""

from __future__ import annotations

from dataclasses import replace

from nodegraph.node import Context, node
from nodes import fit
from nodes.fit import Known, Prompt
from nodes.types import Conditioning, Image, Mask, Vae


def _completed(conditioning: Prompt | None, vae: Vae, image: Known, mask: Known, **_: object) -> tuple[Prompt | None]:
    pictures = fit.joined(3, image=image, mask=mask)
    shown = fit.Shown(vae.space, fit.encoded(vae, pictures))
    return (conditioning and conditioning._replace(masked=shown),)


@node("conditioning.inpaint", title="Inpaint conditioning", aliases=("fill", "outpaint", "mask"), outline=_completed)
def inpaint(ctx: Context, conditioning: Conditioning, vae: Vae, image: Image, mask: Mask) -> Conditioning:
    """Show the picture to an inpainting model, without what is to be made anew: Stable Diffusion's, Flux.1 Fill.

    mask: 1 = to be made anew. These models know yes and no only, and 0.5 is yes. The picture must be of the size being
    made. What the positive prompt brings, the negative one need not.
    """
    from nodes.backend import inpainting, pool

    net = pool.network(vae.network)
    return replace(conditioning, masked=inpainting.masked(net, vae, image.pixels, mask.weight, ctx.progress))


def _seen(conditioning: Prompt | None, vae: Vae, image: Known, best_size: bool, **_: object) -> tuple[Prompt | None]:
    if image and best_size:
        image = fit.of_size(image, *fit.reference_size(vae, image))
    shown = fit.Shown(vae.space, fit.encoded(vae, image))
    return (conditioning and conditioning._replace(references=(*conditioning.references, shown)),)


@node(
    "conditioning.reference", title="Reference picture", aliases=("Kontext", "edit", "ReferenceLatent"), outline=_seen
)
def reference(ctx: Context, conditioning: Conditioning, vae: Vae, image: Image, best_size: bool = True) -> Conditioning:
    """A picture that the model sees while it makes another, as the prompt says: Flux.1 Kontext, Flux.2.

    Link several one after the other. The picture being made may be of another size.
    best_size: bring it to the size that suits the model best, stretched a little; off keeps its size.
    """
    from nodes.backend import autoencoder, images, pool

    pixels = image.pixels
    if best_size:
        pixels = images.resize(pixels, *fit.reference_size(vae, tuple(pixels.shape)), "stretch", "bicubic")
    fit.encoded(vae, tuple(pixels.shape))
    seen = autoencoder.encode(pool.network(vae.network), pixels, ctx.progress)
    return replace(conditioning, references=(*conditioning.references, seen))

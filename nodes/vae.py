"""Between pixels and latents."""

from __future__ import annotations

from nodegraph.node import Context, node
from nodes import fit
from nodes.fit import Known, Latents
from nodes.types import Image, Latent, Vae


def _decoded(vae: Vae, latent: Known) -> tuple[Known]:
    return (fit.decoded(vae, latent),)


def _encoded(vae: Vae, image: Known) -> tuple[Known]:
    return (fit.encoded(vae, image),)


@node("vae.decode", title="VAE decode", aliases=("latent to image",), outline=_decoded)
def decode(ctx: Context, vae: Vae, latent: Latent) -> Image:
    """Turn a latent into a picture.

    Pictures above 1024 x 1024 are decoded in tiles that fade into each other, so memory stays bounded.
    """
    from nodes.backend import autoencoder, pool

    fit.decoded(vae, Latents.of(latent))
    return Image(autoencoder.decode(pool.network(vae.network), latent.samples, ctx.progress))


@node("vae.encode", title="VAE encode", aliases=("image to latent", "img2img"), outline=_encoded)
def encode(ctx: Context, vae: Vae, image: Image) -> Latent:
    """Turn a picture into a latent, for image to image. Its sides must be multiples of 8, of some families of 16.

    The mean of the encoder's distribution is taken, so the same picture always gives the same latent.
    """
    from nodes.backend import autoencoder, pool

    return Latent(autoencoder.encode(pool.network(vae.network), image.pixels, ctx.progress), vae.space, vae)

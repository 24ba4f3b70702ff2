"""A prompt as the denoiser of a family reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from nodes import fit
from nodes.backend import autoencoder, embeddings, families, pool
from nodes.backend.autoencoder import Progress
from nodes.backend.families.family import Reader
from nodes.types import Conditioning, TextEncoder, Vae


def encode(text_encoder: TextEncoder, prompt: str) -> Conditioning:
    return families.of(text_encoder.family).encode(_readers(text_encoder), text_encoder, prompt)


def encode_each(text_encoder: TextEncoder, prompts: tuple[str, str]) -> Conditioning:
    """prompts: for the smaller and for the larger of the encoders. Raises ValueError when the family has not two."""
    return families.of(text_encoder.family).encode_each(_readers(text_encoder), text_encoder, prompts)


def encode_with_pictures(
    text_encoder: TextEncoder, prompt: str, vae: Vae | None, batches: Sequence[Tensor], progress: Progress
) -> Conditioning:
    """A prompt that speaks of pictures; with a VAE, the denoiser sees them too. batches: [pictures, 3, height, width]
    in 0..1.

    Raises ValueError when the family's text encoders see no pictures, or fewer.
    """
    fit.with_pictures(text_encoder, vae, [tuple(batch.shape) for batch in batches])
    if not batches:
        return encode(text_encoder, prompt)
    pictures = [batch[number : number + 1] for batch in batches for number in range(len(batch))]
    family = families.of(text_encoder.family)
    told = family.encode_with_pictures(_readers(text_encoder), text_encoder, prompt, pictures)
    if vae is None:
        return told
    net = pool.network(vae.network)
    sized = (family.shown_to_vae(picture) for picture in pictures)
    return replace(told, references=tuple(autoencoder.encode(net, picture, progress) for picture in sized))


def _readers(text_encoder: TextEncoder) -> list[Reader]:
    if complaint := families.of(text_encoder.family).text_complaint(text_encoder):
        raise ValueError(complaint)
    readers = (pool.reader(encoder, text_encoder.loras) for encoder in text_encoder.encoders)
    return [
        reader._replace(taught=embeddings.taught(text_encoder, encoder))
        for reader, encoder in zip(readers, text_encoder.encoders, strict=True)
    ]

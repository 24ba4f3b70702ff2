"""A prompt as the denoiser of a family reads it."""

from __future__ import annotations

from nodes.backend import embeddings, families, pool
from nodes.backend.families.family import Reader
from nodes.types import Conditioning, TextEncoder


def encode(text_encoder: TextEncoder, prompt: str) -> Conditioning:
    return families.of(text_encoder.family).encode(_readers(text_encoder), text_encoder, prompt)


def encode_each(text_encoder: TextEncoder, prompts: tuple[str, str]) -> Conditioning:
    """prompts: for the smaller and for the larger of the encoders. Raises ValueError when the family has not two."""
    return families.of(text_encoder.family).encode_each(_readers(text_encoder), text_encoder, prompts)


def _readers(text_encoder: TextEncoder) -> list[Reader]:
    if complaint := families.of(text_encoder.family).text_complaint(text_encoder):
        raise ValueError(complaint)
    readers = (pool.reader(encoder, text_encoder.loras) for encoder in text_encoder.encoders)
    return [
        reader._replace(taught=embeddings.taught(text_encoder, encoder))
        for reader, encoder in zip(readers, text_encoder.encoders, strict=True)
    ]

"""The vectors of embeddings for one encoder. Textual inversion: Gal et al. 2022 (arXiv:2208.01618)."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from nodes.backend import checkpoints, embedding_file
from nodes.backend.untyped import load_file
from nodes.types import Network, TextEncoder


def taught(text_encoder: TextEncoder, network: Network) -> dict[str, Tensor | None]:
    """By what stands for them in a prompt: [vectors, width], on the CPU; None where a file has none for the network."""
    found: dict[str, Tensor | None] = {}
    for embedding in text_encoder.embeddings:
        tensors = load_file(Path(embedding.weights.path))
        embedding.weights.check_unchanged()
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        names = embedding_file.read(Path(embedding.weights.path), shapes, checkpoints.readers(text_encoder))
        vectors = tensors[names[network.role]] if network.role in names else None
        if vectors is not None:
            vectors = vectors.reshape(-1, vectors.shape[-1])
        found |= dict.fromkeys(filter(None, (embedding.name, embedding_file.token(shapes))), vectors)
    return found

"""Words taught later, as diffusers teaches them."""

from __future__ import annotations

from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from tools.oracle.asking import TOKEN
from tools.oracle.files import Files
from tools.oracle.rows import Row

_PARTS = {"emb_params": "", "clip_l": "", "clip_g": "_2"}
"""What the parts of a pipeline end with that read the vectors of this name."""


def teach(row: Row, pipeline: Any, files: Files) -> None:
    for name, tensor in safetensors.torch.load_file(files.embedding(row)).items():
        tokenizer, encoder = (getattr(pipeline, part + _PARTS[name]) for part in ("tokenizer", "text_encoder"))
        if hasattr(pipeline, "load_textual_inversion"):
            pipeline.load_textual_inversion(tensor, token=TOKEN, text_encoder=encoder, tokenizer=tokenizer)
        else:
            _teach(tokenizer, encoder, tensor)


def _teach(tokenizer: Any, encoder: Any, vectors: Tensor) -> None:
    """By hand, for pipelines that have no function for it: a token for each vector."""
    tokenizer.add_tokens(written(len(vectors)).split())
    encoder.resize_token_embeddings(len(tokenizer))
    with torch.no_grad():
        encoder.get_input_embeddings().weight[-len(vectors) :] = vectors


def written(count: int = 2) -> str:
    """The tokens of so many vectors, as a prompt names them."""
    return " ".join([TOKEN, *(f"{TOKEN}_{number}" for number in range(1, count))])

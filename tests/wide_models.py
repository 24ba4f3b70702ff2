"""Small models whose layers have 256 inputs, as many as some layouts of quantised files keep together."""

from __future__ import annotations

from pathlib import Path

from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel
from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel
from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel

from tests import tiny_models, tiny_modern, tiny_variants


def build_wide(path: Path, seed: int = 0) -> Path:
    """Z-Image, with settings beside."""
    tiny_modern.build_z_image(path, seed)
    transformer = tiny_models._create(
        lambda: ZImageTransformer2DModel(
            dim=256,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=4,
            n_kv_heads=4,
            cap_feat_dim=tiny_modern.TEXT_WIDTH,
            axes_dims=[16, 24, 24],
            axes_lens=[1536, 512, 512],
        ),
        seed,
        "transformer",
    )
    transformer.save_pretrained(path / "transformer")
    return path


def build_wide_qwen(path: Path, seed: int = 0) -> Path:
    """Qwen-Image."""
    tiny_modern.build_qwen_image(path, seed)
    transformer = tiny_models._create(
        lambda: QwenImageTransformer2DModel(
            num_layers=2,
            attention_head_dim=32,
            num_attention_heads=8,
            joint_attention_dim=tiny_modern.TEXT_WIDTH,
            axes_dims_rope=(8, 12, 12),
        ),
        seed,
        "transformer",
    )
    transformer.save_pretrained(path / "transformer")
    return path


def build_wide_flux2(path: Path, seed: int = 0) -> Path:
    """Flux.2 dev, with a plain tokenizer."""
    tiny_variants.flux2_dev(path)
    transformer = tiny_models._create(
        lambda: Flux2Transformer2DModel(
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=32,
            num_attention_heads=8,
            joint_attention_dim=3 * tiny_modern.TEXT_WIDTH,
            axes_dims_rope=(8, 8, 8, 8),
        ),
        seed,
        "transformer",
    )
    transformer.save_pretrained(path / "transformer")
    return path

"""Tiny diffusion models on disk, for tests that must run without a model hub.

Every ``build_*`` function writes a random-weight model that has the same parts, tensor names and
config fields as a published one, only a few thousand times smaller. The directories use the
diffusers layout, so ``DiffusionPipeline.from_pretrained(path)`` and the per-component
``from_pretrained(path, subfolder=...)`` calls load them like the real thing.

Weights depend on ``seed`` and on the parameter's name alone: the same call always gives the same
files, whatever ran before it, and the global random state is left as it was. No weight is zero, so
a prompt, a ControlNet hint or a LoRA always changes the picture.

    python tiny_models.py OUT_DIR            # build everything
    python tiny_models.py OUT_DIR sd15 sdxl  # build some of it
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    AutoModel,
    ControlNetModel,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    PNDMScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    T2IAdapter,
    UNet2DConditionModel,
    UNet2DModel,
)
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

M = TypeVar("M", bound=nn.Module)
LoraFormat = Literal["diffusers", "kohya"]
EmbeddingFormat = Literal["diffusers", "a1111", "sdxl"]

IMAGE_SIZE = 64
"""Side in pixels of the picture that every latent-space model here makes."""

PIXEL_SIZE = 32
"""Side in pixels of the picture that the unconditional DDPM makes."""

CLIP_L_WIDTH = 32
CLIP_G_WIDTH = 48
CLIP_H_WIDTH = 40
T5_WIDTH = 96
CLIP_CONTEXT = 77
UNET_WIDTHS = (16, 32)
SDXL_UNET_WIDTHS = (16, 32, 32)
NORM_GROUPS = 8

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
WORDS = (  # noqa: SIM905
    "a an the of in on and with photo picture painting drawing portrait landscape cat dog bird fox "
    "horse house castle forest mountain river sea city street night day sunset red green blue gold "
    "silver black white bright dark small large old new wooden glass metal stone astronaut robot "
    "flower tree best quality masterpiece detailed sharp blurry low worst style oil ink watercolor"
).split()

SD_NOISE: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


# ---------------------------------------------------------------------------------------------
# Weights


def _generator(*parts: object) -> torch.Generator:
    """Return a CPU generator whose stream depends on ``parts`` alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:7], "big"))


def _noise(shape: Sequence[int], std: float, *parts: object) -> torch.Tensor:
    """Return normal noise of ``shape`` that depends on ``parts`` alone."""
    return torch.randn(tuple(shape), generator=_generator(*parts)) * std


def randomise(module: M, *parts: object) -> M:
    """Overwrite every parameter of ``module`` with noise that keeps activations near unit size.

    Matrices and kernels get variance ``1 / fan_in``; one-dimensional weights (norms) stay near one
    and biases near zero. Zero-initialised layers, such as a ControlNet's output convolutions, get
    noise too.
    """
    for name, parameter in module.named_parameters():
        name = name.removeprefix("text_model.")
        if parameter.ndim >= 2:
            fan_in = parameter.numel() // parameter.shape[0]
            value = _noise(parameter.shape, 1 / math.sqrt(fan_in), *parts, name)
        else:
            centre = 1.0 if name.endswith("weight") else 0.0
            value = centre + _noise(parameter.shape, 0.02, *parts, name)
        parameter.data.copy_(value)
    module.eval()
    return module


def _create(factory: Callable[[], M], *parts: object) -> M:
    """Make a module and randomise it without touching the global random state."""
    with torch.random.fork_rng(devices=[]):
        module = factory()
    return randomise(module, *parts)


# ---------------------------------------------------------------------------------------------
# Tokenizers


def _byte_symbols() -> list[str]:
    """Return CLIP's 256 single-byte symbols in vocabulary order (``!`` is number 0)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def _merge(symbols: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Apply byte-pair merges to ``symbols``, best rank first, until none fits."""
    while True:
        pairs = list(pairwise(symbols))
        known = [pair for pair in pairs if pair in ranks]
        if not known:
            return symbols
        best = min(known, key=ranks.__getitem__)
        at = pairs.index(best)
        symbols = [*symbols[:at], "".join(best), *symbols[at + 2 :]]


def _clip_vocabulary(words: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return ``vocab, merges`` in which every one of ``words`` is a single token."""
    symbols = _byte_symbols()
    tokens = symbols + [symbol + "</w>" for symbol in symbols]
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = _merge([*word[:-1], word[-1] + "</w>"], ranks)
        while len(pieces) > 1:
            pair = (pieces[0], pieces[1])
            ranks[pair] = len(ranks)
            tokens.append("".join(pair))
            pieces = ["".join(pair), *pieces[2:]]
    tokens += [BOS, EOS]
    return {token: number for number, token in enumerate(tokens)}, list(ranks)


CLIP_VOCABULARY, CLIP_MERGES = _clip_vocabulary(WORDS)


def write_clip_tokenizer(path: Path, pad_token: str = EOS) -> Path:
    """Write a CLIP tokenizer directory: the four files that published SD repositories have.

    SD 1.x and the first SDXL and Flux tokenizers pad with the end token; SD 2.x and the second
    SDXL and SD3 tokenizers pad with ``!``.
    """
    path.mkdir(parents=True, exist_ok=True)
    special = {"bos_token": BOS, "eos_token": EOS, "unk_token": EOS, "pad_token": pad_token}
    config = {
        **special,
        "add_prefix_space": False,
        "do_lower_case": True,
        "model_max_length": CLIP_CONTEXT,
        "tokenizer_class": "CLIPTokenizer",
    }
    merges = ["#version: 0.2", *(" ".join(pair) for pair in CLIP_MERGES)]
    (path / "vocab.json").write_text(json.dumps(CLIP_VOCABULARY, ensure_ascii=False), "utf-8")
    (path / "merges.txt").write_text("\n".join(merges) + "\n", "utf-8")
    (path / "special_tokens_map.json").write_text(json.dumps(special, indent=2), "utf-8")
    (path / "tokenizer_config.json").write_text(json.dumps(config, indent=2), "utf-8")
    return path


def clip_tokenizer(pad_token: str = EOS) -> CLIPTokenizer:
    """Return the tokenizer that :func:`write_clip_tokenizer` writes."""
    return CLIPTokenizer(
        vocab=dict(CLIP_VOCABULARY),
        merges=list(CLIP_MERGES),
        pad_token=pad_token,
        model_max_length=CLIP_CONTEXT,
    )


def t5_tokenizer(max_length: int = 512) -> T5TokenizerFast:
    """Return a T5 unigram tokenizer: whole known words first, single characters for the rest."""
    characters = [chr(code) for code in range(0x21, 0x7F)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces += [("▁" + word, -1.0 - 0.01 * rank) for rank, word in enumerate(WORDS)]
    pieces += [(character, -5.0 - 0.01 * rank) for rank, character in enumerate(characters)]
    return T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=max_length)


# ---------------------------------------------------------------------------------------------
# Components


def _clip_text(width: int, seed: int, label: str, *, projected: bool, activation: str) -> PreTrainedModel:
    """Return a CLIP text encoder, with the pooled projection when ``projected``."""
    config = CLIPTextConfig(
        vocab_size=len(CLIP_VOCABULARY),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=CLIP_CONTEXT,
        hidden_act=activation,
        bos_token_id=CLIP_VOCABULARY[BOS],
        eos_token_id=CLIP_VOCABULARY[EOS],
        pad_token_id=CLIP_VOCABULARY[EOS],
    )
    model_class = CLIPTextModelWithProjection if projected else CLIPTextModel
    return _create(lambda: model_class(config), seed, label)


def _t5_encoder(seed: int, label: str) -> T5EncoderModel:
    """Return a gated-GELU T5 encoder, the T5 v1.1 flavour that SD3, Flux and PixArt use."""
    config = T5Config(
        vocab_size=len(t5_tokenizer()),
        d_model=T5_WIDTH,
        d_kv=16,
        d_ff=2 * T5_WIDTH,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return _create(lambda: T5EncoderModel(config), seed, label)


def _vae(seed: int, *, latent_channels: int = 4, quantised: bool = True, **config: Any) -> AutoencoderKL:
    """Return a KL autoencoder with the usual factor of 8 between pixels and latents."""
    return _create(
        lambda: AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 16, 16),
            layers_per_block=1,
            norm_num_groups=NORM_GROUPS,
            sample_size=IMAGE_SIZE,
            latent_channels=latent_channels,
            use_quant_conv=quantised,
            use_post_quant_conv=quantised,
            **config,
        ),
        seed,
        "vae",
    )


def _sd_unet(seed: int, **config: Any) -> UNet2DConditionModel:
    """Return a UNet with the first and the last block of SD 1.x's plan; ``config`` overrides single fields.

    The two blocks between them are like the first: with them, every question to the network takes 2.4 times as long.
    """
    settings = {
        "sample_size": IMAGE_SIZE // 8,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "block_out_channels": UNET_WIDTHS,
        "layers_per_block": 2,
        "norm_num_groups": NORM_GROUPS,
        "attention_head_dim": 4,
        "cross_attention_dim": CLIP_L_WIDTH,
        **config,
    }
    return _create(lambda: UNet2DConditionModel(**settings), seed, "unet")


def _sd21_unet(seed: int) -> UNet2DConditionModel:
    return _sd_unet(seed, cross_attention_dim=CLIP_H_WIDTH, attention_head_dim=(2, 4), use_linear_projection=True)


def _sdxl_unet(seed: int, *, context: int, time_ids: int) -> UNet2DConditionModel:
    """Return a UNet with the block plan of SDXL and ``time_ids`` size conditions."""
    time_width = 8
    return _create(
        lambda: UNet2DConditionModel(
            sample_size=IMAGE_SIZE // 8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=SDXL_UNET_WIDTHS,
            layers_per_block=2,
            norm_num_groups=NORM_GROUPS,
            attention_head_dim=(2, 4, 4),
            transformer_layers_per_block=(1, 2, 2),
            cross_attention_dim=context,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=time_width,
            projection_class_embeddings_input_dim=CLIP_G_WIDTH + time_ids * time_width,
        ),
        seed,
        "unet",
    )


def _flow_scheduler(**config: Any) -> FlowMatchEulerDiscreteScheduler:
    """Return the flow-matching scheduler that SD3 and Flux ship with."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0, **config)


def _xl_text_parts(seed: int) -> dict[str, Any]:
    """Return SDXL's two tokenizers and two text encoders."""
    return {
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": clip_tokenizer("!"),
        "text_encoder": _clip_text(CLIP_L_WIDTH, seed, "text_encoder", projected=False, activation="quick_gelu"),
        "text_encoder_2": _clip_text(CLIP_G_WIDTH, seed, "text_encoder_2", projected=True, activation="gelu"),
    }


def _finish(pipeline: DiffusionPipeline, path: Path, pad_tokens: dict[str, str]) -> Path:
    """Save ``pipeline`` with the file names and tensor names that published repositories have.

    Transformers 5 writes other ones: ``tokenizer.json`` in place of CLIP's vocabulary files, and a
    ``CLIPTextModel`` without ``text_model.`` before its tensor names.
    """
    pipeline.save_pretrained(path)
    for name, pad_token in pad_tokens.items():
        (path / name / "tokenizer.json").unlink(missing_ok=True)
        write_clip_tokenizer(path / name, pad_token)
    for name, component in pipeline.components.items():
        if isinstance(component, CLIPTextModel):
            weights = path / name / "model.safetensors"
            tensors = {
                "text_model." + key.removeprefix("text_model."): value for key, value in load_file(weights).items()
            }
            save_file(tensors, weights, metadata={"format": "pt"})
    return path


# ---------------------------------------------------------------------------------------------
# Pipelines


def build_sd15(path: Path, seed: int = 0) -> Path:
    """Write a Stable Diffusion 1.x pipeline (epsilon prediction, PNDM)."""
    pipeline = StableDiffusionPipeline(
        vae=_vae(seed, scaling_factor=0.18215),
        text_encoder=_clip_text(CLIP_L_WIDTH, seed, "text_encoder", projected=False, activation="quick_gelu"),
        tokenizer=clip_tokenizer(),
        unet=_sd_unet(seed),
        scheduler=PNDMScheduler(**SD_NOISE, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _finish(pipeline, path, {"tokenizer": EOS})


def build_sd15_inpaint(path: Path, seed: int = 0) -> Path:
    """Write an SD 1.x inpainting pipeline, whose UNet takes nine channels."""
    pipeline = StableDiffusionInpaintPipeline(
        vae=_vae(seed, scaling_factor=0.18215),
        text_encoder=_clip_text(CLIP_L_WIDTH, seed, "text_encoder", projected=False, activation="quick_gelu"),
        tokenizer=clip_tokenizer(),
        unet=_sd_unet(seed, in_channels=9),
        scheduler=PNDMScheduler(**SD_NOISE, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _finish(pipeline, path, {"tokenizer": EOS})


def build_sd21(path: Path, seed: int = 0) -> Path:
    """Write an SD 2.x pipeline: OpenCLIP text encoder, linear projections, velocity prediction."""
    pipeline = StableDiffusionPipeline(
        vae=_vae(seed, scaling_factor=0.18215),
        text_encoder=_clip_text(CLIP_H_WIDTH, seed, "text_encoder", projected=False, activation="gelu"),
        tokenizer=clip_tokenizer("!"),
        unet=_sd21_unet(seed),
        scheduler=DDIMScheduler(
            **SD_NOISE,
            prediction_type="v_prediction",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _finish(pipeline, path, {"tokenizer": "!"})


def build_sdxl(path: Path, seed: int = 0) -> Path:
    """Write an SDXL base pipeline: two text encoders, pooled text and six size conditions."""
    pipeline = StableDiffusionXLPipeline(
        vae=_vae(seed, scaling_factor=0.13025),
        **_xl_text_parts(seed),
        unet=_sdxl_unet(seed, context=CLIP_L_WIDTH + CLIP_G_WIDTH, time_ids=6),
        scheduler=EulerDiscreteScheduler(**SD_NOISE, steps_offset=1, timestep_spacing="leading"),
        add_watermarker=False,
    )
    return _finish(pipeline, path, {"tokenizer": EOS, "tokenizer_2": "!"})


def build_sdxl_refiner(path: Path, seed: int = 0) -> Path:
    """Write an SDXL refiner: the second text encoder only, and an aesthetic score."""
    parts = _xl_text_parts(seed)
    pipeline = StableDiffusionXLImg2ImgPipeline(
        vae=_vae(seed, scaling_factor=0.13025),
        tokenizer=None,
        tokenizer_2=parts["tokenizer_2"],
        text_encoder=None,
        text_encoder_2=parts["text_encoder_2"],
        unet=_sdxl_unet(seed, context=CLIP_G_WIDTH, time_ids=5),
        scheduler=EulerDiscreteScheduler(**SD_NOISE, steps_offset=1, timestep_spacing="leading"),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    return _finish(pipeline, path, {"tokenizer_2": "!"})


def build_sd3(path: Path, seed: int = 0) -> Path:
    """Write an SD 3.5 pipeline: MMDiT with QK norm and dual attention, two CLIPs and T5.

    As in the published model, the first CLIP's projection is the identity: original-format files
    leave it out.
    """
    first_encoder = _clip_text(CLIP_L_WIDTH, seed, "text_encoder", projected=True, activation="quick_gelu")
    first_encoder.text_projection.weight.data = torch.eye(CLIP_L_WIDTH)
    pipeline = StableDiffusion3Pipeline(
        vae=_vae(seed, latent_channels=16, quantised=False, scaling_factor=1.5305, shift_factor=0.0609),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer("!"),
        tokenizer_3=t5_tokenizer(),
        text_encoder=first_encoder,
        text_encoder_2=_clip_text(CLIP_G_WIDTH, seed, "text_encoder_2", projected=True, activation="gelu"),
        text_encoder_3=_t5_encoder(seed, "text_encoder_3"),
        transformer=_create(
            lambda: SD3Transformer2DModel(
                sample_size=IMAGE_SIZE // 8,
                patch_size=2,
                in_channels=16,
                out_channels=16,
                num_layers=3,
                attention_head_dim=16,
                num_attention_heads=2,
                caption_projection_dim=32,
                joint_attention_dim=T5_WIDTH,
                pooled_projection_dim=CLIP_L_WIDTH + CLIP_G_WIDTH,
                pos_embed_max_size=16,
                dual_attention_layers=(0,),
                qk_norm="rms_norm",
            ),
            seed,
            "transformer",
        ),
        scheduler=_flow_scheduler(),
    )
    return _finish(pipeline, path, {"tokenizer": EOS, "tokenizer_2": "!"})


def build_flux(path: Path, seed: int = 0, *, distilled_guidance: bool = True) -> Path:
    """Write a Flux.1 pipeline: packed latents, CLIP pooled text and T5 tokens.

    ``distilled_guidance`` gives the guidance embedding and timestep shift of Flux-dev; without it
    the model is like Flux-schnell.
    """
    if distilled_guidance:
        scheduler = _flow_scheduler(use_dynamic_shifting=True)
    else:
        scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0)
    pipeline = FluxPipeline(
        vae=_vae(seed, latent_channels=16, quantised=False, scaling_factor=0.3611, shift_factor=0.1159),
        tokenizer=clip_tokenizer(),
        tokenizer_2=t5_tokenizer(),
        text_encoder=_clip_text(CLIP_L_WIDTH, seed, "text_encoder", projected=False, activation="quick_gelu"),
        text_encoder_2=_t5_encoder(seed, "text_encoder_2"),
        transformer=_create(
            lambda: FluxTransformer2DModel(
                patch_size=1,
                in_channels=64,
                num_layers=2,
                num_single_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=T5_WIDTH,
                pooled_projection_dim=CLIP_L_WIDTH,
                guidance_embeds=distilled_guidance,
                axes_dims_rope=(4, 6, 6),
            ),
            seed,
            "transformer",
        ),
        scheduler=scheduler,
    )
    return _finish(pipeline, path, {"tokenizer": EOS})


def build_pixart_sigma(path: Path, seed: int = 0) -> Path:
    """Write a PixArt-Sigma pipeline: T5 only, a DiT that predicts noise and variance."""
    pipeline = PixArtSigmaPipeline(
        vae=_vae(seed, scaling_factor=0.13025),
        tokenizer=t5_tokenizer(),
        text_encoder=_t5_encoder(seed, "text_encoder"),
        transformer=_create(
            lambda: PixArtTransformer2DModel(
                num_attention_heads=2,
                attention_head_dim=16,
                cross_attention_dim=32,
                in_channels=4,
                out_channels=8,
                num_layers=2,
                sample_size=IMAGE_SIZE // 8,
                caption_channels=T5_WIDTH,
                use_additional_conditions=False,
            ),
            seed,
            "transformer",
        ),
        scheduler=DPMSolverMultistepScheduler(beta_start=0.0001, beta_end=0.02),
    )
    return _finish(pipeline, path, {})


def build_ddpm(path: Path, seed: int = 0) -> Path:
    """Write an unconditional pixel-space DDPM."""
    unet = _create(
        lambda: UNet2DModel(
            sample_size=PIXEL_SIZE,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(16, 32, 32),
            layers_per_block=1,
            norm_num_groups=NORM_GROUPS,
        ),
        seed,
        "unet",
    )
    return _finish(DDPMPipeline(unet=unet, scheduler=DDPMScheduler()), path, {})


# ---------------------------------------------------------------------------------------------
# Add-ons: each fits the base model of the same family


def build_controlnet_sd15(path: Path, seed: int = 0) -> Path:
    """Write a ControlNet for the model of :func:`build_sd15`."""
    return _build_controlnet(path, seed, _sd_unet(seed))


def build_controlnet_sd21(path: Path, seed: int = 0) -> Path:
    """Write a ControlNet for the model of :func:`build_sd21`."""
    return _build_controlnet(path, seed, _sd21_unet(seed))


def build_controlnet_sdxl(path: Path, seed: int = 0) -> Path:
    """Write a ControlNet for the model of :func:`build_sdxl`."""
    return _build_controlnet(path, seed, _sdxl_unet(seed, context=CLIP_L_WIDTH + CLIP_G_WIDTH, time_ids=6))


def _build_controlnet(path: Path, seed: int, unet: UNet2DConditionModel) -> Path:
    model = _create(
        lambda: ControlNetModel.from_unet(
            unet,
            conditioning_embedding_out_channels=(8, 8, 16, 16),
            load_weights_from_unet=False,
        ),
        seed,
        "controlnet",
    )
    model.save_pretrained(path)
    return path


def build_t2i_adapter_sd15(path: Path, seed: int = 0) -> Path:
    """Write a T2I-Adapter for the model of :func:`build_sd15`."""
    model = _create(
        lambda: T2IAdapter(
            in_channels=3,
            channels=list(UNET_WIDTHS),
            num_res_blocks=1,
            downscale_factor=8,
            adapter_type="full_adapter",
        ),
        seed,
        "t2i_adapter",
    )
    model.save_pretrained(path)
    return path


def build_ip_adapter_sd15(path: Path, seed: int = 0, *, tokens: int = 4) -> Path:
    """Write an IP-Adapter folder for the model of :func:`build_sd15`.

    It has ``models/ip-adapter_sd15.safetensors`` and ``models/image_encoder``, as the published
    repository has, so ``pipe.load_ip_adapter(path, subfolder="models", weight_name=...)`` works.
    """
    width = CLIP_L_WIDTH
    encoder = _create(
        lambda: CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=32,
                intermediate_size=64,
                projection_dim=width,
                num_hidden_layers=3,
                num_attention_heads=4,
                image_size=32,
                patch_size=8,
            )
        ),
        seed,
        "image_encoder",
    )
    encoder.save_pretrained(path / "models" / "image_encoder")
    square = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=square).save_pretrained(
        path / "models" / "image_encoder"
    )

    tensors = {
        "image_proj.proj.weight": _noise((tokens * width, width), width**-0.5, seed, "proj.weight"),
        "image_proj.proj.bias": _noise((tokens * width,), 0.02, seed, "proj.bias"),
        "image_proj.norm.weight": 1 + _noise((width,), 0.02, seed, "norm.weight"),
        "image_proj.norm.bias": _noise((width,), 0.02, seed, "norm.bias"),
    }
    unet = _sd_unet(seed)
    cross = [name for name in unet.attn_processors if ".attn2." in name]
    for number, name in enumerate(cross):
        inner = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
        for kind in ("to_k_ip", "to_v_ip"):
            key = f"ip_adapter.{2 * number + 1}.{kind}.weight"
            tensors[key] = _noise((inner, width), width**-0.5, seed, key)
    save_file(tensors, path / "models" / "ip-adapter_sd15.safetensors")
    return path


def build_tiny_vae(path: Path, seed: int = 0, *, latent_channels: int = 4) -> Path:
    """Write a preview decoder (the TAESD architecture) for 4- or 16-channel latents."""
    model = _create(
        lambda: AutoencoderTiny(
            encoder_block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8),
            latent_channels=latent_channels,
        ),
        seed,
        "tiny_vae",
    )
    model.save_pretrained(path)
    return path


# ---------------------------------------------------------------------------------------------
# LoRA and textual inversion

_ATTENTION_LAYERS = ("to_q", "to_k", "to_v", "to_out.0")
LORA_LAYERS: dict[str, tuple[str, ...]] = {
    "unet": (*_ATTENTION_LAYERS, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"),
    "transformer": (*_ATTENTION_LAYERS, "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"),
    "text": ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"),
}
"""Ends of the names of the layers that a LoRA file covers, by kind of component."""


def _lora_pair(layer: nn.Module, rank: int, *parts: object) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random down and up factors for ``layer``."""
    tail = (1, 1) if isinstance(layer, nn.Conv2d) else ()
    fan_in, fan_out = layer.weight.shape[1], layer.weight.shape[0]
    down = _noise((rank, fan_in, *tail), fan_in**-0.5, *parts, "down")
    up = _noise((fan_out, rank, *tail), 0.5 * rank**-0.5, *parts, "up")
    return down, up


def _lora_layers(pipeline_dir: Path, components: Iterable[str]) -> Iterator[tuple[str, str, nn.Module]]:
    """Yield ``component, name, layer`` for each layer that LoRA trainers usually adapt."""
    for component in components:
        model = AutoModel.from_pretrained(str(pipeline_dir), subfolder=component)
        suffixes = LORA_LAYERS["text" if component.startswith("text_encoder") else component]
        for name, layer in model.named_modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)) and name.endswith(suffixes):
                if component.startswith("text_encoder"):
                    name = "text_model." + name.removeprefix("text_model.")
                yield component, name, layer


def _original_attention_name(name: str, layers_per_block: int = 2) -> str:
    """Rename a layer inside a UNet attention block to its name in the original code."""
    kind, *rest = name.split(".")
    if kind == "mid_block":
        _attentions, _index, *inner = rest
        return ".".join(["middle_block", "1", *inner])
    block, _attentions, index, *inner = rest
    number = int(block) * (layers_per_block + 1) + int(index)
    if kind == "down_blocks":
        return ".".join(["input_blocks", str(number + 1), "1", *inner])
    return ".".join(["output_blocks", str(number), "1", *inner])


def _kohya_name(component: str, name: str, *, is_xl: bool) -> str:
    """Return the key stem that kohya's trainer gives to a layer."""
    if component == "unet":
        stem = "lora_unet_" + (_original_attention_name(name) if is_xl else name)
    else:
        number = {"text_encoder": "1", "text_encoder_2": "2"}[component] if is_xl else ""
        stem = f"lora_te{number}_{name}"
    return stem.replace(".", "_")


def build_lora(
    path: Path,
    pipeline_dir: Path,
    *,
    key_format: LoraFormat = "diffusers",
    rank: int = 4,
    alpha: float = 2.0,
    text_encoders: bool = True,
    seed: int = 0,
) -> Path:
    """Write a LoRA file for the pipeline in ``pipeline_dir``.

    SD 1.x, SD 2.x and SDXL files cover the UNet and, unless told otherwise, the text encoders; SD3
    and Flux files cover the transformer and exist in the diffusers format only.

    Both formats hold the same update for the same ``seed``: kohya's files store ``alpha`` beside
    each pair, the diffusers files have ``alpha / rank`` multiplied into the up factor. kohya's SDXL
    files name UNet layers as the original code does.
    """
    is_xl = (pipeline_dir / "text_encoder_2").is_dir()
    if (pipeline_dir / "transformer").is_dir():
        if key_format == "kohya":
            raise ValueError("only UNet models have LoRA files in the kohya format here")
        components = ["transformer"]
    else:
        components = ["unet"]
        if text_encoders:
            components += ["text_encoder", "text_encoder_2"] if is_xl else ["text_encoder"]

    tensors: dict[str, torch.Tensor] = {}
    for component, name, layer in _lora_layers(pipeline_dir, components):
        down, up = _lora_pair(layer, rank, seed, component, name)
        if key_format == "kohya":
            stem = _kohya_name(component, name, is_xl=is_xl)
            tensors[f"{stem}.lora_down.weight"] = down
            tensors[f"{stem}.lora_up.weight"] = up
            tensors[f"{stem}.alpha"] = torch.tensor(float(alpha))
        else:
            tensors[f"{component}.{name}.lora_A.weight"] = down
            tensors[f"{component}.{name}.lora_B.weight"] = up * (alpha / rank)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
    return path


def build_textual_inversion(
    path: Path,
    *,
    key_format: EmbeddingFormat = "diffusers",
    token: str = "<tiny-style>",
    vectors: int = 2,
    seed: int = 0,
) -> Path:
    """Write a textual-inversion embedding of ``vectors`` tokens.

    ``diffusers`` keys the tensor by its token, ``a1111`` by ``emb_params``; ``sdxl`` holds one
    tensor for each of SDXL's encoders.
    """

    def embedding(width: int) -> torch.Tensor:
        return _noise((vectors, width), width**-0.5, seed, token, width)

    tensors = {
        "diffusers": lambda: {token: embedding(CLIP_L_WIDTH)},
        "a1111": lambda: {"emb_params": embedding(CLIP_L_WIDTH)},
        "sdxl": lambda: {"clip_l": embedding(CLIP_L_WIDTH), "clip_g": embedding(CLIP_G_WIDTH)},
    }[key_format]()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


# ---------------------------------------------------------------------------------------------
# Everything at once

PIPELINES: dict[str, Callable[..., Path]] = {
    "sd15": build_sd15,
    "sd15_inpaint": build_sd15_inpaint,
    "sd21": build_sd21,
    "sdxl": build_sdxl,
    "sdxl_refiner": build_sdxl_refiner,
    "sd3": build_sd3,
    "flux": build_flux,
    "pixart_sigma": build_pixart_sigma,
    "ddpm": build_ddpm,
}

ADD_ONS: dict[str, Callable[..., Path]] = {
    "controlnet_sd15": build_controlnet_sd15,
    "controlnet_sdxl": build_controlnet_sdxl,
    "t2i_adapter_sd15": build_t2i_adapter_sd15,
    "ip_adapter_sd15": build_ip_adapter_sd15,
    "tiny_vae": build_tiny_vae,
}


def build_files(root: Path, seed: int = 0) -> list[Path]:
    """Write LoRA and embedding files beside the pipelines that :func:`build_all` wrote."""
    loras: list[tuple[str, LoraFormat]] = [
        ("sd15", "diffusers"),
        ("sd15", "kohya"),
        ("sdxl", "diffusers"),
        ("sdxl", "kohya"),
        ("sd3", "diffusers"),
        ("flux", "diffusers"),
    ]
    embeddings: list[EmbeddingFormat] = ["diffusers", "a1111", "sdxl"]
    return [
        build_lora(
            root / "loras" / f"{base}_{key_format}.safetensors",
            root / base,
            key_format=key_format,
            seed=seed,
        )
        for base, key_format in loras
    ] + [
        build_textual_inversion(
            root / "embeddings" / f"style_{key_format}.safetensors",
            key_format=key_format,
            seed=seed,
        )
        for key_format in embeddings
    ]


def build_all(root: Path, seed: int = 0) -> dict[str, Path]:
    """Write every model and file into ``root`` and return their places by name."""
    built = {name: build(root / name, seed) for name, build in {**PIPELINES, **ADD_ONS}.items()}
    built.update({f"{path.parent.name}/{path.stem}": path for path in build_files(root, seed)})
    return built


def main() -> None:
    """Build the models named on the command line, or all of them."""
    builders = {**PIPELINES, **ADD_ONS}
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(builders))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(builders):
        parser.error(f"unknown model: {', '.join(sorted(unknown))}")
    if not arguments.names:
        build_all(arguments.root, arguments.seed)
    for name in arguments.names:
        builders[name](arguments.root / name, arguments.seed)


if __name__ == "__main__":
    main()

"""Tiny checkpoints of the newer model families, for tests that must run without a model hub.

A companion of ``tiny_models.py``: every ``build_*`` function writes a random-weight model with the
parts, tensor names, file layout and config fields of a published one (diffusers folders), only a
few thousand times smaller.

============  ==============================================  =======================================
name          pipeline of diffusers                           text encoder
============  ==============================================  =======================================
z_image       ZImagePipeline (Turbo)                          Qwen3
qwen_image    QwenImagePipeline                               Qwen2.5-VL
qwen_edit     QwenImageEditPlusPipeline (2509)                Qwen2.5-VL with its vision tower
qwen_edit_11  QwenImageEditPlusPipeline (2511, zero_cond_t)   Qwen2.5-VL with its vision tower
qwen_21       QwenImage21Pipeline                             Qwen3-VL with its vision tower
qwen_21_turbo QwenImage21Pipeline (own sigmas)                Qwen3-VL with its vision tower
klein         Flux2KleinPipeline (4 steps, distilled)         Qwen3, 28 of its layers
klein_base    Flux2KleinPipeline (classifier-free guidance)   Qwen3, 28 of its layers
flux2_dev     Flux2Pipeline (guidance embedding)              Mistral 3, 31 of its layers
krea2         Krea2Pipeline (Raw)                             Qwen3-VL, all 36 layers
krea2_turbo   Krea2Pipeline (Turbo)                           Qwen3-VL, all 36 layers
============  ==============================================  =======================================

The tokenizers are real byte-level BPE ones of a few hundred tokens. Their merges make every word of
the pipelines' fixed prompt templates one token, as in the published vocabularies, because the
pipelines cut the template off by a fixed number of tokens (34 and 64).

Weights depend on ``seed`` and on the parameter's name alone; the global random state is left alone.
Nothing here needs torchvision, though ``qwen_edit*`` and ``qwen_21*`` need it to load the pipeline:
transformers builds no Qwen-VL processor without it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    AutoencoderKLQwenImage21,
    FlowMatchEulerDiscreteScheduler,
    Flux2Transformer2DModel,
    Krea2Transformer2DModel,
    QwenImage21Transformer2DModel,
    QwenImageControlNetModel,
    QwenImageTransformer2DModel,
    ZImageControlNetModel,
    ZImageTransformer2DModel,
)
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import nn
from transformers import (
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLModel,
)

M = TypeVar("M", bound=nn.Module)
Parts = dict[str, tuple[str, str]]

IMAGE_SIZE = 64
"""Side in pixels of the picture that every model here makes."""

TEXT_WIDTH = 32
"""Width of every text encoder."""

HEAD = 16
"""Channels of every attention head; its rotary axes are ROPE_AXES."""

ROPE_AXES = (4, 6, 6)
NORM_GROUPS = 8

WORDS = (  # noqa: SIM905
    "a an the of in on and with photo picture painting drawing portrait landscape cat dog bird fox "
    "horse house castle forest mountain river sea city street night day sunset red green blue gold "
    "silver black white bright dark small large old new wooden glass metal stone astronaut robot "
    "flower tree best quality masterpiece detailed sharp blurry low worst style oil ink watercolor"
).split()

# ---------------------------------------------------------------------------------------------
# Weights


def _generator(*parts: object) -> torch.Generator:
    """Return a CPU generator whose stream depends on ``parts`` alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:7], "big"))


def _noise(shape: Sequence[int], std: float, *parts: object) -> torch.Tensor:
    """Return normal noise of ``shape`` that depends on ``parts`` alone."""
    return torch.randn(tuple(shape), generator=_generator(*parts)) * std


TEXT_GAIN = {"add_v_proj.weight": 4.0}
"""Names of weights that are that much larger, so that a prompt shows beside many picture tokens."""

_ZERO_CENTRED = ("Krea2RMSNorm", "QwenImage21ZeroCenterRMSNorm")
"""Norms whose stored weight is the scale minus one."""


def randomise(module: M, *parts: object) -> M:
    """Overwrite the weights of ``module`` with noise that keeps activations near unit size.

    Matrices and kernels get variance ``1 / fan_in``; the scales of norms stay near one and biases
    near zero. Pad tokens and zero-initialised layers get noise too, and so do the running
    statistics of a batch norm, which Flux.2 keeps its latent scale in.
    """
    centred = {f"{name}.weight" for name, part in module.named_modules() if type(part).__name__ in _ZERO_CENTRED}
    for name, parameter in module.named_parameters():
        is_scale = name.endswith("gamma") or (parameter.ndim == 1 and name.endswith("weight"))
        if is_scale or parameter.ndim == 1:
            centre = 1.0 if is_scale and name not in centred else 0.0
            value = centre + _noise(parameter.shape, 0.02, *parts, name)
        else:
            fan_in = parameter.numel() // parameter.shape[0]
            gain = next((gain for end, gain in TEXT_GAIN.items() if name.endswith(end)), 1.0)
            value = _noise(parameter.shape, gain / math.sqrt(fan_in), *parts, name)
        parameter.data.copy_(value)
    for name, part in module.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.copy_(_noise(part.running_mean.shape, 0.1, *parts, name, "mean"))
            part.running_var.copy_(_noise(part.running_var.shape, 0.2, *parts, name, "var").exp())
    module.eval()
    return module


def _create(factory: Callable[[], M], *parts: object) -> M:
    """Make a module and randomise it without touching the global random state."""
    with torch.random.fork_rng(devices=[]):
        module = factory()
    return randomise(module, *parts)


# ---------------------------------------------------------------------------------------------
# Tokenizers

QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE_TEXTS = (
    "system\nuser\nassistant\n",
    "Describe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:",
    "Describe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. "
    "Generate a new image that meets the user's requirements while maintaining consistency with "
    "the original input where appropriate.",
    "Comprehend and analyze the provided prompt.",
    "Picture 1: Picture 2: <image1> <image2>",
    "\n\n",
)
"""The fixed parts of the prompts that the Qwen-based pipelines make."""

MISTRAL_TEXTS = (
    "You are an AI that reasons about image descriptions. You give structured responses focusing "
    "on object relationships, object\nattribution and actions without speculation.",
)

QWEN_SPECIAL = (  # noqa: SIM905
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> "
    "<|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> "
    "<|image_pad|> <|video_pad|>"
).split()
QWEN_ADDED = (  # noqa: SIM905
    "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> "
    "<|repo_name|> <|file_sep|> <tool_response> </tool_response> <think> </think>"
).split()
"""Added tokens of Qwen 3, in the order of their numbers; these twelve are not special."""

MISTRAL_SPECIAL = (  # noqa: SIM905
    "<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] "
    "[/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] "
    "[SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT]"
).split()

QWEN3_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
QWEN_VL_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for content in message.content %}
            {%- if content.type == 'image' or 'image' in content or 'image_url' in content %}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' }}
            {%- elif 'text' in content %}
                {{- content.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
QWEN25_VL_TEMPLATE = (
    "{%- if messages[0].role != 'system' %}\n"
    "    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}\n"
    "{%- endif %}\n" + QWEN_VL_TEMPLATE
)
"""Qwen 2.5 puts its own system message before a chat that has none; Qwen 3 does not."""

MISTRAL_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {%- set opening = '[SYSTEM_PROMPT]' if message.role == 'system' else '[INST]' %}
    {{- opening }}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for content in message.content %}
            {{- content.text if content.type == 'text' else '[IMG]' }}
        {%- endfor %}
    {%- endif %}
    {{- opening.replace('[', '[/') }}
{%- endfor %}
"""


def _byte_symbols() -> list[str]:
    """Return the 256 single-byte symbols in vocabulary order (``!`` is number 0 in Qwen)."""
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


def _splitter() -> pre_tokenizers.PreTokenizer:
    """Return Qwen's pre-tokenizer: words with their leading space, digits one by one."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _bpe(texts: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return ``tokens, merges`` in which every word of ``texts`` and ``WORDS`` is one token."""
    splitter = _splitter()
    words = [word for text in texts for word, _ in splitter.pre_tokenize_str(text)]
    words += [space + word for word in WORDS for space in ("", "\u0120")]
    tokens = _byte_symbols()
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = _merge(list(word), ranks)
        while len(pieces) > 1:
            pair = (pieces[0], pieces[1])
            ranks[pair] = len(ranks)
            tokens.append("".join(pair))
            pieces = _merge(list(word), ranks)
    return tokens, list(ranks)


QWEN_TOKENS, QWEN_MERGES = _bpe(TEMPLATE_TEXTS)
QWEN_IDS = {token: number for number, token in enumerate([*QWEN_TOKENS, *QWEN_SPECIAL, *QWEN_ADDED])}
MISTRAL_TOKENS, MISTRAL_MERGES = _bpe(MISTRAL_TEXTS)
MISTRAL_IDS = {token: number for number, token in enumerate([*MISTRAL_SPECIAL, *MISTRAL_TOKENS])}


def _rows(ids: dict[str, int]) -> int:
    """Return the rows of an embedding table; as in published models there are more than tokens."""
    return 64 * math.ceil((len(ids) + 1) / 64)


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _save_tokenizer_json(path: Path, vocab: dict[str, int], merges: Any, added: list[AddedToken]) -> None:
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _splitter()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(added)
    tokenizer.save(str(path / "tokenizer.json"))


def write_qwen_tokenizer(path: Path, template: str = QWEN3_TEMPLATE, *, inline: bool = False) -> Path:
    """Write a Qwen tokenizer directory with the files that published repositories have.

    ``inline`` puts the chat template into ``tokenizer_config.json``, as Qwen3's own repository and
    Z-Image do; otherwise it is a file of its own.
    """
    path.mkdir(parents=True, exist_ok=True)
    vocab = {token: QWEN_IDS[token] for token in QWEN_TOKENS}
    added = [AddedToken(token, special=True, normalized=False) for token in QWEN_SPECIAL]
    added += [AddedToken(token, special=False, normalized=False) for token in QWEN_ADDED]
    _save_tokenizer_json(path, vocab, QWEN_MERGES, added)
    _dump(path / "vocab.json", vocab)
    merges = ["#version: 0.2", *(" ".join(pair) for pair in QWEN_MERGES)]
    (path / "merges.txt").write_text("\n".join(merges) + "\n", "utf-8")
    _dump(path / "added_tokens.json", {token.content: QWEN_IDS[token.content] for token in added})
    special = {
        "additional_special_tokens": QWEN_SPECIAL[1:],
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
    }
    _dump(path / "special_tokens_map.json", special)
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(QWEN_IDS[token.content]): {
                "content": token.content,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": token.special,
            }
            for token in added
        },
        **special,
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": 131072,
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    if inline:
        config["chat_template"] = template
    else:
        (path / "chat_template.jinja").write_text(template, "utf-8")
    _dump(path / "tokenizer_config.json", config)
    return path


def write_qwen_processor(path: Path, *, three: bool) -> Path:
    """Write a Qwen-VL processor directory: the tokenizer, the picture and the video settings.

    ``three`` gives Qwen3-VL's (patches of 16, mean and deviation 0.5), otherwise Qwen2.5-VL's
    (patches of 14, CLIP's mean and deviation).
    """
    write_qwen_tokenizer(path, QWEN_VL_TEMPLATE if three else QWEN25_VL_TEMPLATE)
    clip = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
    mean, deviation = ([0.5] * 3, [0.5] * 3) if three else clip
    edges = (65536, 16777216) if three else (3136, 12845056)
    shared = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": mean,
        "image_std": deviation,
        "merge_size": 2,
        "patch_size": 16 if three else 14,
        "processor_class": "Qwen3VLProcessor" if three else "Qwen2_5_VLProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": edges[0], "longest_edge": edges[1]},
        "temporal_patch_size": 2,
    }
    image = {**shared, "image_processor_type": "Qwen2VLImageProcessorFast"}
    video = {**shared, "video_processor_type": f"Qwen{3 if three else 2}VLVideoProcessor"}
    _dump(path / "preprocessor_config.json", image)
    _dump(path / "video_preprocessor_config.json", video)
    return path


def write_mistral_processor(path: Path) -> Path:
    """Write the Pixtral processor that Flux.2 dev keeps in its ``tokenizer`` folder."""
    path.mkdir(parents=True, exist_ok=True)
    added = [AddedToken(token, special=True, normalized=False) for token in MISTRAL_SPECIAL]
    _save_tokenizer_json(path, MISTRAL_IDS, MISTRAL_MERGES, added)
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    _dump(path / "special_tokens_map.json", special)
    config = {
        **special,
        "extra_special_tokens": {"image_token": "[IMG]"},
        "model_max_length": 131072,
        "padding_side": "left",
        "processor_class": "PixtralProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    _dump(path / "tokenizer_config.json", config)
    (path / "chat_template.jinja").write_text(MISTRAL_TEMPLATE, "utf-8")
    image = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "PixtralImageProcessorFast",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "patch_size": 14,
        "processor_class": "PixtralProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": 1540},
    }
    _dump(path / "preprocessor_config.json", image)
    processor = {
        "image_break_token": "[IMG_BREAK]",
        "image_end_token": "[IMG_END]",
        "image_token": "[IMG]",
        "patch_size": 14,
        "processor_class": "PixtralProcessor",
        "spatial_merge_size": 2,
    }
    _dump(path / "processor_config.json", processor)
    return path


# ---------------------------------------------------------------------------------------------
# Text encoders


def _text_config(layers: int, theta: float, **config: Any) -> dict[str, Any]:
    """Return the fields that the Qwen text models share."""
    return {
        "vocab_size": _rows(QWEN_IDS),
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 3 * TEXT_WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "bos_token_id": QWEN_IDS["<|endoftext|>"],
        "eos_token_id": QWEN_IDS["<|im_end|>"],
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        **config,
    }


def _vision_tokens() -> dict[str, int]:
    return {
        "image_token_id": QWEN_IDS["<|image_pad|>"],
        "video_token_id": QWEN_IDS["<|video_pad|>"],
        "vision_start_token_id": QWEN_IDS["<|vision_start|>"],
        "vision_end_token_id": QWEN_IDS["<|vision_end|>"],
    }


def qwen3(seed: int, layers: int) -> Qwen3ForCausalLM:
    """Return a Qwen3 language model with tied embeddings, as the 4B model has."""
    config = Qwen3Config(**_text_config(layers, 1e6, head_dim=HEAD, tie_word_embeddings=True))
    return _create(lambda: Qwen3ForCausalLM(config), seed, "text_encoder")


def qwen25_vl(seed: int, layers: int = 3) -> Qwen2_5_VLForConditionalGeneration:
    """Return a Qwen2.5-VL model with windowed and full attention in its vision tower."""
    text = _text_config(
        layers,
        1e6,
        num_attention_heads=TEXT_WIDTH // HEAD,
        num_key_value_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
    )
    vision = {
        "depth": 4,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": TEXT_WIDTH,
        "fullatt_block_indexes": [1, 3],
        "tokens_per_second": 2,
    }
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **_vision_tokens())
    return _create(lambda: Qwen2_5_VLForConditionalGeneration(config), seed, "text_encoder")


def qwen3_vl(seed: int, layers: int, *, language_head: bool) -> Qwen3VLModel | Qwen3VLForConditionalGeneration:
    """Return a Qwen3-VL model, with the language head that only some pipelines keep."""
    rope = {
        "rope_type": "default",
        "rope_theta": 5e6,
        "mrope_section": [4, 2, 2],
        "mrope_interleaved": True,
    }
    vision = {
        "depth": 4,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": TEXT_WIDTH,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1, 2],
    }
    config = Qwen3VLConfig(
        text_config=_text_config(layers, 5e6, head_dim=HEAD, rope_parameters=rope),
        vision_config=vision,
        tie_word_embeddings=False,
        **_vision_tokens(),
    )
    model_class = Qwen3VLForConditionalGeneration if language_head else Qwen3VLModel
    return _create(lambda: model_class(config), seed, "text_encoder")


def mistral3(seed: int, layers: int) -> Mistral3ForConditionalGeneration:
    """Return a Mistral 3 model with its Pixtral vision tower."""
    text = {
        "model_type": "mistral",
        "vocab_size": _rows(MISTRAL_IDS),
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 3 * TEXT_WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": HEAD,
        "max_position_embeddings": 131072,
        "sliding_window": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e9},
    }
    vision = {
        "model_type": "pixtral",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 1540,
        "patch_size": 14,
    }
    config = Mistral3Config(text_config=text, vision_config=vision, image_token_index=MISTRAL_IDS["[IMG]"])
    return _create(lambda: Mistral3ForConditionalGeneration(config), seed, "text_encoder")


# ---------------------------------------------------------------------------------------------
# Autoencoders


_BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (8, 8, 16, 16),
    "layers_per_block": 1,
    "norm_num_groups": NORM_GROUPS,
}


def flux_vae(seed: int) -> AutoencoderKL:
    """Return Flux.1's autoencoder, which Z-Image uses: 16 channels, a factor of 8."""
    return _create(
        lambda: AutoencoderKL(
            **_BLOCKS,
            sample_size=IMAGE_SIZE,
            latent_channels=16,
            use_quant_conv=False,
            use_post_quant_conv=False,
            scaling_factor=0.3611,
            shift_factor=0.1159,
        ),
        seed,
        "vae",
    )


def flux2_vae(seed: int) -> AutoencoderKLFlux2:
    """Return Flux.2's autoencoder: 32 channels, a factor of 8, statistics of 128 patch channels."""
    return _create(
        lambda: AutoencoderKLFlux2(**_BLOCKS, sample_size=IMAGE_SIZE, latent_channels=32),
        seed,
        "vae",
    )


def qwen_vae(seed: int) -> AutoencoderKLQwenImage:
    """Return Qwen-Image's autoencoder (Wan's shape): 16 channels, a factor of 8, one frame."""
    # two residual blocks per level, as published: diffusers' converter of Wan's names counts on it
    return _create(lambda: AutoencoderKLQwenImage(base_dim=4), seed, "vae")


def qwen21_vae(seed: int) -> AutoencoderKLQwenImage21:
    """Return Qwen-Image 2.1's autoencoder: 64 channels, a factor of 16, pictures with alpha."""
    return _create(
        lambda: AutoencoderKLQwenImage21(base_dim=4, decoder_base_dim=4, num_res_blocks=1),
        seed,
        "vae",
    )


# ---------------------------------------------------------------------------------------------
# Denoisers


def z_image_transformer(seed: int) -> ZImageTransformer2DModel:
    """Return Z-Image's single-stream transformer with its noise and context refiners."""
    return _create(
        lambda: ZImageTransformer2DModel(
            dim=4 * HEAD,
            n_layers=3,
            n_refiner_layers=2,
            n_heads=4,
            n_kv_heads=4,
            cap_feat_dim=TEXT_WIDTH,
            axes_dims=list(ROPE_AXES),
            axes_lens=[1536, 512, 512],
        ),
        seed,
        "transformer",
    )


def qwen_transformer(seed: int, **config: Any) -> QwenImageTransformer2DModel:
    """Return Qwen-Image's double-stream transformer."""
    return _create(
        lambda: QwenImageTransformer2DModel(
            num_layers=2,
            attention_head_dim=HEAD,
            num_attention_heads=2,
            joint_attention_dim=TEXT_WIDTH,
            axes_dims_rope=ROPE_AXES,
            **config,
        ),
        seed,
        "transformer",
    )


def qwen21_transformer(seed: int) -> QwenImage21Transformer2DModel:
    """Return Qwen-Image 2.1's block-causal single-stream transformer."""
    return _create(
        lambda: QwenImage21Transformer2DModel(
            num_layers=3,
            attention_head_dim=HEAD,
            num_attention_heads=2,
            context_in_dim=TEXT_WIDTH,
            axes_dims_rope=ROPE_AXES,
        ),
        seed,
        "transformer",
    )


def flux2_transformer(seed: int, *, guidance: bool) -> Flux2Transformer2DModel:
    """Return Flux.2's transformer; dev has a guidance embedding, Klein has none."""
    return _create(
        lambda: Flux2Transformer2DModel(
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=HEAD,
            num_attention_heads=2,
            joint_attention_dim=3 * TEXT_WIDTH,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=guidance,
        ),
        seed,
        "transformer",
    )


def krea2_transformer(seed: int) -> Krea2Transformer2DModel:
    """Return Krea 2's single-stream transformer and its fusion of twelve text layers."""
    return _create(
        lambda: Krea2Transformer2DModel(
            num_layers=3,
            attention_head_dim=HEAD,
            num_attention_heads=4,
            num_key_value_heads=1,
            intermediate_size=8 * HEAD,
            text_hidden_dim=TEXT_WIDTH,
            text_num_attention_heads=2,
            text_num_key_value_heads=2,
            text_intermediate_size=2 * TEXT_WIDTH,
            axes_dims_rope=ROPE_AXES,
        ),
        seed,
        "transformer",
    )


# ---------------------------------------------------------------------------------------------
# Schedulers


def _flow(**config: Any) -> FlowMatchEulerDiscreteScheduler:
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, **config)


def z_image_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Return Z-Image's schedule: one shift of 3 for every size."""
    return _flow(shift=3.0)


def qwen_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Return Qwen-Image's schedule: shift by tokens, stretched to end at 0.02."""
    return _flow(
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=0.9,
        max_image_seq_len=8192,
        shift_terminal=0.02,
    )


def flux2_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Return Flux.2's schedule; the pipeline works the shift out from tokens and steps."""
    return _flow(shift=3.0, use_dynamic_shifting=True)


def krea2_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Return Krea 2's schedule: shift by tokens up to 6400 of them."""
    return _flow(use_dynamic_shifting=True, max_image_seq_len=6400)


# ---------------------------------------------------------------------------------------------
# Pipelines


def _published_names(model: PreTrainedModel, path: Path) -> None:
    """Rename the tensors of ``path`` to the names that published Qwen2.5-VL files have."""
    if isinstance(model, Qwen2_5_VLForConditionalGeneration):
        weights = path / "model.safetensors"
        tensors = {
            name.replace("model.language_model.", "model.").replace("model.visual.", "visual."): value
            for name, value in load_file(weights).items()
        }
        save_file(tensors, weights, metadata={"format": "pt"})


def _write(
    path: Path,
    pipeline_class: str,
    modules: dict[str, Any],
    files: dict[str, tuple[str, Callable[[Path], Path]]],
    classes: dict[str, str] | None = None,
    **config: Any,
) -> Path:
    """Write a pipeline folder: ``modules`` save themselves, ``files`` are written by a function.

    The index is written here and not by the pipeline, so that no processor has to be built.
    ``classes`` overrides the class names that the index gives to modules.
    """
    path.mkdir(parents=True, exist_ok=True)
    index: dict[str, Any] = {
        "_class_name": pipeline_class,
        "_diffusers_version": diffusers.__version__,
        **config,
    }
    for name, module in modules.items():
        module.save_pretrained(path / name)
        library = "transformers" if isinstance(module, PreTrainedModel) else "diffusers"
        index[name] = [library, (classes or {}).get(name, type(module).__name__)]
        if isinstance(module, PreTrainedModel):
            _published_names(module, path / name)
    for name, (class_name, write) in files.items():
        write(path / name)
        index[name] = ["transformers", class_name]
    _dump(path / "model_index.json", dict(sorted(index.items())))
    return path


def build_z_image(path: Path, seed: int = 0) -> Path:
    """Write a Z-Image Turbo pipeline. Its text encoder has a language head that nothing reads."""
    return _write(
        path,
        "ZImagePipeline",
        {
            "scheduler": z_image_scheduler(),
            "text_encoder": qwen3(seed, 3),
            "transformer": z_image_transformer(seed),
            "vae": flux_vae(seed),
        },
        {"tokenizer": ("Qwen2Tokenizer", lambda to: write_qwen_tokenizer(to, inline=True))},
        {"text_encoder": "Qwen3Model"},
    )


def _qwen_modules(seed: int, **config: Any) -> dict[str, Any]:
    return {
        "scheduler": qwen_scheduler(),
        "text_encoder": qwen25_vl(seed),
        "transformer": qwen_transformer(seed, **config),
        "vae": qwen_vae(seed),
    }


def _qwen25_tokenizer(path: Path) -> Path:
    return write_qwen_tokenizer(path, QWEN25_VL_TEMPLATE)


def build_qwen_image(path: Path, seed: int = 0) -> Path:
    """Write a Qwen-Image pipeline (text to picture)."""
    files = {"tokenizer": ("Qwen2Tokenizer", _qwen25_tokenizer)}
    return _write(path, "QwenImagePipeline", _qwen_modules(seed), files)


def build_qwen_edit(path: Path, seed: int = 0, **config: Any) -> Path:
    """Write a Qwen-Image-Edit-Plus pipeline (2509): up to three reference pictures."""
    files = {
        "processor": ("Qwen2VLProcessor", lambda to: write_qwen_processor(to, three=False)),
        "tokenizer": ("Qwen2Tokenizer", _qwen25_tokenizer),
    }
    return _write(path, "QwenImageEditPlusPipeline", _qwen_modules(seed, **config), files)


def build_qwen_edit_11(path: Path, seed: int = 0) -> Path:
    """Write the 2511 kind of it, whose reference tokens are modulated from time zero."""
    return build_qwen_edit(path, seed, zero_cond_t=True)


def build_qwen_21(path: Path, seed: int = 0, *, sigmas: list[float] | None = None) -> Path:
    """Write a Qwen-Image 2.1 pipeline: one sequence of text and pictures, RGBA out."""
    return _write(
        path,
        "QwenImage21Pipeline",
        {
            "scheduler": qwen_scheduler(),
            "text_encoder": qwen3_vl(seed, 3, language_head=True),
            "transformer": qwen21_transformer(seed),
            "vae": qwen21_vae(seed),
        },
        {"processor": ("Qwen3VLProcessor", lambda to: write_qwen_processor(to, three=True))},
        sample_sigmas=sigmas,
    )


QWEN_21_TURBO_SIGMAS = [1.0, 0.978453, 0.95418, 0.926626, 0.89508, 0.845148, 0.704534, 0.414568]
"""The published sigmas of the Turbo model; its index holds them and their number is the steps."""


def build_qwen_21_turbo(path: Path, seed: int = 0) -> Path:
    """Write the Turbo kind of Qwen-Image 2.1, whose index brings its own eight sigmas.

    The sigmas are final, so its scheduler must not shift them.
    """
    build_qwen_21(path, seed, sigmas=QWEN_21_TURBO_SIGMAS)
    _flow(shift=1.0).save_pretrained(path / "scheduler")
    return path


def build_klein(path: Path, seed: int = 0, *, distilled: bool = True) -> Path:
    """Write a Flux.2 Klein pipeline. It reads hidden states 9, 18 and 27 of its Qwen3."""
    return _write(
        path,
        "Flux2KleinPipeline",
        {
            "scheduler": flux2_scheduler(),
            "text_encoder": qwen3(seed, 28),
            "transformer": flux2_transformer(seed, guidance=False),
            "vae": flux2_vae(seed),
        },
        {"tokenizer": ("Qwen2TokenizerFast", write_qwen_tokenizer)},
        is_distilled=distilled,
    )


def build_klein_base(path: Path, seed: int = 0) -> Path:
    """Write the undistilled kind of it, which takes classifier-free guidance."""
    return build_klein(path, seed, distilled=False)


def build_flux2_dev(path: Path, seed: int = 0) -> Path:
    """Write a Flux.2 dev pipeline. It reads hidden states 10, 20 and 30 of its Mistral."""
    return _write(
        path,
        "Flux2Pipeline",
        {
            "scheduler": flux2_scheduler(),
            "text_encoder": mistral3(seed, 31),
            "transformer": flux2_transformer(seed, guidance=True),
            "vae": flux2_vae(seed),
        },
        {"tokenizer": ("PixtralProcessor", write_mistral_processor)},
    )


def build_krea2(path: Path, seed: int = 0, *, distilled: bool = False) -> Path:
    """Write a Krea 2 pipeline. It reads every third hidden state of all 36 layers."""
    return _write(
        path,
        "Krea2Pipeline",
        {
            "scheduler": krea2_scheduler(),
            "text_encoder": qwen3_vl(seed, 36, language_head=False),
            "transformer": krea2_transformer(seed),
            "vae": qwen_vae(seed),
        },
        {"tokenizer": ("Qwen2Tokenizer", lambda to: write_qwen_tokenizer(to, QWEN_VL_TEMPLATE))},
        is_distilled=distilled,
        patch_size=2,
        text_encoder_select_layers=[2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35],
    )


def build_krea2_turbo(path: Path, seed: int = 0) -> Path:
    """Write the Turbo kind of it: one fixed shift, no guidance."""
    return build_krea2(path, seed, distilled=True)


@contextmanager
def small_references(shown: int = 128, kept: int = 64) -> Iterator[None]:
    """Let Qwen-Image-Edit-Plus resize its references to ``shown`` and ``kept`` pixels squared.

    The stock pipeline always makes them 384 squared for the text encoder and 1024 squared for the
    denoiser, whatever they were: 4096 more tokens for each, and most of the time in the autoencoder.
    """
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as module

    before = module.CONDITION_IMAGE_SIZE, module.VAE_IMAGE_SIZE
    module.CONDITION_IMAGE_SIZE, module.VAE_IMAGE_SIZE = shown * shown, kept * kept
    try:
        yield
    finally:
        module.CONDITION_IMAGE_SIZE, module.VAE_IMAGE_SIZE = before


# ---------------------------------------------------------------------------------------------
# Add-ons


def build_controlnet_qwen(path: Path, seed: int = 0, **config: Any) -> Path:
    """Write a ControlNet for the model of :func:`build_qwen_image` (InstantX's shape)."""
    model = _create(
        lambda: QwenImageControlNetModel(
            attention_head_dim=HEAD,
            num_attention_heads=2,
            joint_attention_dim=TEXT_WIDTH,
            axes_dims_rope=ROPE_AXES,
            **{"num_layers": 2, **config},
        ),
        seed,
        "controlnet",
    )
    model.save_pretrained(path)
    return path


def build_controlnet_z_image(path: Path, seed: int = 0, **change: Any) -> Path:
    """Write a ControlNet for the model of :func:`build_z_image` (Fun Union's first shape, but for `change`)."""
    told: dict[str, Any] = {
        "control_layers_places": [0, 2],
        "control_in_dim": 16,
        "dim": 4 * HEAD,
        "n_refiner_layers": 2,
        "n_heads": 4,
        "n_kv_heads": 4,
        **change,
    }
    model = _create(
        lambda: ZImageControlNetModel(**told),
        seed,
        "controlnet",
    )
    model.save_pretrained(path)
    return path


# ---------------------------------------------------------------------------------------------
# Everything at once

PIPELINES: dict[str, Callable[..., Path]] = {
    "z_image": build_z_image,
    "qwen_image": build_qwen_image,
    "qwen_edit": build_qwen_edit,
    "qwen_edit_11": build_qwen_edit_11,
    "qwen_21": build_qwen_21,
    "qwen_21_turbo": build_qwen_21_turbo,
    "klein": build_klein,
    "klein_base": build_klein_base,
    "flux2_dev": build_flux2_dev,
    "krea2": build_krea2,
    "krea2_turbo": build_krea2_turbo,
}

ADD_ONS: dict[str, Callable[..., Path]] = {
    "controlnet_qwen": build_controlnet_qwen,
    "controlnet_z_image": build_controlnet_z_image,
}


def build_all(root: Path, seed: int = 0) -> dict[str, Path]:
    """Write every model into ``root`` and return their places by name."""
    return {name: build(root / name, seed) for name, build in {**PIPELINES, **ADD_ONS}.items()}

"""Tiny checkpoints of the newer families, built as those of `tiny_models`, and their files as ComfyUI names them.

The tokenizers are real byte-level BPE ones of a few hundred tokens, of which every word of the chat is one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImageTransformer2DModel
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import Qwen3Config, Qwen3ForCausalLM

from tests import tiny_models
from tests.tiny_checkpoints import vae_to_ldm

Tensors = dict[str, torch.Tensor]

TEXT_WIDTH, HEAD, ROPE_AXES = 32, 16, (4, 6, 6)
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEXTS = ("system\nuser\nassistant\n", "\n\n")
SPECIAL = (  # noqa: SIM905
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> "
    "<|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> "
    "<|image_pad|> <|video_pad|>"
).split()
ADDED = (  # noqa: SIM905
    "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> "
    "<|repo_name|> <|file_sep|> <tool_response> </tool_response> <think> </think>"
).split()
"""Added tokens of Qwen 3, in the order of their numbers; these twelve are not special."""

TEMPLATE = """\
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


# Tokenizer -------------------------------------------------------------------------------------------------


def _splitter() -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _bpe(texts: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Tokens and merges in which every word of the texts and of the tiny models' prompts is one token."""
    splitter = _splitter()
    words = [word for text in texts for word, _ in splitter.pre_tokenize_str(text)]
    words += [space + word for word in tiny_models.WORDS for space in ("", "\u0120")]
    tokens = tiny_models._byte_symbols()
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = tiny_models._merge(list(word), ranks)
        while len(pieces) > 1:
            pair = (pieces[0], pieces[1])
            ranks[pair] = len(ranks)
            tokens.append("".join(pair))
            pieces = tiny_models._merge(list(word), ranks)
    return tokens, list(ranks)


TOKENS, MERGES = _bpe(CHAT_TEXTS)
IDS = {token: number for number, token in enumerate([*TOKENS, *SPECIAL, *ADDED])}


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def write_qwen_tokenizer(path: Path) -> Path:
    """A Qwen tokenizer's folder with the files that published ones have."""
    path.mkdir(parents=True, exist_ok=True)
    vocab = {token: IDS[token] for token in TOKENS}
    added = [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    added += [AddedToken(token, special=False, normalized=False) for token in ADDED]
    built: Any = Tokenizer(models.BPE(vocab=vocab, merges=MERGES))
    built.normalizer, built.pre_tokenizer, built.decoder = normalizers.NFC(), _splitter(), decoders.ByteLevel()
    built.add_tokens(added)
    built.save(str(path / "tokenizer.json"))
    _dump(path / "vocab.json", vocab)
    merges = ["#version: 0.2", *(" ".join(pair) for pair in MERGES)]
    (path / "merges.txt").write_text("\n".join(merges) + "\n", "utf-8")
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    config = {
        "added_tokens_decoder": {
            str(IDS[token.content]): {"content": token.content, **flags, "special": token.special} for token in added
        },
        "additional_special_tokens": SPECIAL[1:],
        "bos_token": None,
        "chat_template": TEMPLATE,
        "eos_token": "<|im_end|>",
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    _dump(path / "tokenizer_config.json", config)
    return path


# Z-Image ---------------------------------------------------------------------------------------------------


def _qwen3(seed: int) -> Qwen3ForCausalLM:
    """A language model with tied embeddings, as the 4B model is, and more rows than tokens, as it has."""
    config = Qwen3Config(
        vocab_size=64 * math.ceil((len(IDS) + 1) / 64),
        hidden_size=TEXT_WIDTH,
        intermediate_size=3 * TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=HEAD,
        max_position_embeddings=40960,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )
    return tiny_models._create(lambda: Qwen3ForCausalLM(config), seed, "text_encoder")


def build_z_image(path: Path, seed: int = 0) -> Path:
    """Z-Image Turbo, 64 x 64 pictures."""
    parts: dict[str, Any] = {
        "scheduler": FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0),
        "text_encoder": _qwen3(seed),
        "transformer": tiny_models._create(
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
        ),
        "vae": tiny_models._create(
            lambda: AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                block_out_channels=(8, 8, 16, 16),
                layers_per_block=1,
                norm_num_groups=8,
                sample_size=64,
                latent_channels=16,
                use_quant_conv=False,
                use_post_quant_conv=False,
                scaling_factor=0.3611,
                shift_factor=0.1159,
            ),
            seed,
            "vae",
        ),
    }
    for name, part in parts.items():
        part.save_pretrained(path / name)
    write_qwen_tokenizer(path / "tokenizer")
    libraries = {"text_encoder": ["transformers", "Qwen3Model"], "tokenizer": ["transformers", "Qwen2Tokenizer"]}
    index = {name: ["diffusers", type(part).__name__] for name, part in parts.items()} | libraries
    _dump(
        path / "model_index.json",
        {"_class_name": "ZImagePipeline", "_diffusers_version": diffusers.__version__, **index},
    )
    return path


def z_image_to_original(tensors: Tensors) -> Tensors:
    """A transformer's tensors as ComfyUI's files have them: one projection, one embedder and one last layer."""
    names = {"to_out.0": "out", "norm_q": "q_norm", "norm_k": "k_norm"}
    # published files hold a norm that nothing reads
    out = {"norm_final.weight": torch.ones(tensors["x_pad_token"].shape[-1])}
    for key, value in tensors.items():
        attention = re.match(r"(.+\.attention)\.(.+)\.weight", key)
        if attention is None:
            out[re.sub(r"^all_(\w+)\.2-1\.", r"\1.", key)] = value
        elif attention[2] == "to_q":
            fused = [tensors[key.replace(".to_q.", f".to_{part}.")] for part in "qkv"]
            out[f"{attention[1]}.qkv.weight"] = torch.cat(fused)
        elif attention[2] in names:
            out[f"{attention[1]}.{names[attention[2]]}.weight"] = value
    return out


def z_image_split(folder: Path, to: Path, dtype: torch.dtype = torch.float32) -> dict[str, Path]:
    """The files of a checkpoint's parts, by part, as those have them who load each by itself."""
    settings = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    tensors = {
        "transformer": z_image_to_original(load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")),
        "text_encoder": load_file(folder / "text_encoder" / "model.safetensors"),
        "vae": vae_to_ldm(load_file(folder / "vae" / "diffusion_pytorch_model.safetensors"), settings),
    }
    to.mkdir(parents=True, exist_ok=True)
    places = {part: to / f"{part}.safetensors" for part in tensors}
    for part, place in places.items():
        save_file({name: value.to(dtype).contiguous() for name, value in tensors[part].items()}, place)
    return places

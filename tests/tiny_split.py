"""Rewrite the folders of ``tiny_modern.py`` as the split single files that ComfyUI users have.

:func:`write_split` writes ``diffusion_models``, ``text_encoders`` and ``vae`` files with the tensor
names of the published ones.
"""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers.convert_slow_tokenizer import bytes_to_unicode

from tests import tiny_modern

Tensors = dict[str, torch.Tensor]
Rewrite = Callable[[Tensors, dict[str, Any]], Tensors]

_VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
_WAN_RESNET = {
    "norm1": "residual.0",
    "conv1": "residual.2",
    "norm2": "residual.3",
    "conv2": "residual.6",
    "conv_shortcut": "shortcut",
}
_WAN_EDGES = {
    "quant_conv": "conv1",
    "post_quant_conv": "conv2",
    "encoder.conv_in": "encoder.conv1",
    "decoder.conv_in": "decoder.conv1",
    "encoder.norm_out": "encoder.head.0",
    "decoder.norm_out": "decoder.head.0",
    "encoder.conv_out": "encoder.head.2",
    "decoder.conv_out": "decoder.head.2",
}


def _rename(key: str, table: dict[str, str]) -> str:
    """Replace the first entry of ``table`` that ``key`` is or starts with."""
    for old, new in table.items():
        if key == old or key.startswith(old + "."):
            return new + key[len(old) :]
    return key


def _same(tensors: Tensors, _config: dict[str, Any]) -> Tensors:
    return dict(tensors)


def z_image_to_original(tensors: Tensors, _config: object = None) -> Tensors:
    """Rename a ``ZImageTransformer2DModel``: fused attention, one embedder and one last layer."""
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


def flux2_to_original(tensors: Tensors, _config: dict[str, Any]) -> Tensors:
    """Rename a ``Flux2Transformer2DModel`` to the names of Black Forest Labs' code."""
    edges = {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "time_guidance_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
        "time_guidance_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
        "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
        "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
        "norm_out.linear": "final_layer.adaLN_modulation.1",
        "proj_out": "final_layer.linear",
    }
    double = {
        "attn.norm_q.weight": "img_attn.norm.query_norm.scale",
        "attn.norm_k.weight": "img_attn.norm.key_norm.scale",
        "attn.norm_added_q.weight": "txt_attn.norm.query_norm.scale",
        "attn.norm_added_k.weight": "txt_attn.norm.key_norm.scale",
        "attn.to_out.0": "img_attn.proj",
        "attn.to_add_out": "txt_attn.proj",
        "ff.linear_in": "img_mlp.0",
        "ff.linear_out": "img_mlp.2",
        "ff_context.linear_in": "txt_mlp.0",
        "ff_context.linear_out": "txt_mlp.2",
    }
    single = {
        "attn.norm_q.weight": "norm.query_norm.scale",
        "attn.norm_k.weight": "norm.key_norm.scale",
        "attn.to_qkv_mlp_proj": "linear1",
        "attn.to_out": "linear2",
    }
    fused = {
        "attn.to_q.weight": ("img_attn", "to_q to_k to_v"),
        "attn.add_q_proj.weight": ("txt_attn", "add_q_proj add_k_proj add_v_proj"),
    }
    out = {}
    for key, value in tensors.items():
        block = re.match(r"(single_)?transformer_blocks\.(\d+)\.(.+)", key)
        if not block:
            # the original stores shift before scale
            is_norm = key.startswith("norm_out.")
            out[_rename(key, edges)] = torch.cat(value.chunk(2)[::-1]) if is_norm else value
        elif block[1]:
            out[f"single_blocks.{block[2]}.{_rename(block[3], single)}"] = value
        elif block[3] in fused:
            target, names = fused[block[3]]
            stem = key.rsplit(".", 2)[0]
            parts = [tensors[f"{stem}.{name}.weight"] for name in names.split()]
            out[f"double_blocks.{block[2]}.{target}.qkv.weight"] = torch.cat(parts)
        elif not re.match(r"attn\.(to_[kv]|add_[kv]_proj)\.", block[3]):
            out[f"double_blocks.{block[2]}.{_rename(block[3], double)}"] = value
    return out


def krea2_to_original(tensors: Tensors, _config: dict[str, Any]) -> Tensors:
    """Rename a ``Krea2Transformer2DModel`` to the names of Krea's code."""
    edges = {
        "img_in": "first",
        "time_embed.linear_1": "tmlp.0",
        "time_embed.linear_2": "tmlp.2",
        "time_mod_proj": "tproj.1",
        "txt_in.norm.weight": "txtmlp.0.scale",
        "txt_in.linear_1": "txtmlp.1",
        "txt_in.linear_2": "txtmlp.3",
        "text_fusion": "txtfusion",
        "transformer_blocks": "blocks",
        "final_layer.linear": "last.linear",
        "final_layer.norm.weight": "last.norm.scale",
        "final_layer.scale_shift_table": "last.modulation.lin",
    }
    inner = {
        ".attn.to_q.": ".attn.wq.",
        ".attn.to_k.": ".attn.wk.",
        ".attn.to_v.": ".attn.wv.",
        ".attn.to_out.0.": ".attn.wo.",
        ".attn.to_gate.": ".attn.gate.",
        ".attn.norm_q.weight": ".attn.qknorm.qnorm.scale",
        ".attn.norm_k.weight": ".attn.qknorm.knorm.scale",
        ".ff.": ".mlp.",
        ".norm1.weight": ".prenorm.scale",
        ".norm2.weight": ".postnorm.scale",
        ".scale_shift_table": ".mod.lin",
    }
    out = {}
    for key, value in tensors.items():
        name = _rename(key, edges)
        for old, new in inner.items():
            name = name.replace(old, new)
        out[name] = value.flatten() if name.endswith(".mod.lin") else value
    return out


def qwen_to_comfy(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """The names are diffusers'; a setting that no tensor tells is an empty one."""
    marks = {"__index_timestep_zero__": torch.zeros(0)} if config["zero_cond_t"] else {}
    return {**tensors, **marks}


def qwen21_to_original(tensors: Tensors, _config: dict[str, Any]) -> Tensors:
    """Fuse the gate and the up projection of a ``QwenImage21Transformer2DModel``, gate first."""
    out = {}
    for key, value in tensors.items():
        if key.endswith("img_mlp.gate_layer.weight"):
            up = tensors[key.replace("gate_layer", "proj")]
            out[key.replace("gate_layer", "gate_up")] = torch.cat([value, up])
        elif not key.endswith("img_mlp.proj.weight"):
            out[key] = value
    return out


def vae_to_ldm(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """Rename an ``AutoencoderKL`` to the names of the original first-stage model."""
    levels = len(config["block_out_channels"])
    out = {}
    for key, value in tensors.items():
        block = re.match(r"(encoder|decoder)\.(?:down|up)_blocks\.(\d+)\.(.+)", key)
        middle = re.match(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d+)\.(.+)", key)
        name = key.replace("conv_norm_out", "norm_out")
        if block:
            half, level, rest = block.groups()
            stem = f"down.{level}" if half == "encoder" else f"up.{levels - 1 - int(level)}"
            rest = re.sub(r"^resnets\.", "block.", rest).replace("conv_shortcut", "nin_shortcut")
            rest = re.sub(r"^(down|up)samplers\.0\.", r"\1sample.", rest)
            name = f"{half}.{stem}.{rest}"
        elif middle:
            half, kind, index, rest = middle.groups()
            if kind == "resnets":
                name = f"{half}.mid.block_{int(index) + 1}.{rest}"
            else:
                name = f"{half}.mid.attn_1.{_rename(rest, _VAE_ATTENTION)}"
                if value.ndim == 2:
                    value = value[:, :, None, None]
        out[name] = value
    return out


def vae_to_flux2(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """Rename an ``AutoencoderKLFlux2``: the original puts its outer convolutions into the halves."""
    outer = {"quant_conv": "encoder.quant_conv", "post_quant_conv": "decoder.post_quant_conv"}
    return {_rename(key, outer): value for key, value in vae_to_ldm(tensors, config).items()}


def vae_to_wan(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """Rename an ``AutoencoderKLQwenImage`` to the names of Wan's code, which its file has."""
    per_level = config["num_res_blocks"] + 2  # residual blocks of a decoder level and its upsampler
    out = {}
    for key, value in tensors.items():
        down = re.match(r"encoder\.down_blocks\.(\d+)\.(.+)", key)
        up = re.match(r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)\.(.+)", key)
        middle = re.match(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d+)\.(.+)", key)
        if down:
            name = f"encoder.downsamples.{down[1]}.{_rename(down[2], _WAN_RESNET)}"
        elif up:
            level, kind, index, rest = up.groups()
            number = per_level * int(level) + (int(index) if kind == "resnets" else per_level - 1)
            name = f"decoder.upsamples.{number}.{_rename(rest, _WAN_RESNET)}"
        elif middle:
            half, kind, index, rest = middle.groups()
            number = 2 * int(index) if kind == "resnets" else 1
            name = f"{half}.middle.{number}.{_rename(rest, _WAN_RESNET) if kind == 'resnets' else rest}"
        else:
            name = _rename(key, _WAN_EDGES)
        out[name] = value
    return out


def tekken() -> dict[str, Any]:
    """The tokenizer of `tiny_modern.write_mistral_processor` as mistral-common has it: bytes by rank."""
    letters = {letter: byte for byte, letter in bytes_to_unicode().items()}
    vocab = [bytes(letters[letter] for letter in token) for token in tiny_modern.MISTRAL_TOKENS]
    specials = tiny_modern.MISTRAL_SPECIAL
    return {
        "config": {
            "pattern": tiny_modern.QWEN_PATTERN,
            "num_vocab_tokens": len(vocab),
            "default_vocab_size": len(vocab) + len(specials),
            "default_num_special_tokens": len(specials),
            "version": "v7",
        },
        "vocab": [
            {"rank": rank, "token_bytes": b64encode(token).decode(), "token_str": token.decode(errors="replace")}
            for rank, token in enumerate(vocab)
        ],
        "special_tokens": [
            {"rank": rank, "token_str": token, "is_control": True} for rank, token in enumerate(specials)
        ],
    }


def mistral_for_flux2(tensors: Tensors, _config: dict[str, Any]) -> Tensors:
    """ComfyUI's file: up to the last layer that is read, without the norm after it, and with the tokenizer."""
    out = {"tekken_model": torch.tensor(list(json.dumps(tekken()).encode()), dtype=torch.uint8)}
    for key, value in tensors.items():
        name = key.removeprefix("language_model.")
        if re.fullmatch(r"model\.(embed_tokens\..+|layers\.[12]?\d\..+)", name):
            out[name] = value
    return out


def qwen3vl_to_comfyui(tensors: Tensors, _config: dict[str, Any]) -> Tensors:
    """Rename a Qwen3-VL to the names of ComfyUI's files, where all names begin alike."""
    stems = ("model.language_model.", "language_model.", "model.visual.", "visual.")
    out: Tensors = {}
    for key, value in tensors.items():
        stem = next((stem for stem in stems if key.startswith(stem)), "")
        out[f"model.{'visual.' if 'visual' in stem else ''}{key.removeprefix(stem)}" if stem else key] = value
    return out


def vae_to_wan_2_2(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """Rename an ``AutoencoderKLQwenImage21`` to the names of Wan 2.2's code; its kernels are those of films."""
    out: Tensors = {}
    for key, value in tensors.items():
        level = re.match(r"(encoder\.down|decoder\.up)_blocks\.(\d+)\.(.+)", key)
        if level:
            half, number, rest = level.groups()
            block = re.match(r"resnets\.(\d+)\.(.+)", rest)
            last = config["num_res_blocks"] + half.endswith("up")
            index, inner = block.groups() if block else (last, re.sub(r"^(down|up)sampler\.", "", rest))
            name = f"{half}samples.{number}.{half.split('.')[1]}samples.{index}.{_rename(inner, _WAN_RESNET)}"
        else:
            (name,) = vae_to_wan({key: value}, config)
        of_film = (
            value.ndim == 4 and not name.endswith("gamma") and ".resample." not in name and ".middle.1." not in name
        )
        out[name] = value.unsqueeze(2) if of_film else value
    return out


FILES: dict[str, dict[str, tuple[str, Rewrite]]] = {
    "ZImagePipeline": {
        "transformer": ("diffusion_models/z_image_turbo_bf16", z_image_to_original),
        "text_encoder": ("text_encoders/qwen_3_4b", _same),
        "vae": ("vae/ae", vae_to_ldm),
    },
    "QwenImagePipeline": {
        "transformer": ("diffusion_models/qwen_image_bf16", qwen_to_comfy),
        "text_encoder": ("text_encoders/qwen_2.5_vl_7b", _same),
        "vae": ("vae/qwen_image_vae", vae_to_wan),
    },
    "QwenImageEditPlusPipeline": {
        "transformer": ("diffusion_models/qwen_image_edit_2509_bf16", qwen_to_comfy),
        "text_encoder": ("text_encoders/qwen_2.5_vl_7b", _same),
        "vae": ("vae/qwen_image_vae", vae_to_wan),
    },
    "QwenImage21Pipeline": {
        "transformer": ("diffusion_models/qwen_image_2.1_bf16", qwen21_to_original),
        "text_encoder": ("text_encoders/qwen3vl_8b_bf16", qwen3vl_to_comfyui),
        "vae": ("vae/qwen_image_2.1_vae_bf16", vae_to_wan_2_2),
    },
    "Flux2KleinPipeline": {
        "transformer": ("diffusion_models/flux-2-klein-4b", flux2_to_original),
        "text_encoder": ("text_encoders/qwen_3_4b", _same),
        "vae": ("vae/flux2-vae", vae_to_flux2),
    },
    "Flux2Pipeline": {
        "transformer": ("diffusion_models/flux2_dev", flux2_to_original),
        "text_encoder": ("text_encoders/mistral_3_small_flux2_bf16", mistral_for_flux2),
        "vae": ("vae/flux2-vae", vae_to_flux2),
    },
    "Krea2Pipeline": {
        "transformer": ("diffusion_models/krea2_turbo_bf16", krea2_to_original),
        "text_encoder": ("text_encoders/qwen3vl_4b_bf16", qwen3vl_to_comfyui),
        "vae": ("vae/qwen_image_vae", vae_to_wan),
    },
}
"""For each pipeline the file of each part, in ComfyUI's folders, and how its tensors are renamed."""


def _part(pipeline_dir: Path, name: str) -> tuple[Tensors, dict[str, Any]]:
    folder = pipeline_dir / name
    (weights,) = folder.glob("*.safetensors")
    return load_file(weights), json.loads((folder / "config.json").read_text("utf-8"))


def write_split(
    pipeline_dir: Path,
    out_dir: Path,
    dtype: torch.dtype = torch.float32,
    prefix: str = "",
    *,
    flat: bool = False,
) -> dict[str, Path]:
    """Write the files of the pipeline in ``pipeline_dir`` and return their places by part.

    ``prefix`` goes before the denoiser's names; some files have ``model.diffusion_model.`` there. ``flat``: all of them
    in one folder, under the names of their parts.
    """
    kind = json.loads((pipeline_dir / "model_index.json").read_text("utf-8"))["_class_name"]
    written = {}
    for name, (stem, rewrite) in FILES[kind].items():
        lead = prefix if name == "transformer" else ""
        tensors = {
            lead + key: (value if value.dtype == torch.uint8 else value.to(dtype)).contiguous()
            for key, value in rewrite(*_part(pipeline_dir, name)).items()
        }
        path = out_dir / f"{name if flat else stem}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata={"format": "pt"})
        written[name] = path
    return written


def beside_settings(
    pipeline_dir: Path, place: Path, dtype: torch.dtype = torch.float32, prefix: str = ""
) -> dict[str, Path]:
    """The files of the parts among the settings of their pipeline, as published repositories have them."""
    shutil.copytree(pipeline_dir, place, ignore=shutil.ignore_patterns("*.safetensors"))
    return write_split(pipeline_dir, place, dtype, prefix, flat=True)

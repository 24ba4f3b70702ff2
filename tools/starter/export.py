"""Writes the model as a published diffusers folder: fp16 safetensors, CLIP's tokenizer files, stock classes only."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from tools.starter import denoiser, text
from tools.starter.checkpoint import load_json, load_tensors, save_json, save_tensors

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
# What training can start from: its name in a work folder, its file in a model.
STARTS = {
    "denoiser": "unet/diffusion_pytorch_model.safetensors",
    "control": "controlnet/diffusion_pytorch_model.safetensors",
    "pixel": "pixel/unet/diffusion_pytorch_model.safetensors",
    "ink": "lora/ink.safetensors",
    "few_step": "lora/few_step.safetensors",
}


def export(
    folder: Path,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    vocabulary: text.Vocabulary,
) -> None:
    """Replaces the model's parts in `folder`; other files there (NOTICE, README.md) stay."""
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    assemble: Any = StableDiffusionPipeline  # it takes DDIM and no checker; its own types do not
    pipeline = assemble(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=denoiser.build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(draft, safe_serialization=True)
    halve(draft / "unet" / "diffusion_pytorch_model.safetensors")
    halve(draft / "vae" / "diffusion_pytorch_model.safetensors")
    halve(draft / "text_encoder" / "model.safetensors", prefix="text_model.")
    write_tokenizer(draft / "tokenizer", vocabulary)
    _set_dtype(draft / "text_encoder" / "config.json")
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        shutil.rmtree(folder / part, ignore_errors=True)
        (draft / part).rename(folder / part)
    (draft / "model_index.json").replace(folder / "model_index.json")
    shutil.rmtree(draft)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def export_network(folder: Path, network: UNet2DConditionModel | ControlNetModel) -> None:
    """Writes one network as a diffusers folder of its own."""
    network.save_pretrained(folder)
    halve(folder / "diffusion_pytorch_model.safetensors")


def adopt(folder: Path, work: Path, vocabulary: text.Vocabulary) -> None:
    """Lays an exported model into a work folder, so that training goes on from it without the optimiser's state.

    Writes vae.safetensors, and start_<part>.safetensors of each part that the model has, all in float32;
    text_encoder.safetensors when the model has this vocabulary, else start_text.safetensors and start_vocabulary.json,
    from which an encoder of it is trained. What is not trained again is marked as done.
    """
    for part in ("vae", "unet", "text_encoder"):
        if not list((folder / part).glob("*.safetensors")):
            raise ValueError(f"{folder} is no exported model: {part} is missing")
    work.mkdir(parents=True, exist_ok=True)
    save_tensors(work / "vae.safetensors", _single(folder / "vae/diffusion_pytorch_model.safetensors"))
    for name, file in STARTS.items():
        if (folder / file).is_file():
            save_tensors(work / f"start_{name}.safetensors", _single(folder / file))
    done = ["autoencoder", "decoder"]
    encoder = _single(folder / "text_encoder/model.safetensors", "text_model.")
    known = load_json(folder / "tokenizer/vocab.json")
    if known == vocabulary.numbers:
        save_tensors(work / "text_encoder.safetensors", encoder)
        done.append("text")
    else:
        save_tensors(work / "start_text.safetensors", encoder)
        save_json(work / "start_vocabulary.json", known)
    for stage in done:
        (work / f"{stage}.done").touch()


def _single(path: Path, prefix: str = "") -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor.float() for name, tensor in load_tensors(path).items()}


def halve(path: Path, prefix: str = "") -> None:
    """Stores a safetensors file's tensors as float16, their names with the prefix that published files have."""
    tensors = {prefix + name.removeprefix(prefix): tensor.half() for name, tensor in load_tensors(path).items()}
    overflown = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if overflown:
        raise ValueError(f"weights too large for float16 in {path.name}: {', '.join(overflown[:5])}")
    save_tensors(path, tensors, {"format": "pt"})


def write_tokenizer(folder: Path, vocabulary: text.Vocabulary) -> None:
    """The four files that published models have, which every version of transformers reads."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    special = {"bos_token": text.START, "eos_token": text.END, "unk_token": text.END, "pad_token": text.END}
    config = special | {
        "add_prefix_space": False,
        "do_lower_case": True,
        "model_max_length": text.CONTEXT,
        "tokenizer_class": "CLIPTokenizer",
    }
    merges = ["#version: 0.2", *(" ".join(pair) for pair in vocabulary.merges)]
    (folder / "merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8")
    (folder / "vocab.json").write_text(json.dumps(vocabulary.numbers, ensure_ascii=False), encoding="utf-8")
    save_json(folder / "special_tokens_map.json", special)
    save_json(folder / "tokenizer_config.json", config)


def _set_dtype(path: Path) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    for name in ("dtype", "torch_dtype"):
        if name in config:
            config[name] = "float16"
    save_json(path, config)

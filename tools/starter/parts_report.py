"""Figures and sheets of what stands beside the base: each part against the base without it, on held-out prompts.

Latent pictures come from diffusers' own pipelines, as any user would make them.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.pipelines.controlnet.pipeline_controlnet import StableDiffusionControlNetPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from torch import Tensor
from torch.nn import functional

from tools.starter import compose, control, denoiser, few_step, measure, pixel, poses, text
from tools.starter.checkpoint import load_tensors
from tools.starter.denoiser_stage import load_denoiser
from tools.starter.prompts import prompt
from tools.starter.report import BATCH, GUIDANCE_SCALE, NUM_STEPS, Figures, Subject, backgrounds_of, generate, share
from tools.starter.scene import Scene, Thing
from tools.starter.sheets import COLUMNS, contact_sheet

PICTURES = 64
POSE_SEED = 10
PIXEL_GUIDANCE = 3.0
UNFIT = ("black", "gray")  # backgrounds that count as ink, or nearly
DARK, GRAY = 0.3, 0.12  # ink: the brightest channel at most, and the channels' difference at most


def save_sheet(subject: Subject, name: str, scenes: list[Scene], rows: dict[str, Tensor]) -> None:
    """The first pictures of each row beside the model, as <name>.webp."""
    shown = {label: functional.interpolate(pictures[:COLUMNS], size=(128, 128)) for label, pictures in rows.items()}
    contact_sheet([prompt(scene) for scene in scenes[:COLUMNS]], shown, subject.folder / f"{name}.webp")


def edge_control(subject: Subject) -> Figures:
    """Edge F1 of pictures in poses that no prompt tells, with the ControlNet and without it."""
    scenes = subject.scenes("one", PICTURES)
    rngs = [np.random.default_rng((POSE_SEED, index)) for index in range(PICTURES)]
    posed = [poses.pose(subject.sprites, scene, rng) for scene, rng in zip(scenes, rngs, strict=True)]
    given = control.edges(compose.to_tensor(posed) / 2 + 0.5)
    followed, free = draw_controlled(subject, scenes, given), subject.draw(scenes)
    rows = {"edges": given.expand(-1, 3, -1, -1), "with": followed, "without": free}
    save_sheet(subject, "controlnet", scenes, rows)
    with_control, without = (float(control.edge_f1(control.edges(images), given).mean()) for images in (followed, free))
    return {
        "pictures": PICTURES,
        "edge_f1_with": with_control,
        "edge_f1_without": without,
        "edge_f1_ratio": with_control / without,
    }


def draw_controlled(subject: Subject, scenes: list[Scene], edges: Tensor) -> Tensor:
    """Pictures of scenes that follow edges [scenes, 1, 128, 128]; scene number i has seed i."""
    folder = str(subject.folder / "controlnet")
    controlnet = ControlNetModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline = StableDiffusionControlNetPipeline(**subject.pipeline.components, controlnet=controlnet)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(subject.run.device)
    batches = []
    for first in range(0, len(scenes), BATCH):
        batch = [prompt(scene) for scene in scenes[first : first + BATCH]]
        output = cast(Any, pipeline)(
            batch,
            image=edges[first : first + BATCH].expand(-1, 3, -1, -1),
            guidance_scale=GUIDANCE_SCALE,
            num_inference_steps=NUM_STEPS,
            generator=[torch.Generator().manual_seed(first + i) for i in range(len(batch))],
            output_type="pt",
        )
        batches.append(output.images.float().cpu())
    return torch.cat(batches)


@contextmanager
def adapted(subject: Subject, name: str) -> Generator[StableDiffusionPipeline]:
    """The model's pipeline with one of its LoRAs, called "part", while in the block."""
    pipeline = subject.pipeline
    folder = str(subject.folder / "lora")
    pipeline.load_lora_weights(folder, weight_name=f"{name}.safetensors", local_files_only=True, adapter_name="part")
    try:
        yield pipeline
    finally:
        pipeline.unload_lora_weights()


def few_steps(subject: Subject) -> Figures:
    """Nouns, pairs, and the distance to 25 guided steps from the same noise, with the LoRA and without.

    Guided steps ask the network twice, those with the LoRA and those called unguided once.
    """
    singles, pairs = subject.scenes("one", PICTURES), subject.scenes("two", PICTURES)
    guided = few_step.GUIDANCE_SCALE
    whole = subject.draw(singles, guided)
    drawn = {
        name: (subject.draw(singles, guidance_scale, steps), subject.draw(pairs, guidance_scale, steps))
        for name, guidance_scale, steps in (("base_4", guided, 4), ("base_4_unguided", 1.0, 4), ("base_2", guided, 2))
    }
    with adapted(subject, "few_step"):
        drawn |= {f"lora_{n}": (subject.draw(singles, 1.0, n), subject.draw(pairs, 1.0, n)) for n in (4, 2, 1)}
    labels = {
        "base_4": "base\n4 steps",
        "lora_4": "LoRA\n4 steps",
        "base_2": "base\n2 steps",
        "lora_2": "LoRA\n2 steps",
    }
    rows = {"base\n25 steps": whole} | {label: drawn[name][0] for name, label in labels.items()}
    save_sheet(subject, "few_steps", singles, rows)
    result: Figures = {
        "pictures": PICTURES,
        "noun_top1_base_25": subject.retrieve(whole, singles).figures()["noun_top1"],
    }
    for name, (images, images_of_two) in drawn.items():
        found = subject.retrieve(images, singles).figures()
        result |= {
            f"noun_top1_{name}": found["noun_top1"],
            f"both_in_order_{name}": subject.pairs(images_of_two, pairs)["both_in_order"],
            f"nearest_drawing_rmse_{name}": found["nearest_training_drawing_rmse_median"],
            f"rmse_to_25_{name}": float((images - whole).square().mean().sqrt()),
        }
    return result


def ink_style(subject: Subject) -> Figures:
    """How much of the things is black, and whether the nearest ink drawing shows the noun, by the LoRA's strength."""
    scenes = [scene for scene in subject.scenes("one", 2 * PICTURES) if scene.background not in UNFIT][:PICTURES]
    scenes = [replace(scene, things=(Thing(scene.things[0].concept),)) for scene in scenes]
    ink = load_tensors(subject.run.file("ink_sprites.safetensors"))
    drawings = measure.place_drawings(ink, subject.run.concepts).to(subject.run.device)
    wanted = torch.tensor([subject.run.concepts.index(scene.things[0].concept) for scene in scenes])
    result: Figures = {"pictures": PICTURES}
    rows = {}
    with adapted(subject, "ink") as pipeline:
        for strength in (0.0, 0.5, 1.0):
            pipeline.set_adapters("part", strength)
            images = generate(pipeline, [prompt(scene) for scene in scenes])
            rows[f"strength\n{strength:g}"] = images
            found = measure.retrieve(images, wanted, backgrounds_of(scenes), drawings).figures()
            result[f"ink_strength_{strength:g}"] = ink_share(images)
            result[f"noun_top1_strength_{strength:g}"] = found["noun_top1"]
            result[f"nearest_ink_drawing_rmse_strength_{strength:g}"] = found["nearest_training_drawing_rmse_median"]
    save_sheet(subject, "ink", scenes, rows)
    return result


def ink_share(images: Tensor) -> float:
    """Share of black among the pixels that differ from the background; images: [pictures, 3, 128, 128] in [0, 1]."""
    background = measure.border_colour(images)[:, :, None, None]
    thing = (images - background).abs().amax(1) > 0.2
    black = (images.amax(1) < DARK) & (images.amax(1) - images.amin(1) < GRAY)
    return float((thing & black).sum() / thing.sum())


@torch.inference_mode()
def pixel_model(subject: Subject) -> Figures:
    """Nouns and backgrounds of the pixel model, and of the latent one shrunk to its size."""
    scenes = subject.scenes("one", PICTURES)
    unet = load_denoiser(subject.run, subject.folder / "pixel")
    texts = ["", *(prompt(scene) for scene in scenes)]
    embeds = text.embed(subject.pipeline.tokenizer, subject.pipeline.text_encoder, texts)
    drawn = denoiser.sample(unet, embeds[1:], embeds[0], PIXEL_GUIDANCE, range(PICTURES), NUM_STEPS)
    pixels = (drawn / 2 + 0.5).clamp(0, 1).cpu()
    latents = functional.avg_pool2d(subject.draw(scenes, PIXEL_GUIDANCE), compose.IMAGE_SIZE // pixel.PIXEL_SIZE)
    save_sheet(subject, "pixel", scenes, {"pixels": pixels, "latents,\nshrunk": latents})
    result: Figures = {"pictures": PICTURES}
    for name, images in (("pixels", pixels), ("latents", latents)):
        found = subject.retrieve(images, scenes).figures()
        result[f"noun_top1_{name}"] = found["noun_top1"]
        result[f"noun_top5_{name}"] = found["noun_top5"]
        result[f"background_{name}"] = share(measure.background_guesses(images) == backgrounds_of(scenes))
    return result


PARTS: dict[str, Callable[[Subject], Figures]] = {
    "edge_control": edge_control,
    "few_steps": few_steps,
    "ink_style": ink_style,
    "pixel_model": pixel_model,
}

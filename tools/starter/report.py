"""Pictures and figures of an exported model, made with diffusers' own pipeline as any user would make them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw
from torch import Tensor

from tools.starter import autoencoder, compose, measure
from tools.starter.checkpoint import load_tensors
from tools.starter.concepts import BACKGROUNDS, HELD_OUT_PACK, with_article
from tools.starter.stages import WHITENING_SEED, Run, load_sprites

Figures = dict[str, float]

NUM_STEPS = 20
GUIDANCE_SCALE = 3.0
BATCH = 32
SWEEP = ((1.0, 20), (2.0, 20), (5.0, 20), (7.5, 20), (3.0, 6), (3.0, 10), (3.0, 50))  # guidance, steps
SWEEP_STRIDE = 7  # of the prompts: every noun on one or two backgrounds
SWEPT = ("noun_top1", "background")
SHEET_GUIDANCE = (1.0, 3.0, 7.5)
SHEET_PROMPTS = (
    "a cat on a blue background",
    "a dog on a yellow background",
    "a panda on a green background",
    "a butterfly on a black background",
    "a red apple on a white background",
    "a pizza on a purple background",
    "a rocket on a gray background",
    "a cactus on a pink background",
    "a robot on an orange background",
    "a ghost on a red background",
    "a blue car on a white background",
    "a green umbrella on a black background",
)


def load_pipeline(folder: Path) -> StableDiffusionPipeline:
    """The exported model in float32, without its progress bar."""
    pipeline = StableDiffusionPipeline.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str],
    guidance_scale: float = GUIDANCE_SCALE,
    num_steps: int = NUM_STEPS,
) -> Tensor:
    """Pictures [prompts, 3, 64, 64] in [0, 1]; prompt number i has seed i."""
    batches = []
    for first in range(0, len(prompts), BATCH):
        batch = list(prompts[first : first + BATCH])
        seeds = [torch.Generator().manual_seed(first + i) for i in range(len(batch))]
        output = pipeline(
            batch, guidance_scale=guidance_scale, num_inference_steps=num_steps, generator=seeds, output_type="pt"
        )
        batches.append(output.images.float())
    return torch.cat(batches)


def contact_sheet(pipeline: StableDiffusionPipeline, path: Path) -> None:
    """The sheet's prompts (columns) at guidance 1, 3 and 7.5 (rows), doubled, with labels, as a PNG."""
    cell, header, margin = 128, 44, 56
    sheet = Image.new("RGB", (margin + cell * len(SHEET_PROMPTS), header + cell * len(SHEET_GUIDANCE)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, prompt in enumerate(SHEET_PROMPTS):
        what, _, where = prompt.partition(" on ")
        draw.text((margin + column * cell + 4, 4), f"{what}\non {where}", fill="black")
    for row, guidance_scale in enumerate(SHEET_GUIDANCE):
        draw.text((4, header + row * cell + 56), f"CFG {guidance_scale:g}", fill="black")
        for column, picture in enumerate(generate(pipeline, SHEET_PROMPTS, guidance_scale)):
            tile = to_image(picture).resize((cell, cell), Image.Resampling.NEAREST)
            sheet.paste(tile, (margin + column * cell, header + row * cell))
    sheet.save(path, optimize=True)


def to_image(picture: Tensor) -> Image.Image:
    """[3, height, width] in [0, 1] as a Pillow picture."""
    return Image.fromarray(picture.mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def grid(pictures: Tensor, columns: int) -> Image.Image:
    """Pictures [pictures, 3, height, width] in [0, 1], row by row."""
    height, width = pictures.shape[-2:]
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(to_image(picture), (index % columns * width, index // columns * height))
    return sheet


@dataclass(frozen=True)
class Prompts:
    """Prompts and what they ask for: numbers of concepts and of backgrounds, [prompts]."""

    texts: list[str]
    wanted: Tensor
    backgrounds: Tensor

    def every(self, stride: int) -> "Prompts":
        """Each stride-th prompt."""
        return Prompts(self.texts[::stride], self.wanted[::stride], self.backgrounds[::stride])


def all_prompts(run: Run) -> Prompts:
    """Every noun on every background, a noun after the other."""
    backgrounds = [f"on {with_article(background)} background" for background in BACKGROUNDS]
    return Prompts(
        [f"{with_article(concept.word)} {background}" for concept in run.concepts for background in backgrounds],
        torch.arange(len(run.concepts)).repeat_interleave(len(BACKGROUNDS)),
        torch.arange(len(BACKGROUNDS)).repeat(len(run.concepts)),
    )


def score(images: Tensor, prompts: Prompts, drawings: measure.Drawings) -> Figures:
    """Shares of right backgrounds and nouns."""
    right = measure.background_guesses(images) == prompts.backgrounds
    found = measure.retrieve(images, prompts.wanted, prompts.backgrounds, drawings)
    return {"pictures": float(len(images)), "background": float(right.float().mean()), **found.figures()}


def figures(pipeline: StableDiffusionPipeline, run: Run, sheet: Path) -> dict[str, Figures]:
    """What was drawn for every noun on every background; `sheet` gets all the pictures, a noun a row."""
    prompts, drawings = all_prompts(run), measure.place_drawings(load_sprites(run), run.concepts)
    started = time.monotonic()
    images = generate(pipeline, prompts.texts)
    seconds = (time.monotonic() - started) / len(images)
    grid(images, len(BACKGROUNDS)).save(sheet)
    model = score(images, prompts, drawings) | {"seconds_a_picture": seconds}
    sweep = {name: {} for name in SWEPT}
    few = prompts.every(SWEEP_STRIDE)
    for guidance_scale, num_steps in SWEEP:
        scores = score(generate(pipeline, few.texts, guidance_scale, num_steps), few, drawings)
        for name in SWEPT:
            sweep[name][f"guidance {guidance_scale:g}, {num_steps} steps"] = scores[name]
    return {
        "model": model,
        "another_artist": another_artist(run, drawings),
        "autoencoder": reconstruction(pipeline, run),
        **{f"{name}_sweep": values for name, values in sweep.items()},
    }


def another_artist(run: Run, drawings: measure.Drawings) -> Figures:
    """The held-out pack's own drawings through the same comparison: what a right picture scores."""
    sprites = load_tensors(run.file("held_out.safetensors"))
    others = measure.place_drawings(sprites, run.concepts, centred=True)
    images = torch.cat([others.on(colour) for colour in measure.named_colours()])
    backgrounds = torch.arange(len(BACKGROUNDS)).repeat_interleave(len(others.concept))
    wanted = others.concept.repeat(len(BACKGROUNDS))
    return measure.retrieve(images, wanted, backgrounds, drawings).figures()


@torch.inference_mode()
def reconstruction(pipeline: StableDiffusionPipeline, run: Run) -> Figures:
    """PSNR in dB of the exported autoencoder, on trained drawings and on those of the held-out pack."""
    held_out = load_tensors(run.file("held_out.safetensors"))
    trained = [compose.compose(load_sprites(run), WHITENING_SEED, 10_000 + i, run.concepts).pixels for i in range(128)]
    foreign = [compose.compose_any(held_out, WHITENING_SEED, i) for i in range(128)]
    result = {}
    for name, pixels in (("psnr_trained_drawings", trained), (f"psnr_{HELD_OUT_PACK.title.lower()}", foreign)):
        images = compose.to_tensor(pixels)
        decoded = autoencoder.decode(pipeline.vae, autoencoder.encode(pipeline.vae, images))
        result[name] = autoencoder.psnr(images, decoded)
    return result

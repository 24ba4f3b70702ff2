"""Figures of an exported model, from pictures made with diffusers' own pipeline as any user would make them.

All prompts are held out: each brings words together that training never showed together.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from torch import Tensor

from tools.starter import arrangement, autoencoder, backdrops, compose, measure, prompts
from tools.starter.checkpoint import load_tensors
from tools.starter.concepts import BACKGROUNDS, HELD_OUT_PACK, HUES, SCENERIES
from tools.starter.scene import Scene
from tools.starter.sheets import contact_sheet, grid
from tools.starter.stages import WHITENING_SEED, Run, load_sprites

Figures = dict[str, float]

NUM_STEPS = 25
GUIDANCE_SCALE = 5.0
BATCH = 32
CPU = torch.device("cpu")
SINGLES, RICH, COLOURED, STYLED, PAIRS, SEVERAL, PLACED = 220, 100, 100, 60, 100, 60, 60  # prompts
SWEPT_SINGLES, SWEPT_PAIRS = 40, 20
GUIDANCE_SWEEP = (1.0, 3.0, 5.0, 7.5)
STEPS_SWEEP = (1, 2, 4, 8, 20)
SHEET_GUIDANCE = (1.0, 3.0, 7.5)
SPEED_THREADS = 2
SPEED_REPEATS = 5


def load_pipeline(folder: Path, device: torch.device = CPU) -> StableDiffusionPipeline:
    """The exported model in float32 on a device, without its progress bar."""
    pipeline = StableDiffusionPipeline.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def generate(
    pipeline: StableDiffusionPipeline,
    texts: Sequence[str],
    guidance_scale: float = GUIDANCE_SCALE,
    num_steps: int = NUM_STEPS,
) -> Tensor:
    """Pictures [texts, 3, 128, 128] in [0, 1] on the CPU; text number i has seed i."""
    batches = []
    for first in range(0, len(texts), BATCH):
        batch = list(texts[first : first + BATCH])
        seeds = [torch.Generator().manual_seed(first + i) for i in range(len(batch))]
        output = cast(Any, pipeline)(
            batch, guidance_scale=guidance_scale, num_inference_steps=num_steps, generator=seeds, output_type="pt"
        )
        batches.append(output.images.float().cpu())
    return torch.cat(batches)


@dataclass(frozen=True)
class Subject:
    """The folder of the model that is measured, and the run whose drawings it is compared with."""

    folder: Path
    run: Run

    @cached_property
    def pipeline(self) -> StableDiffusionPipeline:
        """The model."""
        return load_pipeline(self.folder, self.run.device)

    @cached_property
    def sprites(self) -> compose.Sprites:
        """The drawings it was trained on."""
        return load_sprites(self.run)

    @cached_property
    def drawings(self) -> measure.Drawings:
        """Those drawings, one in a picture."""
        return measure.place_drawings(self.sprites, self.run.concepts).to(self.run.device)

    @cached_property
    def parts(self) -> measure.Drawings:
        """Those drawings, one of several in a picture."""
        return measure.place_drawings(self.sprites, self.run.concepts, measure.PART).to(self.run.device)

    def scenes(self, kind: str, count: int, coloured: bool = False, rich: bool = False) -> list[Scene]:
        """Held-out scenes."""
        return prompts.held_out_scenes(kind, count, self.run.concepts, coloured, rich=rich)

    def draw(self, scenes: list[Scene], guidance_scale: float = GUIDANCE_SCALE, num_steps: int = NUM_STEPS) -> Tensor:
        """The model's pictures of scenes."""
        return generate(self.pipeline, [prompts.prompt(scene) for scene in scenes], guidance_scale, num_steps)

    def retrieve(self, images: Tensor, scenes: list[Scene]) -> measure.Retrieval:
        """Pictures of one thing each among the drawings."""
        return measure.retrieve(images, self._wanted(scenes, 0), backgrounds_of(scenes), self.drawings)

    def halves(self, images: Tensor, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        """Nouns nearest to what stands on the left and on the right of pictures of two things, [pictures] each."""
        side = compose.IMAGE_SIZE // 2
        found: list[Tensor] = []
        for number, (x, y) in enumerate(compose.SEVERAL[2].centres):
            left, top = x - side // 2, y - side // 2
            view = images[:, :, top : top + side, left : left + side]
            wanted = self._wanted(scenes, number)
            found.append(measure.retrieve(view, wanted, backgrounds_of(scenes), self.parts).nouns())
        return found[0], found[1]

    def pairs(self, images: Tensor, scenes: list[Scene]) -> Figures:
        """Shares of pictures with both things in their places, both in either place, and the first or second alone."""
        left, right = self.halves(images, scenes)
        first, second = self._wanted(scenes, 0), self._wanted(scenes, 1)
        in_order = (left == first) & (right == second)
        swapped = (left == second) & (right == first)
        return {
            "both_in_order": share(in_order),
            "both_present": share(in_order | swapped),
            "left_noun": share(left == first),
            "right_noun": share(right == second),
        }

    def _wanted(self, scenes: list[Scene], number: int) -> Tensor:
        return torch.tensor([self.run.concepts.index(scene.things[number].concept) for scene in scenes])


def share(right: Tensor | list[bool]) -> float:
    """Share of true values."""
    return float(torch.as_tensor(right).float().mean())


def backgrounds_of(scenes: list[Scene]) -> Tensor:
    """The numbers of the scenes' backgrounds, [scenes]."""
    return torch.tensor([list(BACKGROUNDS).index(scene.background) for scene in scenes])


def single_objects(subject: Subject) -> Figures:
    """One thing on a background; all pictures go into the work folder as report.png."""
    scenes = subject.scenes("one", SINGLES)
    images = subject.draw(scenes)
    grid(images, 20).save(subject.run.file("report.png"))
    right = measure.background_guesses(images) == backgrounds_of(scenes)
    return {"pictures": SINGLES, "background": share(right), **subject.retrieve(images, scenes).figures()}


def rich_backgrounds(subject: Subject) -> Figures:
    """One thing before a gradient or a scenery; all pictures go into the work folder as report_backgrounds.png."""
    scenes = subject.scenes("one", RICH, rich=True)
    images = subject.draw(scenes)
    grid(images, 20).save(subject.run.file("report_backgrounds.png"))
    named = [scene.background for scene in scenes]
    right = torch.tensor([found == name for found, name in zip(backdrops.guesses(images), named, strict=True)])
    scenery = torch.tensor([name in SCENERIES for name in named])
    return {"pictures": RICH, "gradient": share(right[~scenery]), "scenery": share(right[scenery])}


def colour_words(subject: Subject) -> Figures:
    """One thing with a colour: which of the noun's seven recoloured drawings is nearest?"""
    scenes = subject.scenes("one", COLOURED, coloured=True)
    found = subject.retrieve(subject.draw(scenes), scenes)
    wanted = torch.tensor([list(HUES).index(str(scene.things[0].colour)) for scene in scenes])
    return {
        "pictures": COLOURED,
        "colour": share(found.colours() == wanted),
        "noun_top1": found.figures()["noun_top1"],
    }


def style_words(subject: Subject) -> Figures:
    """One thing in a style: which pack's drawing of the noun is nearest?"""
    scenes = subject.scenes("one", STYLED)
    images = generate(subject.pipeline, [prompts.styled_prompt(scene) for scene in scenes])
    packs = subject.retrieve(images, scenes).packs()
    return {
        "pictures": STYLED,
        "style": share([pack == scene.pack.name for pack, scene in zip(packs, scenes, strict=True)]),
    }


def two_objects(subject: Subject) -> Figures:
    """Two things side by side: the nearest drawing of each half."""
    scenes = subject.scenes("two", PAIRS)
    images = subject.draw(scenes)
    grid(images, 20).save(subject.run.file("report_pairs.png"))
    return {"pictures": PAIRS, **subject.pairs(images, scenes)}


def numbers(subject: Subject) -> Figures:
    """Two, three or four of a thing: the layout that explains the picture best."""
    scenes = subject.scenes("several", SEVERAL)
    images = subject.draw(scenes)
    grid(images, 20).save(subject.run.file("report_numbers.png"))
    found = arrangement.recognise(images, scenes, subject.sprites)
    right = [seen.count == scene.count for seen, scene in zip(found, scenes, strict=True)]
    return {"pictures": SEVERAL, "count": share(right)}


def places(subject: Subject) -> Figures:
    """Sizes and positions of one thing: the layout that explains the picture best."""
    scenes = subject.scenes("placed", PLACED)
    images = subject.draw(scenes)
    grid(images, 20).save(subject.run.file("report_places.png"))
    pairs = list(zip(arrangement.recognise(images, scenes, subject.sprites), scenes, strict=True))
    return {
        "pictures": PLACED,
        "size": share([seen.size == scene.size for seen, scene in pairs]),
        "position": share([seen.position == scene.position for seen, scene in pairs]),
    }


def guidance(subject: Subject) -> Figures:
    """The same prompts and seeds at several guidance scales."""
    return _sweep(subject, {f"guidance_{scale:g}": (scale, NUM_STEPS) for scale in GUIDANCE_SWEEP})


def steps(subject: Subject) -> Figures:
    """The same prompts and seeds in fewer steps."""
    return _sweep(subject, {f"{count}_steps": (GUIDANCE_SCALE, count) for count in STEPS_SWEEP})


def _sweep(subject: Subject, settings: dict[str, tuple[float, int]]) -> Figures:
    singles, pairs = subject.scenes("one", SWEPT_SINGLES), subject.scenes("two", SWEPT_PAIRS)
    result: Figures = {"singles": SWEPT_SINGLES, "pairs": SWEPT_PAIRS}
    for name, (guidance_scale, num_steps) in settings.items():
        found = subject.retrieve(subject.draw(singles, guidance_scale, num_steps), singles).figures()
        both = subject.pairs(subject.draw(pairs, guidance_scale, num_steps), pairs)
        result |= {
            f"noun_top1_{name}": found["noun_top1"],
            f"noun_top1_blind_to_colour_{name}": found["noun_top1_blind_to_colour"],
            f"nearest_drawing_rmse_{name}": found["nearest_training_drawing_rmse_median"],
            f"both_in_order_{name}": both["both_in_order"],
        }
    return result


def another_artist(subject: Subject) -> Figures:
    """The held-out pack's own drawings through the same comparison: what a right picture scores."""
    sprites = load_tensors(subject.run.file("held_out.safetensors"))
    others = measure.place_drawings(sprites, subject.run.concepts, centred=True)
    others = others.where(others.colour == 0)
    images = torch.cat([others.on(colour) for colour in measure.named_colours()])
    backgrounds = torch.arange(len(BACKGROUNDS)).repeat_interleave(len(others.concept))
    wanted = others.concept.repeat(len(BACKGROUNDS))
    return measure.retrieve(images, wanted, backgrounds, subject.drawings).figures()


@torch.inference_mode()
def reconstruction(subject: Subject) -> Figures:
    """PSNR in dB of the exported autoencoder, on trained drawings and on those of the held-out pack."""
    held_out = load_tensors(subject.run.file("held_out.safetensors"))
    trained = [
        compose.compose(subject.sprites, WHITENING_SEED, 10_000 + i, subject.run.concepts).pixels for i in range(128)
    ]
    foreign = [compose.compose_any(held_out, WHITENING_SEED, i) for i in range(128)]
    result: Figures = {}
    for name, pixels in (("psnr_trained_drawings", trained), (f"psnr_{HELD_OUT_PACK.title.lower()}", foreign)):
        images, vae = compose.to_tensor(pixels).to(subject.run.device), subject.pipeline.vae
        result[name] = autoencoder.psnr(images, autoencoder.decode(vae, autoencoder.encode(vae, images)))
    return result


def repeatability(subject: Subject) -> Figures:
    """1 when two runs with one seed give the same bits."""
    once, again = (generate(subject.pipeline, ["a cat and a dog on a blue background"]) for _ in range(2))
    return {"two_runs_identical": float(torch.equal(once, again))}


def speed(subject: Subject) -> Figures:
    """Milliseconds on two threads of a processor: a guided step, and 20 steps with text and decoding; medians."""
    threads, pipeline = torch.get_num_threads(), load_pipeline(subject.folder)
    torch.set_num_threads(SPEED_THREADS)
    try:
        seconds = {count: [_seconds(pipeline, count) for _ in range(SPEED_REPEATS)] for count in (10, 20)}
    finally:
        torch.set_num_threads(threads)
    ten, twenty = (float(torch.tensor(seconds[count]).median()) for count in (10, 20))
    return {"guided_step_ms": (twenty - ten) * 100, "twenty_steps_and_decoding_ms": twenty * 1000}


def _seconds(pipeline: StableDiffusionPipeline, num_steps: int) -> float:
    started = time.monotonic()
    generate(pipeline, ["a cat on a blue background"], num_steps=num_steps)
    return time.monotonic() - started


PARTS: dict[str, Callable[[Subject], Figures]] = {
    "single_objects": single_objects,
    "rich_backgrounds": rich_backgrounds,
    "colour_words": colour_words,
    "style_words": style_words,
    "two_objects": two_objects,
    "numbers": numbers,
    "places": places,
    "guidance": guidance,
    "steps": steps,
    "another_artist": another_artist,
    "autoencoder": reconstruction,
    "repeatability": repeatability,
    "speed": speed,
}


def sample_sheet(subject: Subject, path: Path) -> None:
    """48 held-out prompts at guidance 1, 3 and 7.5."""
    texts = prompts.sheet_prompts(subject.run.concepts)
    rows = {f"guidance\n{scale:g}": generate(subject.pipeline, texts, scale) for scale in SHEET_GUIDANCE}
    contact_sheet(texts, rows, path)

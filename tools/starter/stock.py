"""What a run trains on, drawn in the background: pictures with their captions, other drawings, captions alone."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from tools.starter import compose, poses, text, text_stage
from tools.starter.checkpoint import load_tensors
from tools.starter.concepts import INK_PACK
from tools.starter.crowd import Rows, Shelf, start
from tools.starter.scene import Scene, Thing, captions
from tools.starter.stages import PICTURE_SEED, VAE_SEED, Run, load_sprites

POSE_SEED, INK_SEED, TEXT_SEED = 6, 8, 4
# Shares of the number of pictures.
OTHERS, POSES, INKS = 1 / 4, 1 / 6, 1 / 12
REHEARSED = 3000  # captions that are read before workers start, so that each need not learn the words anew

Draw = Callable[[np.random.Generator], tuple[Scene, np.ndarray]]


@dataclass(frozen=True)
class Stock:
    """Shelves of rows: pixels uint8 [128, 128, 3], tokens int16 [11, 32] or [32], labels int16 [answers], alone."""

    others: Shelf
    pictures: Shelf
    captions: Shelf
    poses: Shelf
    inks: Shelf


# The stages that each shelf is for.
NEEDED_BY = {
    "others": {"autoencoder", "decoder"},
    "pictures": {"autoencoder", "decoder", "denoiser", "few_steps", "pixel"},
    "captions": {"text"},
    "poses": {"control"},
    "inks": {"style"},
}


def open_stock(run: Run, stages: Collection[str]) -> Stock:
    """Starts to fill the shelves that these stages need."""
    sprites, others = load_sprites(run), load_tensors(run.file("others.safetensors"))
    inks = load_tensors(run.file("ink_sprites.safetensors"))
    words, unused = text.WordTokens(text_stage.load_vocabulary(run)), text_stage.other_words(run)

    def picture(rng: np.random.Generator) -> tuple[Scene, np.ndarray]:
        scene = compose.draw_scene(rng, run.concepts)
        return scene, compose.draw(sprites, scene, rng)

    def posed(rng: np.random.Generator) -> tuple[Scene, np.ndarray]:
        scene = poses.draw_scene(rng, run.concepts)
        return scene, poses.draw(sprites, scene, rng)

    def inked(rng: np.random.Generator) -> tuple[Scene, np.ndarray]:
        scene = draw_ink_scene(run, rng)
        return scene, compose.draw(inks, scene, rng)

    def caption(index: int) -> Rows:
        sentence, labels = text_stage.draw_caption(run, index, unused)
        return {"tokens": np.array(words.row(sentence), np.int16), "labels": np.array(labels, np.int16)}

    for index in range(REHEARSED):
        caption(index)
    count = run.sizes.pictures
    stock = Stock(
        Shelf("others", round(count * OTHERS), lambda i: {"pixels": compose.compose_any(others, VAE_SEED, i)}),
        Shelf("pictures", count, told(picture, PICTURE_SEED, words)),
        Shelf("captions", run.sizes.captions, caption),
        Shelf("poses", round(count * POSES), told(posed, POSE_SEED, words)),
        Shelf("inks", round(count * INKS), told(inked, INK_SEED, words)),
    )
    start([shelf for name, shelf in vars(stock).items() if NEEDED_BY[name] & set(stages)], run.workers)
    return stock


def told(draw: Draw, seed: int, words: text.WordTokens) -> Callable[[int], Rows]:
    """Rows of pictures with their captions; alone: whether there is one thing only."""

    def row(index: int) -> Rows:
        scene, pixels = draw(np.random.default_rng((seed, index)))
        tokens = np.array([words.row(caption) for caption in captions(scene)], np.int16)
        return {"pixels": pixels, "tokens": tokens, "alone": np.array(len(scene.things) * scene.count == 1)}

    return row


def draw_ink_scene(run: Run, rng: np.random.Generator) -> Scene:
    """A training scene in ink: no colours but the background's, on which black can be seen."""
    scene = compose.draw_scene(rng, run.concepts)
    while any(word in scene.background for word in ("black", "night", "space")):
        scene = compose.draw_scene(rng, run.concepts)
    return replace(scene, pack=INK_PACK, things=tuple(Thing(thing.concept) for thing in scene.things))

"""Scenes that training never shows, for measuring: deterministic, each prompt once."""

import numpy as np

from tools.starter.compose import draw_scene_of, vary_background
from tools.starter.concepts import BACKGROUNDS, CONCEPTS, Concept
from tools.starter.scene import Scene, captions, held_out

PROMPT_SEED = 6
SHEET_SEED = 7  # and the next ones, a kind each: other prompts than those of the figures
# Kinds of scenes on the contact sheet: kind, coloured, before more than one colour, how many.
SHEET_KINDS = (
    ("one", False, False, 9),
    ("one", True, False, 6),
    ("one", False, True, 8),
    ("several", False, False, 9),
    ("two", False, False, 8),
    ("two", False, True, 3),
    ("placed", False, False, 5),
)


def held_out_scenes(
    kind: str,
    count: int,
    concepts: tuple[Concept, ...] = CONCEPTS,
    coloured: bool = False,
    seed: int = PROMPT_SEED,
    rich: bool = False,
) -> list[Scene]:
    """`count` held-out scenes of one of compose.KINDS with different prompts.

    coloured: all things have a colour; rich: backgrounds are gradients or sceneries, else one colour.
    """
    rng, scenes = np.random.default_rng(seed), {}
    while len(scenes) < count:
        scene = draw_scene_of(kind, rng, concepts)
        while rich and scene.background in BACKGROUNDS:
            scene = vary_background(scene, rng)
        if held_out(scene) and (not coloured or all(thing.colour for thing in scene.things)):
            scenes.setdefault(prompt(scene), scene)
    return list(scenes.values())


def prompt(scene: Scene) -> str:
    """The scene's commonest caption."""
    return captions(scene)[0]


def styled_prompt(scene: Scene) -> str:
    """The scene's caption that names its style, too."""
    return f"{prompt(scene)}, {scene.pack.style} style"


def sheet_prompts(concepts: tuple[Concept, ...] = CONCEPTS) -> list[str]:
    """48 held-out prompts of all kinds; every fourth one names a style."""
    scenes = [
        scene
        for number, (kind, coloured, rich, count) in enumerate(SHEET_KINDS)
        for scene in held_out_scenes(kind, count, concepts, coloured, SHEET_SEED + number, rich)
    ]
    return [styled_prompt(scene) if index % 4 == 3 else prompt(scene) for index, scene in enumerate(scenes)]

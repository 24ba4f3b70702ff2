"""What the starter model can draw: concepts, named colours, artwork packs and the sentences that describe a scene."""

from dataclasses import dataclass

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Concept:
    """One thing to draw: the word in captions, the icon's name in the packs, and whether it comes in other colours."""

    word: str
    icon: str
    recolourable: bool = False


@dataclass(frozen=True)
class Pack:
    """One artwork package on npm, and the style word that captions use for it."""

    name: str
    version: str
    style: str
    title: str
    author: str
    source: str
    licence: str


PACKS = (
    Pack(
        "@iconify-json/noto",
        "1.2.9",
        "shaded",
        "Noto Emoji",
        "Google",
        "github.com/googlefonts/noto-emoji",
        "Apache-2.0",
    ),
    Pack(
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "flat",
        "Fluent UI Emoji, flat",
        "Microsoft Corporation",
        "github.com/microsoft/fluentui-emoji",
        "MIT",
    ),
)

# Never trained on: it tells how far two artists' drawings of one thing lie apart.
HELD_OUT_PACK = Pack(
    "@iconify-json/twemoji", "1.2.5", "", "Twemoji", "Twitter", "github.com/jdecked/twemoji", "CC-BY-4.0"
)

CONCEPTS = (
    Concept("cat", "cat-face"),
    Concept("dog", "dog-face"),
    Concept("fox", "fox"),
    Concept("panda", "panda"),
    Concept("frog", "frog"),
    Concept("octopus", "octopus", recolourable=True),
    Concept("fish", "fish", recolourable=True),
    Concept("butterfly", "butterfly", recolourable=True),
    Concept("ladybug", "lady-beetle"),
    Concept("pizza", "pizza"),
    Concept("apple", "red-apple", recolourable=True),
    Concept("banana", "banana"),
    Concept("strawberry", "strawberry"),
    Concept("watermelon", "watermelon"),
    Concept("mushroom", "mushroom", recolourable=True),
    Concept("doughnut", "doughnut"),
    Concept("cactus", "cactus"),
    Concept("sunflower", "sunflower"),
    Concept("tree", "evergreen-tree"),
    Concept("rainbow", "rainbow"),
    Concept("sun", "sun"),
    Concept("moon", "crescent-moon"),
    Concept("star", "star", recolourable=True),
    Concept("rocket", "rocket"),
    Concept("car", "automobile", recolourable=True),
    Concept("house", "house"),
    Concept("umbrella", "umbrella", recolourable=True),
    Concept("balloon", "balloon", recolourable=True),
    Concept("heart", "red-heart", recolourable=True),
    Concept("ghost", "ghost"),
    Concept("robot", "robot"),
    Concept("snowman", "snowman-without-snow"),
)

BACKGROUNDS: dict[str, RGB] = {
    "white": (255, 255, 255),
    "black": (16, 16, 18),
    "gray": (136, 138, 142),
    "red": (214, 44, 46),
    "orange": (250, 146, 36),
    "yellow": (252, 222, 72),
    "green": (62, 166, 74),
    "blue": (44, 110, 222),
    "purple": (134, 66, 190),
    "pink": (250, 160, 200),
}

# Hue in turns, as colorsys counts it.
HUES: dict[str, float] = {
    "red": 0.99,
    "orange": 0.08,
    "yellow": 0.14,
    "green": 0.35,
    "blue": 0.60,
    "purple": 0.77,
    "pink": 0.92,
}


@dataclass(frozen=True)
class Scene:
    """What one picture shows. colour is None when the thing keeps its own colours."""

    concept: Concept
    pack: Pack
    background: str
    colour: str | None = None


def with_article(noun_phrase: str) -> str:
    """The phrase after "a" or "an"."""
    return ("an " if noun_phrase[0] in "aeio" else "a ") + noun_phrase


def captions(scene: Scene) -> tuple[str, ...]:
    """Every sentence that describes the scene, the commonest wording repeated so that a uniform draw favours it."""
    thing = scene.concept.word if scene.colour is None else f"{scene.colour} {scene.concept.word}"
    styled = f"{scene.pack.style} {thing}"
    full = f"{with_article(thing)} on {with_article(scene.background)} background"
    return (
        full,
        full,
        full,
        f"{with_article(thing)}, {scene.background} background",
        f"{thing}, {scene.background} background",
        f"{thing} on {scene.background}",
        f"{with_article(styled)} on {with_article(scene.background)} background",
        f"{thing}, {scene.background} background, {scene.pack.style} style",
        with_article(thing),
        thing,
    )

"""Scenes: what one picture shows, the sentences that describe it, and which scenes are never trained on."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tools.starter.concepts import NUMBERS, POSITIONS, SCENERIES, Concept, Pack

HELD_OUT_SHARE = 8  # one combination of words in so many is kept for measuring
ARTICLES = {"unicorn": "a", "ufo": "a", "hourglass": "an"}  # by sound, not by letter
IRREGULAR_PLURALS = {
    "fish": "fish",
    "sheep": "sheep",
    "deer": "deer",
    "snowman": "snowmen",
    "mouse": "mice",
    "wolf": "wolves",
    "leaf": "leaves",
}


@dataclass(frozen=True)
class Thing:
    """A concept; colour is None when it keeps its own colours."""

    concept: Concept
    colour: str | None = None

    def phrase(self, count: int = 1) -> str:
        """Colour and noun."""
        noun = self.concept.word if count == 1 else plural(self.concept.word)
        return noun if self.colour is None else f"{self.colour} {noun}"


@dataclass(frozen=True)
class Scene:
    """What one picture shows: one thing, `count` of one thing, or two things side by side, the left one first.

    background: a named colour, a scenery, or the words of `gradient`. size and position belong to a single thing; None
    is the middle size, the middle of the picture.
    """

    things: tuple[Thing, ...]
    pack: Pack
    background: str
    count: int = 1
    size: str | None = None
    position: str | None = None


def with_article(noun_phrase: str) -> str:
    """The phrase after "a" or "an"."""
    word = noun_phrase.split()[0]
    vowel = ARTICLES.get(word, "an" if word[0] in "aeiou" else "a")
    return f"{vowel} {noun_phrase}"


def plural(noun: str) -> str:
    """The noun for two or more."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun[-1] in "sx" or noun[-2:] in ("ch", "sh") else "s")


def gradient(upper: str, lower: str) -> str:
    """The background that goes from one named colour at the top to another one."""
    return f"{upper} and {lower} gradient"


def gradient_colours(background: str) -> tuple[str, str] | None:
    """The two colours of `gradient`; None for other backgrounds."""
    match background.split():
        case [upper, "and", lower, "gradient"]:
            return upper, lower
        case _:
            return None


def backdrop_words(background: str) -> tuple[str, str, str]:
    """A background in words, each to be put behind what stands before it: in full, after a comma, in short."""
    if background in SCENERIES:
        where = SCENERIES[background]
        return f" {where}", f", {where}", f" {where}"
    if gradient_colours(background):
        return f" on {with_article(background)}", f", {background} background", f" on {with_article(background)}"
    return f" on {with_article(background)} background", f", {background} background", f" on {background}"


def subject(scene: Scene, style: str | None = None, article: bool = True) -> str:
    """What is there, in words: "a small red apple", "three cats", "a 3d cat and a 3d dog"."""
    adjectives = [word for word in (scene.size, style) if word]
    if scene.count > 1:
        return " ".join([NUMBERS[scene.count], *adjectives, scene.things[0].phrase(scene.count)])
    phrases = [" ".join([*adjectives, thing.phrase()]) for thing in scene.things]
    return " and ".join(map(with_article, phrases) if article else phrases)


def captions(scene: Scene) -> tuple[str, ...]:
    """Eleven sentences that describe the scene, the commonest wording repeated so that a uniform draw favours it."""
    style, place = scene.pack.style, f" {POSITIONS[scene.position]}" if scene.position else ""
    thing, bare, styled = subject(scene) + place, subject(scene, article=False) + place, subject(scene, style) + place
    around, behind, short = backdrop_words(scene.background)
    if place:
        around = short = behind
    return (
        thing + around,
        thing + around,
        thing + around,
        thing + behind,
        bare + behind,
        bare + short,
        styled + around,
        f"{thing}{behind}, {style} style",
        f"{thing}, {style} style",
        thing,
        bare,
    )


def combinations(scene: Scene) -> Iterator[str]:
    """The pairs of words that the scene brings together."""
    for thing in scene.things:
        yield f"{thing.concept.word} on {scene.background}"
        if thing.colour:
            yield f"{thing.colour} {thing.concept.word}"
    words = sorted(thing.concept.word for thing in scene.things)
    if len(words) > 1:
        yield " and ".join(words)
    for word in (NUMBERS.get(scene.count), scene.size, scene.position):
        if word:
            yield f"{word} {words[0]}"


def is_held_out(combination: str) -> bool:
    """True for a fixed eighth of all combinations."""
    return zlib.crc32(combination.encode()) % HELD_OUT_SHARE == 0


def held_out(scene: Scene) -> bool:
    """True when the scene has a combination that training never shows, so that it can be used for measuring."""
    return any(map(is_held_out, combinations(scene)))

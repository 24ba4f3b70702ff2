"""The starter model's training pictures and captions."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from tests.examples import each
from tools.starter import artwork, compose
from tools.starter.concepts import BACKGROUNDS, CONCEPTS, HUES, PACKS, SCENERIES
from tools.starter.scene import Scene, Thing, captions, gradient_colours, held_out, is_held_out, plural

pytestmark = pytest.mark.slow  # of what trains the starter model: test_starter_training tries a training by default

CONCEPT = {concept.word: concept for concept in CONCEPTS}


def scene_of(*words: str, background: str = "blue", pack: int = 0, **details) -> Scene:
    """A scene of the named things, a colour before the noun."""

    def thing(phrase: str) -> Thing:
        colour, _, noun = phrase.partition(" ")
        return Thing(CONCEPT[phrase]) if phrase in CONCEPT else Thing(CONCEPT[noun], colour)

    return Scene(tuple(map(thing, words)), PACKS[pack], background, **details)


def test_a_composition_depends_on_its_seed_and_index_alone(sprites):
    first, again = compose.compose(sprites, 7, 3), compose.compose(sprites, 7, 3)
    assert first.scene == again.scene
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, compose.compose(sprites, 7, 4).pixels)
    assert not np.array_equal(first.pixels, compose.compose(sprites, 8, 3).pixels)


def test_every_caption_names_the_things_and_their_colours():
    for caption in captions(scene_of("green apple", "cat")):
        assert caption.index("green apple") < caption.index("cat")
    for caption in captions(scene_of("red fish", count=3)):
        assert "three" in caption
        assert "red fish" in caption
    for caption in captions(scene_of("fox", size="small", position="left")):
        assert "small" in caption
        assert "fox on the left" in caption


@each(
    ("scene", "caption"),
    [
        (scene_of("apple"), "an apple on a blue background"),
        (scene_of("cat", background="orange"), "a cat on an orange background"),
        (scene_of("cat", "dog"), "a cat and a dog on a blue background"),
        (scene_of("red apple", "green cat"), "a red apple and a green cat on a blue background"),
        (scene_of("red apple", count=3), "three red apples on a blue background"),
        (scene_of("umbrella", size="big"), "a big umbrella on a blue background"),
        (scene_of("fox", size="small", position="left"), "a small fox on the left, blue background"),
        (scene_of("cat", background="beach"), "a cat on a beach"),
        (scene_of("cat", background="sea", position="left"), "a cat on the left, under water"),
        (scene_of("cat", background="red and blue gradient"), "a cat on a red and blue gradient"),
        (scene_of("cat", background="orange and red gradient"), "a cat on an orange and red gradient"),
    ],
)
def test_the_commonest_caption_is_a_full_sentence(scene, caption):
    assert captions(scene)[0] == caption


def test_a_style_can_stand_before_the_noun_or_after_the_sentence():
    said = captions(scene_of("cat", count=2, pack=1))
    assert "two flat cats on a blue background" in said
    assert "two cats, flat style" in said


@pytest.mark.parametrize(
    ("noun", "several"), [("cat", "cats"), ("fox", "foxes"), ("butterfly", "butterflies"), ("snowman", "snowmen")]
)
def test_nouns_have_their_plurals(noun, several):
    assert plural(noun) == several


def test_training_never_shows_a_held_out_combination(sprites):
    scenes = [compose.compose(sprites, 0, index).scene for index in range(300)]
    for scene in scenes:
        assert not any(is_held_out(f"{thing.concept.word} on {scene.background}") for thing in scene.things)
        assert not any(is_held_out(f"{thing.colour} {thing.concept.word}") for thing in scene.things if thing.colour)
    assert {len(scene.things) for scene in scenes} == {1, 2}
    assert {scene.count for scene in scenes} == {1, 2, 3, 4}


def test_about_an_eighth_of_the_combinations_is_held_out():
    combinations = [scene_of(word, background=background) for word in CONCEPT for background in BACKGROUNDS]
    assert 0.05 < sum(map(held_out, combinations)) / len(combinations) < 0.2


def test_two_things_are_held_out_in_either_order():
    for first in list(CONCEPT)[:8]:
        for second in list(CONCEPT)[8:16]:
            assert held_out(scene_of(first, second)) == held_out(scene_of(second, first))


def test_the_corners_have_the_colours_that_the_caption_names(sprites):
    for index in range(40):
        picture = compose.compose(sprites, 0, index)
        background = picture.scene.background
        if background in SCENERIES:
            continue
        upper, lower = gradient_colours(background) or (background, background)
        for corner, colour in ((picture.pixels[0, 0], upper), (picture.pixels[-1, -1], lower)):
            assert np.abs(corner.astype(int) - BACKGROUNDS[colour]).max() <= compose.BACKGROUND_NOISE + 1


def test_a_thing_is_never_painted_in_the_colour_of_its_background(sprites):
    scenes = [compose.compose(sprites, 0, index).scene for index in range(200)]
    painted = [(thing, scene.background) for scene in scenes for thing in scene.things if thing.colour]
    assert painted
    assert all(thing.colour != background and thing.concept.recolourable for thing, background in painted)


def covered(sprites, scene: Scene) -> np.ndarray:
    """Which pixels differ from the background, [128, 128]."""
    pixels = compose.draw(sprites, scene, np.random.default_rng(0)).astype(int)
    return np.abs(pixels - pixels[0, 0]).max(-1) > 60


def test_things_stand_where_the_caption_says(sprites):
    # Not every plain shape of these tests fills its square, so halves are compared.
    for position, half in (
        ("left", np.s_[:, :64]),
        ("right", np.s_[:, 64:]),
        ("top", np.s_[:64]),
        ("bottom", np.s_[64:]),
    ):
        mask = covered(sprites, scene_of("cat", position=position))
        assert mask[half].sum() > 0.8 * mask.sum() > 0
    small, middle, big = (covered(sprites, scene_of("cat", size=size)).sum() for size in ("small", None, "big"))
    assert small < 0.5 * middle < middle < big


def test_several_things_are_as_many_as_the_caption_says(sprites):
    areas = [covered(sprites, scene_of("cat", count=count)).sum() for count in (2, 3, 4)]
    assert areas[0] / 2 == pytest.approx(areas[1] / 3, rel=0.2) == pytest.approx(areas[2] / 4, rel=0.2)
    assert areas[2] > 1.8 * areas[0]
    quarters = [covered(sprites, scene_of("cat", count=4))[y : y + 64, x : x + 64] for x in (0, 64) for y in (0, 64)]
    assert min(quarter.sum() for quarter in quarters) > 0.8 * areas[2] / 4


@pytest.mark.parametrize("colour", HUES)
def test_recolouring_turns_the_hue_and_keeps_the_outline(sprites, colour):
    sprite = Image.fromarray(next(iter(sprites.values())).numpy())
    painted = compose.recolour(sprite, colour)
    assert np.array_equal(np.array(painted.getchannel("A")), np.array(sprite.getchannel("A")))
    hue = np.array(painted.convert("RGB").convert("HSV"))[..., 0]
    visible = np.array(sprite)[..., 3] > 0
    distance = (np.median(hue[visible]) / 255 - HUES[colour] + 0.5) % 1 - 0.5
    assert abs(distance) < 0.02  # 8-bit hue


def test_icons_are_read_from_the_archive_and_cut_to_what_is_drawn(tmp_path):
    pytest.importorskip("resvg_py")
    collection = {
        "width": 32,
        "height": 32,
        "icons": {"dot": {"body": '<circle cx="10" cy="10" r="4" fill="#f00"/>'}},
        "aliases": {"point": {"parent": "dot"}, "turned": {"parent": "dot", "rotate": 1}},
    }
    content = json.dumps(collection).encode()
    archive = tmp_path / "pack.tgz"
    with tarfile.open(archive, "w:gz") as package:
        member = tarfile.TarInfo("package/icons.json")
        member.size = len(content)
        package.addfile(member, io.BytesIO(content))
    icons = artwork.read_icons(archive)
    assert set(icons) == {"dot", "point"}
    sprite = artwork.render(icons["dot"], 64)
    assert max(sprite.size) == 64
    assert sprite.getbbox() == (0, 0, *sprite.size)


def test_pictures_by_code_point_get_the_names_of_their_icons(tmp_path):
    picture = Image.new("RGBA", (40, 40))
    picture.paste((200, 0, 0, 255), (10, 5, 30, 35))
    stream = io.BytesIO()
    picture.save(stream, "WEBP", lossless=True)
    archive = tmp_path / "pack.tgz"
    with tarfile.open(archive, "w:gz") as package:
        for name in ("2764-fe0f.webp", "ffff.webp"):
            member = tarfile.TarInfo(f"package/assets/{name}")
            member.size = len(stream.getvalue())
            package.addfile(member, io.BytesIO(stream.getvalue()))
    icons = artwork.read_pictures(archive, {"2764": "red-heart", "1f98a": "fox"})
    assert set(icons) == {"red-heart"}
    assert artwork.render(icons["red-heart"], 60).size == (20, 30)  # cut to what is drawn, never enlarged

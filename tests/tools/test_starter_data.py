"""The starter model's training pictures and captions."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from tools.starter import artwork, compose
from tools.starter.concepts import BACKGROUNDS, CONCEPTS, HUES, PACKS, Scene, captions


def test_a_composition_depends_on_its_seed_and_index_alone(sprites):
    first, again = compose.compose(sprites, 7, 3), compose.compose(sprites, 7, 3)
    assert first.scene == again.scene
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, compose.compose(sprites, 7, 4).pixels)
    assert not np.array_equal(first.pixels, compose.compose(sprites, 8, 3).pixels)


def test_every_caption_names_the_thing_and_its_colour():
    coloured = Scene(CONCEPTS[10], PACKS[0], "blue", "green")
    for caption in captions(coloured):
        assert "green apple" in caption
    for caption in captions(Scene(CONCEPTS[0], PACKS[1], "black")):
        assert "cat" in caption


def test_the_commonest_caption_is_a_full_sentence():
    assert captions(Scene(CONCEPTS[10], PACKS[0], "blue"))[0] == "an apple on a blue background"
    assert captions(Scene(CONCEPTS[0], PACKS[0], "orange"))[0] == "a cat on an orange background"


def test_the_corner_has_the_colour_that_the_caption_names(sprites):
    for index in range(40):
        picture = compose.compose(sprites, 0, index)
        corner = picture.pixels[0, 0].astype(int)
        assert np.abs(corner - BACKGROUNDS[picture.scene.background]).max() <= compose.BACKGROUND_NOISE


def test_a_thing_is_never_painted_in_the_colour_of_its_background(sprites):
    scenes = [compose.compose(sprites, 0, index).scene for index in range(200)]
    assert any(scene.colour for scene in scenes)
    assert all(scene.colour != scene.background for scene in scenes)
    assert all(scene.concept.recolourable for scene in scenes if scene.colour)


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

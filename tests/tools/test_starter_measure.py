"""The measures of the starter model's pictures, on pictures whose content is known, and the prompts they use."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.examples import some_slow
from tools.starter import arrangement, backdrops, compose, measure, prompts, sheets
from tools.starter.checkpoint import save_tensors
from tools.starter.concepts import BACKGROUNDS, CONCEPTS, HUES, PACKS
from tools.starter.report import Subject, backgrounds_of
from tools.starter.scene import Scene, Thing, held_out
from tools.starter.stages import Run

pytestmark = pytest.mark.slow  # of what trains the starter model: test_starter_training tries a training by default

FEW = CONCEPTS[4:7]  # all recolourable


@pytest.fixture(scope="module")
def few(sprites):
    """The drawings of a few concepts."""
    icons = {concept.icon for concept in FEW}
    return {name: sprite for name, sprite in sprites.items() if name.rpartition("/")[2] in icons}


@pytest.fixture(scope="module")
def drawings(few):
    return measure.place_drawings(few, FEW)


def pictures_of(sprites, scenes: list[Scene]) -> torch.Tensor:
    """Right pictures of the scenes, [scenes, 3, 128, 128] in [0, 1]."""
    drawn = [compose.draw(sprites, scene, np.random.default_rng(index)) for index, scene in enumerate(scenes)]
    return compose.to_tensor(drawn) / 2 + 0.5


def nouns_of(scenes: list[Scene]) -> torch.Tensor:
    return torch.tensor([FEW.index(scene.things[0].concept) for scene in scenes])


def test_a_training_drawing_is_retrieved_as_itself(few, drawings):
    centred = measure.place_drawings(few, FEW, centred=True)
    images = centred.on(measure.named_colours()[list(BACKGROUNDS).index("blue")])[:12]
    blue = torch.full((12,), list(BACKGROUNDS).index("blue"))
    found = measure.retrieve(images, centred.concept[:12], blue, drawings)
    assert found.figures()["noun_top1"] == 1
    assert found.figures()["noun_top1_blind_to_colour"] == 1
    # The squares are multiplied out in float32; their sum of some hundreds cancels.
    assert found.figures()["nearest_training_drawing_rmse_median"] < 2e-3


def test_distances_are_those_of_drawings_on_the_background(drawings):
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    backgrounds = measure.named_colours()[:3]
    some = drawings.where(torch.arange(len(drawings.rgba)) % 501 == 0)
    drawn = torch.stack([some.on(background) for background in backgrounds])
    expected = (images[:, None] - drawn).square().mean((2, 3, 4)).sqrt()
    # float32, and squares that are multiplied out
    assert torch.allclose(measure.colour_distances(images, backgrounds, some), expected, atol=1e-4)


def test_nouns_colours_and_packs_of_right_pictures_are_recognised(few, drawings):
    scenes = [
        Scene((Thing(concept, colour),), pack, "gray") for concept, pack, colour in zip(FEW, PACKS, HUES, strict=False)
    ]
    found = measure.retrieve(pictures_of(few, scenes), nouns_of(scenes), backgrounds_of(scenes), drawings)
    assert torch.equal(found.nouns(), nouns_of(scenes))
    assert found.colours().tolist() == [0, 1, 2]
    # The packs' shapes differ in nothing but the red that recolouring replaces: own colours tell them apart.
    plain = [Scene((Thing(concept),), pack, "gray") for concept, pack in zip(FEW, PACKS, strict=False)]
    found = measure.retrieve(pictures_of(few, plain), nouns_of(plain), backgrounds_of(plain), drawings)
    assert found.packs() == [pack.name for pack in PACKS]


def test_a_border_of_a_named_colour_is_recognised():
    images = measure.named_colours()[:, :, None, None].expand(-1, -1, 128, 128).clone()
    images[:, :, 20:100, 20:100] = 0.5
    assert torch.equal(measure.background_guesses(images), torch.arange(len(BACKGROUNDS)))


@pytest.mark.parametrize("every", some_slow([1, 5], (5,)))
def test_every_gradient_and_scenery_is_recognised_behind_a_thing(few, every: int):
    names = list(backdrops.all_backdrops())[::every]
    scenes = [Scene((Thing(FEW[0]),), PACKS[0], name) for name in names]
    assert backdrops.guesses(pictures_of(few, scenes)) == names


@pytest.mark.parametrize("every", some_slow([1, 3], (3,)))
def test_number_size_and_position_of_a_right_picture_are_recognised(few, every: int):
    wanted = list(arrangement.ARRANGEMENTS[::every])
    scenes = [Scene((Thing(FEW[0]),), PACKS[0], "white", w.count, w.size, w.position) for w in wanted]
    assert arrangement.recognise(pictures_of(few, scenes), scenes, few) == wanted


def test_two_things_are_recognised_in_their_order(few, tmp_path):
    first, second = Thing(FEW[0]), Thing(FEW[1], "green")
    scenes = [Scene((first, second), PACKS[0], "blue"), Scene((second, first), PACKS[0], "blue")]
    save_tensors(tmp_path / "sprites.safetensors", few)
    subject = Subject(tmp_path, Run(tmp_path, torch.device("cpu"), FEW))
    right = subject.pairs(pictures_of(few, scenes), scenes)
    assert right["both_in_order"] == right["both_present"] == 1
    swapped = subject.pairs(pictures_of(few, scenes[::-1]), scenes)
    assert (swapped["both_in_order"], swapped["both_present"]) == (0, 1)


@pytest.mark.parametrize("kind", compose.KINDS)
def test_prompts_for_measuring_were_never_trained_on_and_come_once(kind):
    scenes = prompts.held_out_scenes(kind, 30)
    assert all(map(held_out, scenes))
    assert len({prompts.prompt(scene) for scene in scenes}) == 30
    assert scenes == prompts.held_out_scenes(kind, 30)


def test_the_sheet_has_48_different_prompts_of_every_kind(tmp_path):
    texts = prompts.sheet_prompts()
    assert len(set(texts)) == 48
    assert {word for text in texts for word in text.split()} >= {"and", "three", "small", "style"}
    rows = {"one": torch.zeros(48, 3, 128, 128)}
    sheets.contact_sheet(texts, rows, tmp_path / "sheet.png")
    height = 4 * (sheets.HEADER + sheets.CELL)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (sheets.MARGIN + 12 * sheets.CELL, height)

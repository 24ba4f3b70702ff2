"""What the editor is told of models: their families, what suits those, and what has no meaning for them."""

import shutil
from dataclasses import replace

import pytest

from nodegraph.formats.package import discover
from nodegraph.planning.plan import plan
from nodes.backend import parts
from nodes.backend.families import FAMILIES
from nodes.control import load_controlnet
from nodes.domain import DOMAIN
from nodes.load import checkpoint
from tests.nodegraph.toys import build
from tests.tiny_variants import distilled

REGISTRY = discover("nodes")


def kind(family):
    planned = plan(build({"load": ("load.checkpoint", {"path": "models/starter"})}), REGISTRY)
    model, text_encoder, vae = planned.outputs["load"]
    assert DOMAIN.kind(model) == DOMAIN.kind(text_encoder) == DOMAIN.kind(vae)
    return DOMAIN.kind(replace(text_encoder, family=family.name))


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def told(request):
    found = kind(request.param)
    assert found is not None
    assert found.title == request.param.title
    return found


def test_what_suits_a_family_is_a_value_that_the_parameter_may_have(told):
    assert {name for _, name in told.suits} == {"steps", "schedule", "guidance_scale", "solver"}
    for (type, name), value in told.suits.items():
        assert REGISTRY[type].input(name).complaint(value) is None


def test_what_has_no_meaning_for_a_family_is_there_and_has_a_reason(told):
    for (type, name), why in told.idle.items():
        assert name == "" or REGISTRY[type].input(name) is not None, (type, name)
        assert why[:1].isupper()
        assert not why.endswith(".")


def test_numbers_and_texts_are_of_no_kind():
    assert [DOMAIN.kind(value) for value in (1, 2.0, "sd1", (1.0, 0.0), None)] == [None] * 5


def test_a_negative_prompt_has_no_meaning_for_a_model_that_is_told_the_guidance_scale(sd15_folder, tmp_path):
    usual, told = (
        DOMAIN.kind(checkpoint(str(place)).model) for place in (sd15_folder, distilled(sd15_folder, tmp_path / "lcm"))
    )
    assert usual.title == told.title
    assert {key for key in told.idle if key not in usual.idle} == {
        ("sampling.unet_step", "negative"),
        ("group:Denoise", "negative"),
        ("sampling.limit_guidance", ""),
    }


def test_a_model_whose_file_is_gone_is_still_of_its_family(sd15_folder, tmp_path):
    place = tmp_path / "gone"
    shutil.copytree(sd15_folder, place)
    model = checkpoint(str(place)).model
    shutil.rmtree(place)
    parts.settings.cache_clear()
    assert DOMAIN.kind(model).title == "Stable Diffusion 1.x"


def test_a_controlnet_that_reads_the_picture_itself_of_one_kind_needs_nothing_more(controlnet_folder):
    idle = DOMAIN.kind(load_controlnet(str(controlnet_folder))).idle
    assert {input for type, input in idle if type == "control.apply"} == {"vae", "mode", "mask", "inpaint_image"}

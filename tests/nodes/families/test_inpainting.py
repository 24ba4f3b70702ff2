"""Models that complete pictures, of 9 channels, against diffusers; and what is said where they do not fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionControlNetInpaintPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLInpaintPipeline,
    UNet2DConditionModel,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from nodegraph import program
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Node, Port
from nodegraph.node import Context
from nodegraph.planning.plan import plan
from nodes import fit
from nodes.backend import families, noise, training
from nodes.backend.families.family import Found
from nodes.backend.fields import check_fields
from nodes.backend.networks.unet import UNET
from nodes.conditioning import inpaint, reference
from nodes.control import apply_controlnet, load_controlnet
from nodes.latent import empty_latent
from nodes.latent import noise as add_noise
from nodes.load import checkpoint
from nodes.sampling import unet_step
from nodes.schedule import noise_scheduler, sigmas_at
from nodes.text import prompt
from nodes.types import Conditioning, Control, Diffusion, History, Image, Mask
from tests import tiny_models
from tests.examples import some_slow
from tests.nodes.families.oracle import SEED, STEPS, Parts, loaded, pipeline, relative

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

POSITIVE, NEGATIVE = "a photo of a red cat", "blurry"
SCALE = 5.0

EXACT = 1e-4  # float32; convolutions packed in another order, sums in sigma space

PIPELINES: dict[str, Any] = {
    "sd1": StableDiffusionInpaintPipeline,
    "sd2": StableDiffusionInpaintPipeline,
    "sdxl": StableDiffusionXLInpaintPipeline,
}


def build(plain: Path, folder: Path) -> Path:
    """The inpainting sibling of a model: its U-Net takes a mask and what is left of the picture as well."""
    shutil.copytree(plain, folder)
    settings = UNet2DConditionModel.load_config(plain / "unet")
    net = UNet2DConditionModel.from_config({**settings, "in_channels": 9})
    tiny_models.randomise(net, folder.name).save_pretrained(folder / "unet")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("inpainting")
    plain = {
        "sd1": tiny_models.build_sd15(root / "sd1"),
        "sd2": tiny_models.build_sd21(root / "sd2"),
        "sdxl": tiny_models.build_sdxl(root / "sdxl"),
    }
    made = {name: build(folder, root / f"{name}_inpainting") for name, folder in plain.items()}
    return made | {f"plain {name}": folder for name, folder in plain.items()}


@pytest.fixture
def place(request: pytest.FixtureRequest, single_file: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """A folder as it is, or its single file."""
    return single_file if request.param == "file" else lambda folder: folder


@pytest.fixture
def means(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipelines draw from the distribution that their VAE's encoder tells; we take its mean, always."""
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())


def picture(batch: int = 1, size: tuple[int, int] = (64, 64)) -> tuple[Tensor, Tensor]:
    """Pixels, and a mask with an edge within a latent pixel."""
    mask = torch.zeros(batch, 1, *size)
    mask[..., 10 : size[0] // 2, size[1] // 3 :] = 1
    return noise.draw((batch, 3, *size), 5, 0).sigmoid(), mask


def texts(parts: Parts, pixels: Tensor, mask: Tensor) -> tuple[Conditioning, Conditioning]:
    shown = inpaint(Context(), prompt(parts.text_encoder, POSITIVE), parts.vae, Image(pixels), Mask(mask))
    return shown, prompt(parts.text_encoder, NEGATIVE)


def sample(
    parts: Parts,
    prompts: tuple[Conditioning, Conditioning],
    *,
    batch: int = 1,
    size: tuple[int, int] = (64, 64),
    control: Control | None = None,
) -> Tensor:
    """A plain loop over the functions that are nodes in the editor. size: (height, width)."""
    sigmas, sigma_start, steps = noise_scheduler(parts.model, "normal", STEPS)
    latent, seed = add_noise(empty_latent(parts.vae, size[1], size[0], batch), sigma_start, SEED)
    history: History | None = None
    for index in range(steps):
        latent, _, history = unet_step(
            Context(), parts.model, latent, *prompts, *sigmas_at(sigmas, index),
            index, seed, SCALE, "euler", history, control,
        )  # fmt: skip
    return latent.samples


def stock(
    pipeline: Any, pixels: Tensor, mask: Tensor, *, batch: int = 1, size: tuple[int, int] = (64, 64), **options: Any
) -> Tensor:
    """What a pipeline makes of the same noise."""
    height, width = size
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config, timestep_spacing="linspace")
    # The pipelines bring noise to the level themselves.
    start = noise.draw((batch, 4, height // 8, width // 8), SEED, 0)
    return pipeline(
        prompt=POSITIVE, negative_prompt=NEGATIVE, image=pixels, mask_image=mask, latents=start, strength=1.0,
        num_inference_steps=STEPS, guidance_scale=SCALE, height=height, width=width, num_images_per_prompt=batch,
        output_type="latent", **options,
    ).images  # fmt: skip


@pytest.mark.usefixtures("means")
@pytest.mark.parametrize(
    ("name", "place"),
    [
        *some_slow([(name, "folder") for name in PIPELINES], [("sd1", "folder")]),
        *(pytest.param(name, "file", marks=pytest.mark.slow if name != "sd1" else ()) for name in PIPELINES),
    ],
    indirect=["place"],
)
def test_a_picture_is_completed_as_by_the_stock_pipeline(
    name: str, folders: dict[str, Path], place: Callable[[Path], Path]
):
    parts, (pixels, mask) = loaded(place(folders[name])), picture()
    theirs = stock(pipeline(PIPELINES[name], folders[name]), pixels, mask)
    assert relative(sample(parts, texts(parts, pixels, mask)), theirs) < EXACT


@pytest.mark.usefixtures("means")
@pytest.mark.parametrize("name", some_slow(PIPELINES, ("sd1",)))
@pytest.mark.parametrize(("batch", "size"), [(2, (64, 64)), (1, (48, 80))])
def test_batches_and_other_sizes_are_those_of_the_stock_pipeline(
    name: str, batch: int, size: tuple[int, int], folders: dict[str, Path]
):
    parts, (pixels, mask) = loaded(folders[name]), picture(size=size)
    theirs = stock(pipeline(PIPELINES[name], folders[name]), pixels, mask, batch=batch, size=size)
    assert relative(sample(parts, texts(parts, pixels, mask), batch=batch, size=size), theirs) < EXACT


@pytest.mark.usefixtures("means")
def test_a_controlnet_guides_the_completion_as_in_the_stock_pipeline(folders: dict[str, Path], controlnet_folder: Path):
    parts, (pixels, mask) = loaded(folders["sd1"]), picture()
    hint = noise.draw((1, 3, 64, 64), 8, 0).sigmoid()
    net = ControlNetModel.from_pretrained(controlnet_folder)
    guided = pipeline(StableDiffusionControlNetInpaintPipeline, folders["sd1"], controlnet=net)
    theirs = stock(guided, pixels, mask, control_image=hint, controlnet_conditioning_scale=0.8)
    control = apply_controlnet(load_controlnet(str(controlnet_folder)), Image(hint), 0.8)
    assert relative(sample(parts, texts(parts, pixels, mask), control=control), theirs) < EXACT


def test_each_picture_of_a_batch_has_its_own_mask(folders: dict[str, Path]):
    parts = loaded(folders["sd1"])
    pixels, mask = picture(2)
    mask[1] = mask[1].flip(-1)
    both = sample(parts, texts(parts, pixels, mask), batch=2)
    second = sample(parts, texts(parts, pixels[1:], mask[1:]), batch=2)
    assert relative(both[1:], second[1:]) < EXACT
    assert relative(both[:1], second[:1]) > 1e-3


@pytest.mark.parametrize("counts", [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_what_is_alone_goes_with_every_item_of_the_other(counts: tuple[int, int], folders: dict[str, Path]):
    parts = loaded(folders["sd1"])
    (pixels, _), (_, mask) = picture(counts[0]), picture(counts[1])
    shown = inpaint(Context(), prompt(parts.text_encoder, ""), parts.vae, Image(pixels), Mask(mask)).masked
    assert shown is not None
    assert (len(shown.latent), len(shown.mask)) == (max(counts), counts[1])


# What is said ----------------------------------------------------------------------------------------------


def planned(parts: Parts, **known: Any) -> fit.Prompt:
    """A prompt with a picture of which so much is known."""
    return fit.prompt_of(parts.text_encoder)._replace(masked=fit.Shown(parts.vae.space, known.get("shape")))


def test_a_model_that_completes_pictures_says_so_when_it_gets_none(folders: dict[str, Path]):
    parts = loaded(folders["sd1"])
    with pytest.raises(ValueError, match=r"sd1_inpainting \(Stable Diffusion 1\.x\) completes pictures: put Inpaint"):
        fit.check_step(parts.model, None, (fit.prompt_of(parts.text_encoder),), ())
    plain = prompt(parts.text_encoder, POSITIVE)
    with pytest.raises(ValueError, match="completes pictures: put Inpaint conditioning"):
        sample(parts, (plain, plain))


def test_it_is_said_while_planning_and_a_picture_contents_it(folders: dict[str, Path]):
    flow = workflow.load(program.FOLDER / "workflows" / "text_to_image.json")
    nodes = dict(flow.nodes)
    nodes["checkpoint"] = replace(nodes["checkpoint"], params={"path": str(folders["sd1"])})
    nodes["latent"] = replace(nodes["latent"], params={"width": 64, "height": 64})

    def problems(nodes: dict[str, Node], links: dict[Port, Port]) -> set[str]:
        graph = replace(flow, nodes=nodes, links=flow.links | links)
        return {problem.message for problem in plan(graph, discover("nodes")).problems}

    assert all("completes pictures: put Inpaint conditioning" in message for message in problems(nodes, {}))
    assert problems(nodes, {})

    nodes["picture"] = Node("image.grey", {"width": 96, "height": 64})
    nodes["mask"], nodes["shown"] = Node("mask.rectangle"), Node("conditioning.inpaint")
    links = {
        Port("mask", "image"): Port("picture", "image"),
        Port("shown", "image"): Port("picture", "image"),
        Port("shown", "mask"): Port("mask", "mask"),
        Port("shown", "vae"): Port("checkpoint", "vae"),
        Port("shown", "conditioning"): flow.links[Port("denoise", "positive")],
        Port("denoise", "positive"): Port("shown", "conditioning"),
    }
    (message,) = problems(nodes, links)
    assert "the picture to complete is 96 x 64, the one being made 64 x 64" in message
    nodes["picture"] = Node("image.grey", {"width": 64, "height": 64})
    assert not problems(nodes, links)


def test_a_model_that_does_not_see_a_mask_is_not_given_one(folders: dict[str, Path]):
    parts = loaded(folders["plain sd1"])
    with pytest.raises(ValueError, match=r"brings a picture to complete, which .*sd1 \(Stable .* does not take; leave"):
        fit.check_step(parts.model, None, (planned(parts),), ())
    with pytest.raises(ValueError, match="brings a picture to complete"):
        sample(parts, texts(parts, *picture()))


def test_a_picture_of_another_size_than_the_one_being_made_is_refused(folders: dict[str, Path]):
    parts = loaded(folders["sd1"])
    with pytest.raises(ValueError, match="the picture to complete is 96 x 64, the one being made 64 x 64"):
        fit.check_step(parts.model, (1, 4, 8, 8), (planned(parts, shape=(1, 4, 8, 12)),), ())
    with pytest.raises(ValueError, match="the picture to complete is 96 x 64, the one being made 64 x 64"):
        sample(parts, texts(parts, *picture(size=(64, 96))))


def test_two_pictures_for_a_batch_of_three_are_refused(folders: dict[str, Path]):
    parts = loaded(folders["sd1"])
    with pytest.raises(ValueError, match="brings 2 pictures for a batch of 3"):
        fit.check_step(parts.model, (3, 4, 8, 8), (planned(parts, shape=(2, 4, 8, 8)),), ())


def test_a_picture_encoded_for_another_family_is_refused(folders: dict[str, Path]):
    parts, other = loaded(folders["sd1"]), loaded(folders["sdxl"])
    shown = fit.prompt_of(parts.text_encoder)._replace(masked=fit.Shown(other.vae.space, None))
    with pytest.raises(ValueError, match="was encoded for another model; use the model's own VAE"):
        fit.check_step(parts.model, None, (shown,), ())


def test_a_picture_and_a_mask_that_do_not_fit_each_other_are_refused(folders: dict[str, Path]):
    parts, pixels = loaded(folders["sd1"]), picture()[0]
    with pytest.raises(ValueError, match="batches must have one item or equally many: image has 3 and mask has 2"):
        texts(parts, picture(3)[0], picture(2)[1])
    with pytest.raises(ValueError, match="pictures and masks must have one size: image is 64 x 64 and mask is 64 x 48"):
        texts(parts, pixels, picture(size=(48, 64))[1])


def test_a_model_that_completes_pictures_is_not_trained(folders: dict[str, Path]):
    parts = loaded(folders["sd1"])
    empty = prompt(parts.text_encoder, "")
    examples = training.Examples(torch.zeros(1, 4, 8, 8), [empty], empty)
    with pytest.raises(ValueError, match="completes pictures"):
        training.Training(parts.model, training.Settings("attention", 2, 1e-3, 1, 0), examples)


def test_a_soft_mask_means_yes_from_the_middle(folders: dict[str, Path]):
    parts, (pixels, mask) = loaded(folders["sd1"]), picture()
    soft = texts(parts, pixels, mask * 0.5)[0].masked
    hard = texts(parts, pixels, mask)[0].masked
    assert soft is not None
    assert hard is not None
    assert soft.mask.equal(hard.mask)
    assert soft.latent.equal(hard.latent)


def test_a_family_that_sees_no_references_says_so(folders: dict[str, Path]):
    parts = loaded(folders["plain sd1"])
    with pytest.raises(ValueError, match=r"models of Stable Diffusion 1\.x see no other pictures"):
        reference(Context(), prompt(parts.text_encoder, ""), parts.vae, Image(torch.zeros(1, 3, 64, 64)))


def test_a_u_net_of_other_channels_is_refused(tmp_path: Path, folders: dict[str, Path]):
    folder = tmp_path / "edits"
    shutil.copytree(folders["plain sd1"], folder)
    settings = UNet2DConditionModel.load_config(folder / "unet")
    UNet2DConditionModel.from_config({**settings, "in_channels": 8}).save_pretrained(folder / "unet")
    with pytest.raises(ValueError, match="it takes 8 channels; this program can run those of 4, and of 9"):
        checkpoint(str(folder))


@pytest.mark.parametrize("name", ["input_blocks.0.0.weight", "conv_in.weight"])
def test_a_file_without_settings_tells_that_its_u_net_completes_pictures(name: str):
    sd2 = families.of("sd2")
    found = Found(Path("512-inpainting.safetensors"), {f"model.diffusion_model.{name}": (320, 9, 3, 3)})
    settings = check_fields(found.place, sd2.default_settings("unet"), UNET.schema)
    settings = UNET.told(settings, {name: (320, 9, 3, 3)})
    assert sd2.complaint(settings) is None
    assert sd2.takes(settings) == {"masked"}
    assert sd2.process(found, None) == Diffusion("epsilon")  # the published one; the others predict v
    assert sd2.native_size(settings) == 512

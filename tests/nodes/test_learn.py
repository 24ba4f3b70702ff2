"""The workflows that teach: each runs on the starter model, and does what the note on its canvas says."""

import shutil
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, change_node, set_param
from nodegraph.planning.keys import Ref
from nodegraph.planning.plan import Plan, plan
from nodegraph.registry import Registry
from nodegraph.running import executor
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Failed
from nodes.backend import pool
from nodes.image import canny
from nodes.types import Image
from tests.examples import each
from tools.starter import backdrops

STARTER = Path(__file__).parents[2] / "models" / "starter"
FOLDER = Path(__file__).parents[2] / "workflows" / "learn"
FILES = sorted(FOLDER.glob("*.json"))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover("nodes")


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the pictures on the way, each of which takes as long as a step."""
    monkeypatch.setattr(executor, "EVENT_SECONDS", inf)


class Run:
    """What the nodes of a finished workflow made."""

    def __init__(self, graph: Graph, registry: Registry, out: Path, target: str) -> None:
        pool.configure("cpu")
        self.plan: Plan = plan(graph, registry)
        self.cache = Cache(1 << 30)
        failures: list[Event] = []
        execute(self.plan, [target], self.cache, failures.append, out_dir=str(out))
        assert [event for event in failures if isinstance(event, Failed)] == []

    def of(self, node: str) -> Any:
        """The first output; of the last round, when the node is inside a zone."""
        return self.value(Ref(self.plan.keys[node], ""))[0]

    def rounds(self, node: str) -> list[Any]:
        """The first output in every round of the zone around a node."""
        calls = sorted((call for call in self.plan.calls.values() if call.node == node), key=lambda c: c.iteration)
        return [self.value(Ref(call.key, ""))[0] for call in calls]

    def cells(self, grid: str = "grid") -> list[Tensor]:
        """The pictures of a grid, [1, 3, height, width] each."""
        images = self.plan.calls[self.plan.keys[grid]].args["images"]
        if not isinstance(images, Ref):
            return [self.value(ref)[0].pixels for ref in images]
        return [image.pixels for image in self.value(images)[0]]

    def value(self, ref: Ref) -> tuple[Any, ...]:
        values = self.cache.get(ref.key)
        assert values is not None
        return values


@pytest.fixture
def run(registry: Registry, tmp_path: Path) -> Any:
    def make(lesson: str | Graph, target: str = "grid", params: Mapping[tuple[str, str], Any] | None = None) -> Run:
        graph = lesson if isinstance(lesson, Graph) else workflow.load(FOLDER / f"{lesson}.json")
        for (node, param), value in (params or {}).items():
            graph = set_param(graph, node, param, value)
        return Run(graph, registry, tmp_path, target)

    return make


@pytest.fixture(scope="module")
def shipped(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Run]:
    """A lesson as it ships, run once for all tests that look at it."""

    @cache
    def make(lesson: str, target: str) -> Run:
        graph = workflow.load(FOLDER / f"{lesson}.json")
        return Run(graph, registry, tmp_path_factory.mktemp(lesson), target)

    return make


def distance(a: Tensor, b: Tensor) -> float:
    return (a - b).square().mean().sqrt().item()


def colourfulness(pixels: Tensor) -> float:
    """The mean distance between a pixel's strongest and weakest colour."""
    return (pixels.amax(1) - pixels.amin(1)).mean().item()


def corners(pixels: Tensor) -> Tensor:
    """The mean colour of the four corners: red, green, blue."""
    ends = pixels[..., [0, 1, -2, -1], :][..., [0, 1, -2, -1]]
    return ends.mean((0, 2, 3))


def correlation(a: Tensor, b: Tensor) -> float:
    return torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1].item()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_lesson_has_no_problems(path: Path, registry: Registry):
    assert plan(workflow.load(path), registry).problems == ()


@each("path", FILES)
def test_a_lesson_is_written_as_the_program_writes_it(path: Path):
    assert workflow.dumps(workflow.load(path)) == path.read_text("utf-8")


@each("path", FILES)
def test_a_lesson_says_what_it_shows_and_what_to_try(path: Path):
    notes = [node.params["text"] for node in workflow.load(path).nodes.values() if node.type == "canvas.note"]
    assert len(notes) == 1
    assert notes[0].startswith("# ")
    assert "**Try:**" in notes[0]


def test_forward_diffusion_leaves_less_and_less_of_the_picture(shipped: Any):
    for name in ("linear", "cosine"):
        done = shipped("01_forward_diffusion", f"grid_{name}")
        clean, *noised = done.cells(f"grid_{name}")
        left = [correlation(picture, clean) for picture in noised]
        assert left[0] > 0.7
        assert all(earlier > later for earlier, later in pairwise(left[:7]))
        assert max(map(abs, left[-2:])) < 0.1


def test_the_cosine_schedule_keeps_the_picture_longer(shipped: Any):
    linear, cosine = (
        shipped("01_forward_diffusion", f"grid_{name}").cells(f"grid_{name}") for name in ("linear", "cosine")
    )
    for fast, slow in list(zip(linear, cosine, strict=True))[2:7]:
        assert correlation(slow, cosine[0]) > correlation(fast, linear[0])


@pytest.mark.slow  # it tells of the shipped model
def test_the_guess_comes_closer_to_the_picture_with_every_step(run: Any):
    done = run("02_reverse_diffusion", params={("scheduler", "steps"): 4, ("stops", "count"): 4})
    guesses, latents = ([image.pixels for image in done.rounds(node)] for node in ("guess", "noisy"))
    away = [distance(guess, guesses[-1]) for guess in guesses]
    assert all(earlier > later for earlier, later in pairwise(away[::2]))
    assert distance(latents[0], guesses[-1]) > distance(guesses[0], guesses[-1])
    assert torch.allclose(latents[-1], guesses[-1], atol=1e-4)  # the last step goes all the way to the guess


def test_looking_at_a_step_computes_none_again(registry: Registry):
    planned = plan(workflow.load(FOLDER / "02_reverse_diffusion.json"), registry)
    steps = [call for call in planned.calls.values() if call.node == "step"]
    assert len(steps) == 9


@pytest.mark.slow  # as a scenery behind a thing, in test_starter
def test_words_decide_the_thing_and_what_is_behind_it(run: Any):
    pictures = run("03_text_conditioning", params={("scheduler", "steps"): 6}).cells()
    places = ["blue", "meadow", "snow", "desert", "desert", "sunset", "sea", "space", "purple and pink gradient"]
    assert backdrops.guesses(torch.cat(pictures)) == places
    red, green = (picture[..., 48:96, 32:96].mean((0, 2, 3)) for picture in pictures[3:5])
    assert red[0] - red[1] > green[0] - green[1] + 0.1


def test_guidance_0_ignores_the_prompt(run: Any):
    steps = {("scheduler", "steps"): 3}
    ignored = run("04_guidance", params=steps | {("values", "values"): (0.0,)}).cells()[0]
    nothing = run("04_guidance", params=steps | {("values", "values"): (1.0,), ("positive", "text"): ""}).cells()[0]
    assert torch.allclose(ignored, nothing, atol=1e-3)  # a batch of two sums in another order


def test_guidance_sharpens_and_then_burns(run: Any):
    values = (0.0, 1.0, 3.0, 7.5, 30.0)
    pictures = run("04_guidance", params={("scheduler", "steps"): 5, ("values", "values"): values}).cells()
    burnt = [((picture < 0.01) | (picture > 0.99)).float().mean().item() for picture in pictures]
    assert burnt[1] < burnt[3] < burnt[4]
    assert distance(pictures[0], pictures[1]) > distance(pictures[1], pictures[2])


@pytest.mark.slow  # it tells of the shipped model
def test_more_steps_come_closer_to_the_picture_of_many(run: Any):
    # Not from one step on: its blurred average is near every picture.
    *few, many = run("05_steps", params={("values", "values"): (2.0, 4.0, 8.0)}).cells()
    away = [distance(picture, many) for picture in few]
    assert all(earlier > later for earlier, later in pairwise(away))


@pytest.mark.slow  # each solver is compared with its oracle, in test_oracle
def test_solvers_without_fresh_noise_agree_and_the_others_do_not(run: Any):
    lines = "euler\nddim\ndpmpp_2m\nuni_pc\neuler_ancestral"
    euler, ddim, two_m, uni_pc, ancestral = run(
        "06_solvers", params={("solvers", "lines"): lines, ("scheduler", "steps"): 8}
    ).cells()
    assert torch.allclose(euler, ddim, atol=1e-3)
    assert max(distance(euler, two_m), distance(two_m, uni_pc)) < distance(two_m, ancestral) / 2


def test_a_latent_holds_a_48th_of_the_numbers_and_most_of_the_picture(run: Any):
    done = run("07_latent_space", "compare")
    picture, latent, decoded = done.of("resize").pixels, done.of("encode").samples, done.of("decode").pixels
    assert picture.numel() == 48 * latent.numel()
    assert distance(picture, decoded) < 0.06
    assert len(run("07_latent_space").cells()) == latent.shape[1] == 4


def test_a_latent_keeps_gradients_and_loses_outlines(run: Any):
    done = run("07_latent_space", "compare")
    picture, decoded = done.of("resize").pixels, done.of("decode").pixels
    outlines = canny(Image(picture), 0.05, 0.15).pixels[:, :1]
    near = torch.nn.functional.max_pool2d(outlines, 9, 1, 4) > 0
    lost = (picture - decoded).abs().mean(1, keepdim=True)
    assert lost[near].mean() > 2.5 * lost[~near].mean()
    sky = picture[..., :72, :8].mean((0, 1, 3))
    assert sky[-1] > sky[0] + 0.05  # there is a gradient to keep


def test_more_strength_leads_further_from_the_picture(run: Any):
    short = {("scheduler", "steps"): 4, ("values", "values"): (0.2, 0.6, 1.0)}
    away = run("08_image_to_image", "end_picture", short).rounds("distance")
    assert away[0] < 0.8 * away[-1]
    assert away == sorted(away)


def test_inpainting_leaves_what_is_outside_the_mask_untouched(run: Any):
    done = run("09_inpainting", params={("scheduler", "steps"): 5})
    original, result = done.of("encode").samples, done.of("keep").samples
    inside = torch.nn.functional.interpolate(done.of("mask").weight, result.shape[-2:], mode="area")
    outside = (inside == 0).expand_as(result)
    assert outside.any()
    assert torch.equal(result[outside], original[outside])
    assert distance(result[~outside], original[~outside]) > 0.3


@pytest.mark.slow  # on the same drawings as in test_training
def test_training_a_lora_changes_the_picture(run: Any, tmp_path: Path):
    drawings = sorted((FOLDER / "drawings").glob("*.png"))[:4]
    folder = tmp_path / "drawings"
    folder.mkdir()
    for drawing in drawings:
        shutil.copy(drawing, folder)
    short = {"folder": str(folder), "steps": 3, "batch": 2, "size": 64, "sample_prompts": "", "learning_rate": 0.01}
    params = {("train", name): value for name, value in short.items()} | {("scheduler", "steps"): 3}
    done = run("13_train_lora", params=params)
    assert Path(done.of("train")).is_file()
    before, after = done.cells()
    assert distance(before, after) > 0.01


def test_edges_decide_where_things_go(run: Any):
    edges, free, led = run("10_controlnet", params={("scheduler", "steps"): 4}).cells()
    agreement = [f1(canny(Image(picture), 0.05, 0.15).pixels, edges) for picture in (free, led)]
    assert agreement[1] > 1.5 * agreement[0]


def f1(found: Tensor, wanted: Tensor) -> float:
    """How well two drawings of edges agree, 0 to 1; an edge may be two pixels off."""
    precision, recall = (
        (torch.nn.functional.max_pool2d(other, 5, 1, 2) * edges).sum() / edges.sum()
        for edges, other in ((found, wanted), (wanted, found))
    )
    return (2 * precision * recall / (precision + recall)).item()


def test_strength_0_is_the_model_without_the_lora(run: Any):
    values = {("values", "values"): (0.0,), ("scheduler", "steps"): 3}
    without = run("11_lora_strength", params=values).cells()[0]
    bypassed = change_node(workflow.load(FOLDER / "11_lora_strength.json"), "lora", mode="bypassed")
    assert torch.equal(without, run(bypassed, params=values).cells()[0])


@pytest.mark.slow  # the same LoRA is tried in test_starter
def test_more_strength_takes_the_colours_away(run: Any):
    values = {("values", "values"): (0.0, 0.5, 1.0), ("scheduler", "steps"): 4}
    colours = [colourfulness(picture) for picture in run("11_lora_strength", params=values).cells()]
    assert colours[0] > colours[1] > colours[2]


@pytest.mark.slow  # it tells of the shipped model
def test_the_few_step_lora_comes_closer_to_many_steps(run: Any):
    few, student, many = run("12_few_steps", params={("many", "steps"): 6}).cells()
    assert distance(student, many) < distance(few, many)


def test_pixels_are_three_times_the_numbers_and_read_the_same_prompt(run: Any):
    steps = {(node, "steps"): 4 for node in ("pixel_scheduler", "scheduler")}
    done = run("14_pixels_and_latents", params=steps)
    assert done.of("pixel_noise").samples.numel() == 3 * done.of("noise").samples.numel()
    pixels, shrunk, latents = done.cells()
    assert latents.numel() == 16 * done.of("pixel_noise").samples.numel()
    for picture in (pixels, shrunk):  # both are shown as 32 x 32
        assert torch.equal(picture[..., ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3), picture)
    for picture in done.cells():
        background = corners(picture)
        assert background[2] > background[0] + 0.2


@pytest.mark.slow  # it counts what does not change while the models do not
def test_a_step_of_the_pixel_model_is_a_fifth_of_the_work_and_four_times_it_with_the_same_network():
    with torch.device("meta"):
        settings = (UNet2DConditionModel.load_config(STARTER / name) for name in ("unet", "pixel/unet"))
        latent, pixel = (UNet2DConditionModel.from_config(each) for each in settings)
    work = operations(latent, 4, 16)
    assert work / operations(pixel, 3, 32) == pytest.approx(5, abs=0.5)
    assert operations(latent, 4, 32) / work == pytest.approx(4, abs=0.2)
    assert operations(latent, 4, 128) / work == pytest.approx(95, abs=1)


def operations(unet: UNet2DConditionModel, channels: int, side: int) -> int:
    """Multiplications and additions of one question to a denoiser, counted and not made."""
    with FlopCounterMode(display=False) as counter, torch.no_grad(), torch.device("meta"):
        unet(torch.zeros(1, channels, side, side), 1, encoder_hidden_states=torch.zeros(1, 32, 192))
    return counter.get_total_flops()

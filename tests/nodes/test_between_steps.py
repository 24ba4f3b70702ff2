"""What happens between two steps of a denoising on an accelerator: little, and nothing that anybody waits for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
import torch
from safetensors.torch import load_file

import nodes
from nodegraph.formats.package import discover
from nodegraph.graph import set_param
from nodegraph.node import Context
from nodegraph.planning.plan import plan
from nodegraph.running.cache import Cache
from nodegraph.running.executor import execute
from nodegraph.running.messages import Event, Failed
from nodes import control, load, text
from nodes.backend import devices, families, pool, resident
from nodes.backend.cards import Card
from nodes.backend.families import qwenimage, qwenimage21
from nodes.backend.solvers import SOLVERS, SolverName, step
from nodes.sampling import unet_step
from nodes.types import Conditioning, Control, Diffusion, History, Image, Latent, Model
from tests import quantised_files, wide_models
from tests.examples import each, some_slow
from tests.nodes.test_resident import Late
from tests.nodes.test_workflows import files, shipped
from tests.toy_device import DEVICE, Counts, toy_device

__all__ = ["files"]

SIGMAS = {False: (4.0, 3.0, 2.0, 1.0, 0.5), True: (0.9, 0.7, 0.5, 0.3, 0.1)}
"""By whether noise is added as in flows."""

MOST_CALLS = 700
"""Of functions, in a step, outside the network: some 0.1 ms."""

MORE_CALLS = 150
"""Where the network is called once more, as for prompts of different lengths."""


class Case(NamedTuple):
    model: Model
    positive: Conditioning
    negative: Conditioning


def prompts(model: Model, encoder: Any) -> Case:
    return Case(model, text.prompt(encoder, "a cat"), text.prompt(encoder, "blurry"))


FAST = ("sd1", "flux", "zimage", "krea2", "qwenimage21 edit", "pixel")
SLOW = ("sd2", "sdxl", "sdxl_refiner", "sd3", "flux2", "klein", "qwenimage", "qwenimage edit", "qwenimage21")
CASES = (*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW))
"""Families, and editors, which see other pictures while they denoise. Slow: of whose kind another is tried, as Flux of
networks of two streams."""

FOLDERS = {"sd1": "sd15", "sd2": "sd21"}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    return made_case(request.param, request.getfixturevalue, monkeypatch)


def made_case(what: str, fixture: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Case:
    name, *sees = what.split()
    if name == "pixel":
        return prompts(load.pixel_model(), load.checkpoint().text_encoder)
    if what == "qwenimage edit":
        folder: Path = fixture("qwenimage_edit_folders")["2511"]
    else:
        folder = fixture(f"{FOLDERS.get(name, name)}_folder")
    parts = load.checkpoint(str(folder))
    if not sees:
        return prompts(parts.model, parts.text_encoder)
    for module in (qwenimage, qwenimage21):
        monkeypatch.setattr(module, "REFERENCE_AREA", 64 * 64)
    monkeypatch.setattr(qwenimage, "SEEN_AREA", 56 * 56)
    pictures = [Image(torch.rand(1, 3, 64, side, generator=torch.Generator().manual_seed(side))) for side in (64, 96)]
    given = (Context(), parts.text_encoder)
    return Case(
        parts.model,
        *(text.prompt_with_pictures(*given, said, parts.vae, *pictures) for said in ("a cat", "blurry")),
    )


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Counts]]:
    """Moves everything to the toy device, from which results leave as from a GPU."""
    monkeypatch.setitem(resident.LANES, DEVICE, Late)
    pool.free()
    with toy_device() as counts:

        def moved() -> Counts:
            pool.free()
            monkeypatch.setattr(pool, "_device", torch.device(DEVICE, 0))
            monkeypatch.setattr(devices, "card", lambda _: Card("cpu", "cpu", "a toy", 8 << 30))
            return counts

        yield moved
    pool.free()
    resident.free()


def steps(case: Case, solver: Any = "euler", hints: Control | None = None, count: int = 2) -> Iterator[Latent]:
    model = case.model
    family = families.of(model.network.family)
    sigmas = SIGMAS[model.space.flow]
    latent = Latent(torch.randn(1, model.space.channels, 8, 8, generator=torch.Generator().manual_seed(1)), model.space)
    history: History | None = None
    for index in range(count):
        made = unet_step(
            *(Context(), model, latent, case.positive, case.negative, sigmas[index], sigmas[index + 1]),
            **{"index": index, "solver": solver, "history": history, "control": hints},
            guidance_scale=1.0 if family.defaults.guidance_scale == 1 else 5.0,
        )
        latent, history = made.latent, made.history
        yield latent


def test_after_the_first_step_nothing_goes_up_comes_down_or_is_waited_for(case: Case, device: Callable[[], Counts]):
    expected = [latent.samples.clone() for latent in steps(case)]
    counts = device()
    made = []
    for index, latent in enumerate(steps(case)):
        assert resident.is_under_way(latent.samples)
        if index:
            assert counts.between == {}
            assert counts["kernels"] > 0
        counts.clear()
        made.append(latent.samples)
    for ours, theirs in zip(made, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3)  # the CPU's packed convolutions add in another order


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["plain_fp8", "int8_convrot", "w4a8", "nvfp4", "Q5_0", "Q4_K"])
def test_packed_weights_are_made_into_numbers_where_they_are(tmp_path: Path, device: Callable[[], Counts], layout: str):
    folder = wide_models.build_wide(tmp_path / "wide")
    (file,) = (folder / "transformer").glob("*.safetensors")
    tensors = load_file(file)
    file.unlink()
    quantised_files.write(file, tensors, layout)
    parts = load.checkpoint(str(folder))
    case = prompts(parts.model, parts.text_encoder)
    expected = [latent.samples.clone() for latent in steps(case, count=3)]
    counts = device()
    for index, (latent, theirs) in enumerate(zip(steps(case, count=3), expected, strict=True)):
        if index:
            assert counts.between == {}
        counts.clear()
        assert torch.allclose(latent.samples, theirs, rtol=1e-3, atol=1e-3)


@each("solver", SOLVERS)
def test_with_every_solver_all_that_goes_up_is_fresh_noise(solver: SolverName):
    sigmas = SIGMAS[False]
    fresh = {"up": 1} if solver in ("euler_ancestral", "dpmpp_2m_sde", "lcm") else {}
    with toy_device() as counts:
        x, history = torch.ones(1, 4, 8, 8, device=DEVICE), History()
        for index in range(4):
            levels = sigmas[index], sigmas[index + 1]
            counts.clear()
            x, _, history = step(solver, Diffusion(), lambda x, sigma: x / 2, x, *levels, history, 1, index)
            assert counts.between == fresh


def test_a_hint_is_put_there_and_made_fit_once(
    sd15_folder: Path, controlnet_folder: Path, device: Callable[[], Counts]
):
    parts = load.checkpoint(str(sd15_folder))
    case = prompts(parts.model, parts.text_encoder)
    net, image = control.load_controlnet(str(controlnet_folder)), Image(torch.rand(1, 3, 40, 40))
    hints = control.apply_controlnet(net, image, strength=0.6)
    expected = [latent.samples.clone() for latent in steps(case, hints=hints)]
    counts = device()
    for index, (latent, theirs) in enumerate(zip(steps(case, hints=hints), expected, strict=True)):
        if index:
            assert counts.between == {}
        counts.clear()
        assert torch.allclose(latent.samples, theirs, rtol=1e-3, atol=1e-3)


def test_a_run_that_goes_on_from_a_stored_latent_puts_it_there_again(sd15_folder: Path, device: Callable[[], Counts]):
    parts = load.checkpoint(str(sd15_folder))
    case = prompts(parts.model, parts.text_encoder)
    device()
    first, second = steps(case)
    made = unet_step(
        *(Context(), case.model, Latent(first.samples.clone(), first.space), case.positive, case.negative, 3.0, 2.0),
        guidance_scale=5.0,
    )
    assert made.latent.samples.equal(second.samples)


def test_what_python_does_around_the_network_is_little(case: Case, monkeypatch: pytest.MonkeyPatch):
    """Counted on the CPU, where the network reports every block besides."""
    net = pool.network(case.model.network)
    calls, inside, asked = 0, 0, 0

    def forward(*args: Any, **kwargs: Any) -> Any:
        nonlocal inside, asked
        inside, asked = inside + 1, asked + 1
        try:
            return original(*args, **kwargs)
        finally:
            inside -= 1

    original = net.forward
    monkeypatch.setattr(net, "forward", forward)

    def count(frame: Any, event: str, _: Any) -> None:
        nonlocal calls
        calls += not inside and event in ("call", "c_call")

    made = steps(case)
    next(made)
    asked = 0
    sys.setprofile(count)
    next(made)
    sys.setprofile(None)
    assert calls < MOST_CALLS + MORE_CALLS * (asked - 1), calls


class Busy(Late):
    """A copy that is there only when somebody waited for it, as of a card with much to do."""

    now, most = 0, 0

    def __init__(self, tensor: Any) -> None:
        super().__init__(tensor)
        Busy.now += 1
        Busy.most = max(Busy.most, Busy.now)

    def into(self, host: Any) -> None:
        super().into(host)
        Busy.now -= 1


@pytest.mark.parametrize("name", some_slow(["controlnet", "lora"], ["controlnet"]))
def test_a_workflow_on_the_device_gives_what_it_gives_on_the_cpu_with_two_steps_under_way(
    name: str, files: dict[str, str], device: Callable[[], Counts], monkeypatch: pytest.MonkeyPatch
):
    graph = set_param(shipped(name, files), "scheduler", "steps", 3)
    planned = plan(graph, discover("nodes"), ["positive", "negative", "denoise"])
    (root,) = planned.roots("denoise")
    cache, events = Cache(1 << 28), list[Event]()

    def run(*targets: str, cache: Cache = cache) -> None:
        looks: Any = {"is_under_way": nodes.under_way(), "complaint": nodes.complaint}
        execute(planned, targets, cache, events.append, **looks)
        assert not [event for event in events if isinstance(event, Failed)]

    run("positive", "negative")
    there = Cache(1 << 28)
    for node in ("positive", "negative"):
        (key,) = planned.roots(node)
        there.put(key, cast(Any, cache.get(key)), 0.0)
    run("denoise")
    monkeypatch.setitem(resident.LANES, DEVICE, Busy)
    Busy.now = Busy.most = 0
    device()
    run("denoise", cache=there)
    expected, made = (cast(Any, found.get(root))[0].samples for found in (cache, there))
    assert torch.allclose(made, expected, rtol=1e-3, atol=1e-3)
    assert Busy.now == 0
    assert 3 <= Busy.most <= 4  # of two steps, each with a latent and a denoised picture


def test_every_family_is_among_them():
    assert {name.split()[0] for name in (*FAST, *SLOW)} == {family.name for family in families.FAMILIES}

"""What an earlier version kept is found again: the same keys, the same files, the same values.

`tests/golden` has what version 0.1 wrote in November 2026: results that no model made, and the values that travel since
there are families of models.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import nodes
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.planning.keys import call_key
from nodegraph.planning.plan import Planner
from nodegraph.running.cache import Cache, DiskCache
from nodegraph.running.executor import execute
from nodes.types import Conditioning, Control, GuidanceLimits, Hint, History, Image, Latent, Mask
from tests.nodes.descriptions import CONTROLNET, MODEL, SPACE, TEXT_ENCODER, VAE

GOLDEN = Path(__file__).parents[1] / "golden"


def test_results_of_before_are_not_computed_again(tmp_path: Path):
    shutil.copytree(GOLDEN / "results", tmp_path / "results")
    disk = DiskCache(tmp_path / "results", 1 << 30, nodes.codec())
    targets = ["latent", "grid", "show"]
    planned = Planner(discover("nodes"), "golden").plan(workflow.load(GOLDEN / "results.json"), targets)
    assert planned.problems == ()
    idle = execute(planned, targets, Cache(1 << 30, disk), lambda event: None)
    assert (idle.run, idle.cached) == (1, 6)  # the latent says now whose space it is in, so it is made anew


def values() -> tuple[Any, ...]:
    x = torch.arange(16, dtype=torch.float32).reshape(1, 4, 2, 2)
    return (
        Latent(x, SPACE, VAE, 3),
        Image(x[:, :3]),
        Mask(x[:, :1]),
        Conditioning("sd1", "a cat", x[0]),
        Control((Hint(CONTROLNET, x[:, :3], 0.5, 0.0, 1.0),)),
        History((x,), (1.5,), (x,), 2),
        MODEL,
        TEXT_ENCODER,
    )


def test_every_kind_of_value_is_read_as_it_was_written():
    assert repr(nodes.codec().load(GOLDEN / "values.result")) == repr(values())  # tensors show all they hold


def test_a_value_from_before_there_were_families_is_refused_and_not_misread():
    with pytest.raises(ValueError, match="is not a stored result"):
        nodes.codec().load(GOLDEN / "values_of_one_family.result")


@pytest.mark.parametrize(
    ("description", "key"),
    [
        (MODEL, "05c5cd1a260c7689ac9af1c4a934cee0"),
        (TEXT_ENCODER, "62a0812a11d3f1d4daaccfcd32218ee7"),
        (VAE, "0f097182b7c9808a56020c3db7eb98f0"),
        (CONTROLNET, "2cf13afc0819e2881aae5aa9dfc52d74"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_description_is_in_keys_what_it_was(description: Any, key: str):
    step = discover("nodes")["sampling.unet_step"]
    assert call_key(step, {"model": description, "sigma": 1.0}, "golden", {}) == key


def test_limits_of_guidance_are_in_keys():
    limited = replace(MODEL, guidance_limits=GuidanceLimits(1.0, 0.5))
    assert repr(limited) != repr(MODEL)
    assert repr(limited) != repr(replace(MODEL, guidance_limits=GuidanceLimits(1.0, 1.0)))

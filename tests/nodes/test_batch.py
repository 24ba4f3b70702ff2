"""Batches taken apart and put together."""

from __future__ import annotations

import pytest
import torch

from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port
from nodegraph.planning.plan import plan
from nodes.backend.noise import draw
from nodes.batch import from_list, pick, pick_latent, to_list
from nodes.latent import noise
from nodes.types import Image, Latent
from tests.nodes.descriptions import SPACE

BATCH = Image(torch.rand(3, 3, 4, 6, generator=torch.Generator().manual_seed(0)))


def test_one_picture_is_taken_out_of_a_batch():
    assert torch.equal(pick(BATCH, 2).pixels, BATCH.pixels[2:])
    with pytest.raises(ValueError, match="the batch has 3 items, of which the first is 0; there is no 3"):
        pick(BATCH, 3)


def test_what_was_taken_out_shares_no_memory_with_the_batch():
    one = pick(BATCH, 1)
    assert one.pixels.untyped_storage().nbytes() == one.pixels.nbytes


def test_a_latent_keeps_its_place_in_the_batch():
    latent = noise(Latent(torch.zeros(3, 4, 2, 2), SPACE), 1.0, 5).latent
    one = pick_latent(latent, 2)
    assert one.batch_index == 2
    assert torch.equal(one.samples, draw((1, 4, 2, 2), 5, 0, 2))


def test_a_batch_becomes_a_list_and_a_batch_again():
    listed = to_list(BATCH)
    assert [tuple(image.pixels.shape) for image in listed] == [(1, 3, 4, 6)] * 3
    assert torch.equal(from_list(listed).pixels, BATCH.pixels)
    assert len(from_list((BATCH, *listed)).pixels) == 6


def test_pictures_of_two_sizes_are_no_batch():
    other = Image(torch.zeros(1, 3, 8, 6))
    with pytest.raises(ValueError, match="the first is 6 x 4, number 2 is 6 x 8; use Resize first"):
        from_list((BATCH, other))
    with pytest.raises(ValueError, match="the list of images is empty"):
        from_list(())


def test_what_does_not_go_together_is_said_before_anything_is_computed():
    nodes = {
        "a": Node("image.grey", {"width": 8, "height": 8}),
        "b": Node("image.grey", {"width": 16, "height": 8}),
        "list": Node("list.images"),
        "join": Node("batch.from_list"),
        "pick": Node("batch.pick", {"index": 1}),
        "list_of_a": Node("batch.to_list"),
        "third": Node("list.image_at", {"index": 2}),
    }
    links = {
        Port("list", "image"): Port("a", "image"),
        Port("list", "image_2"): Port("b", "image"),
        Port("join", "images"): Port("list", "value"),
        Port("pick", "image"): Port("a", "image"),
        Port("list_of_a", "image"): Port("a", "image"),
        Port("third", "images"): Port("list_of_a", "value"),
    }
    problems = plan(Graph(nodes, links), discover("nodes"), ("join", "pick", "third")).problems
    found = {problem.node: problem.message for problem in problems}
    assert "number 2 is 16 x 8" in found["join"]
    assert "the batch has 1 item, of which the first is 0; there is no 1" in found["pick"]
    assert "index must be between -1 and 0, got 2" in found["third"]

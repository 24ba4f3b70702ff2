"""Branching off a denoising: pure edits, and what they cost."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from nodegraph.editing.grouping import ungroup
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Port, disconnect, set_param
from nodegraph.group_type import document_types
from nodegraph.planning.plan import plan
from tests.ui.engines import climb
from ui.base.text import learn
from ui.runs.branches import continue_from, decode_here, find_loop

WORKFLOWS = Path(__file__).parents[3] / "workflows"
REGISTRY = discover("nodes")
WAY = REGISTRY.domain.branching
STEP, GROUP_STEP = "step", "denoise/step"
TOP = 2000.0


def grouped() -> Graph:
    """Six steps, in the Denoise group."""
    return set_param(workflow.load(WORKFLOWS / "text_to_image.json"), "scheduler", "steps", 6)


def opened() -> Graph:
    """The same with the zone in the open."""
    group = REGISTRY["group:Denoise"].group
    return ungroup(grouped(), "denoise", group)


def type_of(graph: Graph):
    return document_types(graph.groups, REGISTRY).get


def steps(graph: Graph, *targets: str) -> dict[str, tuple[int, ...]]:
    """The steps of U-Nets on the way to the targets: round by key."""
    planned = plan(graph, REGISTRY, targets)
    assert planned.problems == ()
    return {key: call.iteration for key, call in planned.calls.items() if call.type.id == "sampling.unet_step"}


BOTH = pytest.mark.parametrize(("make", "node"), [(grouped, GROUP_STEP), (opened, STEP)])


@BOTH
def test_decoding_a_step_computes_no_step_again(make, node):
    graph = make()
    after, shown = decode_here(graph, find_loop(graph, type_of(graph), WAY, node), 3, TOP)
    before = steps(graph, "save")
    assert steps(after, shown) == {key: round for key, round in before.items() if round <= (3,)}


@BOTH
def test_going_on_reuses_the_steps_before_and_does_the_others_anew(make, node):
    graph = make()
    loop = find_loop(graph, type_of(graph), WAY, node)
    port = Port("denoise" if node == GROUP_STEP else STEP, "guidance_scale")
    after, shown = continue_from(graph, loop, 1, 6, {port: 1.0}, TOP)
    before, now = steps(graph, "save"), steps(after, shown)
    reused = {key: round for key, round in before.items() if round <= (1,)}
    new = [round for key, round in now.items() if key not in before]
    assert reused.items() <= now.items()
    assert new == [(0,), (1,), (2,), (3,)]


@BOTH
def test_a_branch_leaves_what_is_there_as_it_is(make, node):
    graph = make()
    after, _ = decode_here(graph, find_loop(graph, type_of(graph), WAY, node), 2, TOP)
    assert {id: after.nodes[id] for id in graph.nodes} == dict(graph.nodes)
    assert graph.links.items() <= after.links.items()


@BOTH
def test_what_is_decoded_is_what_the_step_shows(make, node):
    graph = make()
    after, shown = decode_here(graph, find_loop(graph, type_of(graph), WAY, node), 3, TOP)
    planned = plan(after, REGISTRY, [shown])
    (decode,) = (call for call in planned.calls.values() if call.type.id == "vae.decode")
    assert planned.calls[decode.args["latent"].key].iteration == (3,)
    assert decode.args["latent"].output == "denoised"


@BOTH
def test_nodes_of_an_earlier_branch_are_used_again(make, node):
    graph = make()
    loop = find_loop(graph, type_of(graph), WAY, node)
    port = Port("denoise" if node == GROUP_STEP else STEP, "guidance_scale")
    decoded, shown = decode_here(graph, loop, 2, TOP)
    assert decode_here(decoded, loop, 2, TOP) == (decoded, shown)
    first, _ = continue_from(decoded, loop, 2, 6, {port: 1.0}, TOP)
    second, _ = continue_from(first, loop, 2, 6, {port: 2.0}, TOP)
    assert continue_from(second, loop, 2, 6, {port: 2.0}, TOP)[0] == second
    for before, after in ((decoded, first), (first, second)):
        new = [node for id, node in after.nodes.items() if id not in before.nodes]
        assert len(new) == 1 + len(loop.nodes) + 2 - (after is second)  # the second has the slice of the first
        assert plan(after, REGISTRY).problems == ()


@BOTH
def test_new_nodes_lie_in_a_row_of_their_own(make, node):
    graph = make()
    after, _ = continue_from(graph, find_loop(graph, type_of(graph), WAY, node), 2, 6, {}, TOP)
    new = [n.pos for id, n in after.nodes.items() if id not in graph.nodes]
    assert min(y for _, y in new) == TOP
    assert all(abs(x - a) >= 220 for (x, _), (a, _) in combinations(new, 2))


def test_after_the_last_step_there_is_nothing_to_go_on_with():
    graph = grouped()
    with pytest.raises(ValueError, match="nothing left"):
        continue_from(graph, find_loop(graph, type_of(graph), WAY, GROUP_STEP), 5, 6, {}, TOP)


def test_without_a_vae_nothing_can_be_decoded():
    graph = grouped()
    learn(REGISTRY.domain.acronyms)  # as the window does
    bare = replace(graph, links={dst: src for dst, src in graph.links.items() if dst.socket != "vae"})
    with pytest.raises(ValueError, match="no VAE"):
        decode_here(bare, find_loop(bare, type_of(bare), WAY, GROUP_STEP), 2, TOP)


@pytest.mark.parametrize("node", ["save", "outer/denoise/step", "gone/step"])
def test_what_is_no_loop_is_refused(node: str):
    graph = grouped()
    with pytest.raises(ValueError, match=r"no repeat zone|too deep"):
        find_loop(graph, type_of(graph), WAY, node)


def test_a_group_that_does_not_pass_on_the_picture_says_what_it_lacks():
    graph = grouped()
    shipped = REGISTRY["group:Denoise"].group
    own = replace(graph, groups={"Denoise": replace(shipped, outputs=("latent",))})
    with pytest.raises(ValueError, match="no output 'denoised'"):
        find_loop(own, type_of(own), WAY, GROUP_STEP)


def test_nodes_of_another_domain_are_branched_off_in_their_own_words():
    registry = discover("tests.toy_nodes")
    graph = climb(4)
    way = registry.domain.branching
    loop = find_loop(graph, registry.get, way, "carry")
    seen, shown = decode_here(graph, loop, 1, TOP)
    further, end = continue_from(seen, loop, 1, 4, {Port("carry", "push"): 5.0}, TOP)
    added = [node.type for id, node in further.nodes.items() if id not in graph.nodes]
    assert {*added} - {"repeat.begin", "repeat.end", "toy.rung", "toy.carry"} == {"toy.saw", "toy.unlock", "toy.show"}
    planned = plan(further, registry, [shown, end])
    assert planned.problems == ()
    heights = [call.args["height"] for call in planned.calls.values() if call.type.id == "toy.carry"]
    assert heights == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="no Opener in this graph to decode with"):
        decode_here(disconnect(graph, Port("unlock", "opener")), loop, 1, TOP)

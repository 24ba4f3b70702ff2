"""The app view as a part of the workflow."""

from dataclasses import replace

from nodegraph.formats import workflow
from nodegraph.formats.app_rows import App, app_of, set_app, shows_picture, suggested
from nodegraph.formats.package import discover
from nodegraph.graph import Graph, Node, Port, remove_nodes

GRAPH = workflow.load("workflows/text_to_image.json")


def test_an_app_view_survives_a_file():
    app = App((Port("positive", "text"), Port("noise", "seed")), ("decode",))
    assert app_of(workflow.loads(workflow.dumps(set_app(GRAPH, app)))) == app


def test_what_is_gone_or_makes_no_sense_is_left_out():
    graph = Graph({"a": Node("x")}, extra={"app": {"inputs": (("a", "x"), ("b", "x"), 7, ("a",)), "outputs": ("b", 1)}})
    assert app_of(graph) == App((Port("a", "x"),))
    assert app_of(replace(graph, extra={"app": 7})) == App()
    assert app_of(remove_nodes(graph, {"a"})) == App()


def test_the_suggestion_has_the_prompts_the_usual_numbers_and_the_picture():
    registry = discover("nodes")
    app = suggested(GRAPH, registry.get, registry.domain.usual)
    assert app.inputs[0] == Port("positive", "text")
    assert {Port("scheduler", "steps"), Port("denoise", "guidance_scale"), Port("noise", "seed")} <= {*app.inputs}
    assert app.outputs == ("save",)


def test_pictures_are_offered_of_nodes_that_show_one():
    types = discover("nodes")
    asked = ("vae.decode", "latent.noise", "output.save_image", "text.encode")
    assert [shows_picture(types[id]) for id in asked] == [True, True, True, False]

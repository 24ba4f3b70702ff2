"""What the engine asks of the package of nodes."""

import nodes
from nodegraph.registry import discover
from nodes.backend import packing, pool


def test_every_node_explains_itself():
    silent = [t.id for t in discover("nodes").values() if len(t.doc) < 10]
    assert silent == []


def test_the_environment_names_what_changes_bits():
    packed = " packed" if packing.available() else ""
    assert nodes.environment("cpu") == f"cpu float32{packed}"


def test_configuring_picks_the_device():
    nodes.configure("cpu")
    assert pool.device().type == "cpu"


def test_the_codec_stores_and_loads():
    codec = nodes.codec()
    assert callable(codec.save)
    assert callable(codec.load)

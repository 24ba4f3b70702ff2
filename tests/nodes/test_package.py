"""What the engine asks of the package of nodes."""

from importlib.metadata import version

import pytest
import torch

import nodes
from nodegraph.formats.package import discover
from nodes.backend import devices, packing, pool


def test_every_node_explains_itself():
    silent = [t.id for t in discover("nodes").values() if len(t.doc) < 10]
    assert silent == []


def test_the_environment_begins_with_device_and_precision():
    packed = " packed" if packing.available() else ""
    assert nodes.environment("cpu").startswith(f"cpu float32{packed}; ")


def test_another_number_of_threads_is_another_environment():
    before, threads = nodes.environment("cpu"), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert nodes.environment("cpu") != before
    finally:
        torch.set_num_threads(threads)
    assert nodes.environment("cpu") == before


def test_another_instruction_set_is_another_environment(monkeypatch: pytest.MonkeyPatch):
    before = nodes.environment("cpu")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "another")
    assert nodes.environment("cpu") != before


def test_a_limit_on_instructions_is_another_environment(monkeypatch: pytest.MonkeyPatch):
    before = nodes.environment("cpu")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    assert nodes.environment("cpu") != before


@pytest.mark.parametrize("library", devices.LIBRARIES)
def test_another_version_of_a_library_is_another_environment(library: str, monkeypatch: pytest.MonkeyPatch):
    before = nodes.environment("cpu")
    monkeypatch.setattr(devices, "version", lambda name: "0" if name == library else version(name))
    assert nodes.environment("cpu") != before


def test_configuring_picks_the_device():
    nodes.configure("cpu")
    assert pool.device().type == "cpu"


def test_the_codec_stores_and_loads():
    codec = nodes.codec()
    assert callable(codec.save)
    assert callable(codec.load)

"""What is read of torch's devices, with tables in the place of machines: NVIDIA's, AMD's, Intel's and Apple's."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import nodes
from nodegraph.running.messages import Device
from nodes.backend import cards, devices


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    kept = (devices.present, devices.pick, devices.tried)
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


def have(monkeypatch: pytest.MonkeyPatch, kind: str, table: list[SimpleNamespace]) -> None:
    """Let torch say that there are these."""
    module = getattr(torch, kind)
    monkeypatch.setattr(module, "is_available", lambda: True)
    monkeypatch.setattr(module, "device_count", lambda: len(table))
    monkeypatch.setattr(module, "get_device_properties", lambda index: table[getattr(index, "index", index)])


def test_cards_of_nvidia(monkeypatch: pytest.MonkeyPatch):
    old = SimpleNamespace(name="NVIDIA GeForce GTX 1060", total_memory=6 << 30, major=6, minor=1)
    new = SimpleNamespace(name="NVIDIA GeForce RTX 4090", total_memory=24 << 30, major=8, minor=9)
    have(monkeypatch, "cuda", [old, new])
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_86", "compute_90"])
    first, second, last = devices.present()
    assert (first.name, first.arch, second.name, second.arch) == ("cuda:0", "sm_61", "cuda:1", "sm_89")
    assert (first.kind, second.bytes, last.kind) == ("cuda", 24 << 30, "cpu")
    assert second.driver == ""
    why = cards.refusal(first)
    assert why
    assert nodes.devices() == (
        Device("cuda:0", "NVIDIA GeForce GTX 1060", why),
        Device("cuda:1", "NVIDIA GeForce RTX 4090"),
        Device("cpu", "the processor"),
    )
    assert devices.card(torch.device("cuda")) == first
    assert devices.card(torch.device("cuda", 1)) == second
    assert devices.memory(torch.device("cuda", 1)) == 24 << 30


def test_a_card_newer_than_the_build_has_the_driver_in_its_key(monkeypatch: pytest.MonkeyPatch):
    have(monkeypatch, "cuda", [SimpleNamespace(name="Of next year", total_memory=1, major=13, minor=0)])
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_90", "compute_120"])
    monkeypatch.setattr(torch._C, "_cuda_getDriverVersion", lambda: 14010, raising=False)
    said = Path("/proc/driver/nvidia/version")
    assert devices.present()[0].driver == (said.read_text().splitlines()[0] if said.is_file() else "driver 14010")


def test_cards_of_amd_go_by_cudas_names_and_their_own_chips(monkeypatch: pytest.MonkeyPatch):
    about = SimpleNamespace(
        name="AMD Radeon RX 7900 XTX", total_memory=24 << 30, major=11, minor=0, gcnArchName="gfx1100:sramecc-:xnack-"
    )
    have(monkeypatch, "cuda", [about])
    monkeypatch.setattr(torch.version, "hip", "6.4")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["gfx1030", "gfx1100"])
    card = devices.present()[0]
    assert (card.kind, card.name, card.arch, card.driver) == ("rocm", "cuda:0", "gfx1100", "")
    assert cards.refusal(card) is None
    assert cards.expected(card) == cards.SINGLE | cards.HALVES


def test_cards_of_intel_say_what_they_compute_in(monkeypatch: pytest.MonkeyPatch):
    about = SimpleNamespace(
        name="Intel(R) Arc(TM) A770", total_memory=16 << 30, has_fp16=True, driver_version="1.6.33578+11"
    )
    have(monkeypatch, "xpu", [about])
    card = devices.present()[0]
    assert (card.kind, card.name, card.driver) == ("xpu", "xpu:0", "driver 1.6.33578+11")
    assert cards.expected(card) == {"float32", "float16"}
    assert devices.memory(torch.device("xpu", 0)) == 16 << 30


def test_the_gpu_of_apple_computes_in_float32_in_the_memory_that_metal_recommends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 << 30)
    monkeypatch.setattr(devices.platform, "mac_ver", lambda: ("15.5", ("", "", ""), "arm64"))
    card = devices.present()[0]
    assert (card.name, card.driver) == ("mps", "macOS 15.5")
    assert cards.expected(card) == {"float32"}
    assert devices.memory(torch.device("mps")) == 12 << 30
    assert devices.card(torch.device("mps", 0)) == card


def test_a_card_that_another_program_has_for_itself_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    def busy(device: object) -> None:
        raise RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nCompile with ...")

    monkeypatch.setattr(torch.cuda, "set_device", busy)
    with pytest.raises(ValueError, match=r"cuda:0 cannot be used: CUDA error: .*busy or unavailable$"):
        devices.use(torch.device("cuda", 0))


def test_a_wish_for_float32_is_one_for_all_of_its_bits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    before = torch.backends.cudnn.conv.fp32_precision
    devices.use(torch.device("cuda", 0), "float32")
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    devices.use(torch.device("cuda", 0), "auto")
    assert torch.backends.cudnn.conv.fp32_precision == before

"""What of the machine goes into the keys of results, and how much memory there is; cards have a file of their own."""

import os
from types import SimpleNamespace

import pytest
import torch

from nodes.backend import devices, packing


def test_the_memory_of_a_device_is_its_own(monkeypatch: pytest.MonkeyPatch):
    card = torch.device("cuda")
    known = {card: SimpleNamespace(total_memory=7)}
    monkeypatch.setattr(torch.cuda, "get_device_properties", known.__getitem__)
    assert devices.memory(card) == 7


def test_the_memory_of_a_processor_is_the_machine_s_or_a_guess(monkeypatch: pytest.MonkeyPatch):
    told = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    # asked anew: what there is, memory included, is looked at once in a process
    assert devices._main_memory() == 4_096_000  # pyright: ignore[reportPrivateUsage]
    monkeypatch.delattr(os, "sysconf")
    assert devices._main_memory() == 16 * 2**30  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of which everything is known."""
    monkeypatch.setattr(devices, "version", lambda name: "1.0")
    monkeypatch.setattr(devices, "_processor_id", lambda: "00c0ffee")
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    for name in devices.INSTRUCTION_LIMITS:
        monkeypatch.delenv(name, raising=False)


LIBRARIES = "torch 1.0; diffusers 1.0; transformers 1.0; tokenizers 1.0; peft 1.0; numpy 1.0; scipy 1.0; pillow 1.0"


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("packs", "computed"), [(True, "cpu float32 packed"), (False, "cpu float32")])
def test_an_environment_is_a_text_that_every_version_writes_alike(monkeypatch, packs: bool, computed: str):
    """Or else what was kept before would be computed again."""
    monkeypatch.setattr(packing, "available", lambda: packs)
    assert devices.environment("cpu") == f"{computed}; x86_64 AVX2 00c0ffee 8 threads; {LIBRARIES}"


@pytest.mark.usefixtures("machine")
def test_what_keeps_libraries_from_instructions_is_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    monkeypatch.setenv("MKL_CBWR", "AVX")
    text = "; x86_64 AVX2 00c0ffee 8 threads ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=AVX; torch 1.0; "
    assert text in devices.environment("cpu")


CPU = "vendor_id\t: Acme\nmodel name\t: Acme 9\nflags\t\t: fast wide\nbogomips\t: {}\n\n"


def identified(monkeypatch: pytest.MonkeyPatch, told: str | None, processor: str = "") -> str:
    """told: what the system says of its processors; None where it says nothing."""

    def read_text(path: object, *_: object) -> str:
        assert str(path) == os.path.join(os.sep, "proc", "cpuinfo")
        if told is None:
            raise FileNotFoundError
        return told

    monkeypatch.setattr(devices.Path, "read_text", read_text)
    monkeypatch.setattr(devices.platform, "processor", lambda: processor)
    return devices._processor_id()  # pyright: ignore[reportPrivateUsage]


def test_a_processor_is_known_by_its_model_and_its_instructions(monkeypatch: pytest.MonkeyPatch):
    one = identified(monkeypatch, CPU.format(1))
    assert one == identified(monkeypatch, CPU.format(2) + CPU.format(3))
    for other in ("Acme 8", "fast"):
        assert one != identified(monkeypatch, CPU.replace("Acme 9", other).replace("fast wide", other).format(1))
    assert len(one) == 8


def test_a_processor_of_which_the_system_tells_nothing_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch):
    one, other = (identified(monkeypatch, None, name) for name in ("Intel64 Family 6", "ARM"))
    assert one != other
    assert len(one) == len(other) == 8

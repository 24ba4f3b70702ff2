"""What must hold on a card, where there is one: `pytest -m gpu`. Which one: DENOODLE_TEST_DEVICE, or cuda:0."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from nodes.backend import broken, devices, launch, pool, trial
from nodes.backend.precision import Wish
from nodes.types import Storage
from tests.nodes.test_between_steps import Case, case, steps
from tools.gpu_check import correct, ours

__all__ = ["case"]

DEVICE = os.environ.get("DENOODLE_TEST_DEVICE", "cuda:0")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        "DENOODLE_TEST_DEVICE" not in os.environ and len(devices.present()) == 1, reason="there is no card"
    ),
]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    pool.configure("cpu")


def test_the_card_passes_its_self_test_in_a_process_of_its_own():
    card = devices.card(torch.device(DEVICE))
    made = trial.asked(card)
    assert made.failure == ""
    assert made.right("float32")
    assert trial.good(card, made) >= {"float32"}


def test_auto_takes_a_card():
    assert devices.pick("auto").type != "cpu"


def test_the_key_names_the_kind_of_card_and_not_its_number():
    said = devices.environment(DEVICE)
    assert devices.card(torch.device(DEVICE)).title in said
    assert "cuda:" not in said


@pytest.mark.parametrize(("family", "wish", "weights"), correct.CASES)
def test_a_card_makes_the_latents_of_the_processor(family: str, wish: Wish, weights: Storage, tmp_path: Path):
    if weights == "float8, fast" and (why := devices.no_float8_products(torch.device(DEVICE))):
        pytest.skip(why)
    place = tmp_path / family
    correct.BUILD[family](place)
    assert correct.apart(place, DEVICE, wish, weights) <= correct.LIMITS[wish]


@pytest.mark.parametrize("name", correct.WORKFLOWS)
def test_a_card_makes_the_pictures_of_the_processor(name: str, tmp_path: Path):
    made = [correct.workflow_values(ours.engine(tmp_path / of, of), name) for of in ("cpu", DEVICE)]
    found = correct.levels(*made)
    assert found["mean of 255"] <= correct.MOST_MEAN
    assert found["most of 255"] <= correct.MOST_LEVELS


@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.FLASH_ATTENTION])
def test_scores_of_attention_beyond_float16_do_not_overflow_on_a_card(backend: SDPBackend):
    if backend == SDPBackend.FLASH_ATTENTION and torch.cuda.get_device_capability(DEVICE) < (8, 0):
        pytest.skip("this card is too old for it")
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, 64, 64, generator=generator) for _ in range(3))
    q, k, v = (tensor.to(DEVICE, torch.float16) for tensor in (300 * q, 300 * k, v))
    wanted = torch.nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double())
    with sdpa_kernel(backend):
        found = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    # Eleven bits of the result; where two scores are nearly equal, of 24 bits of scores of 10^6 as well.
    torch.testing.assert_close(found.double(), wanted, atol=5e-2, rtol=5e-2)


BREAK = """
import sys, torch
from nodes.backend import broken
device = torch.device(sys.argv[1])
try:
    print(torch.zeros(2, device=device)[torch.tensor([5], device=device)].cpu())
except RuntimeError as error:
    first = error
print("REASON", broken.reason(first, device))
print("STRANGE", broken.reason(RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"), device))
sys.stdout.flush()
import os
os._exit(0)
"""


def test_an_assertion_in_a_kernel_is_known_to_have_broken_the_process():
    done = subprocess.run(
        [sys.executable, "-c", BREAK, DEVICE], capture_output=True, text=True, timeout=120, check=False
    )
    assert "REASON an assertion in a kernel failed" in done.stdout
    assert "STRANGE it computes nothing any more" in done.stdout


def test_a_card_that_has_no_room_is_not_broken():
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 50, dtype=torch.uint8, device=DEVICE)
    assert broken.reason(error.value, torch.device(DEVICE)) == ""


@pytest.mark.skipif(not DEVICE.startswith("cuda"), reason="only these record what is launched")
def test_on_a_card_a_network_is_recorded_and_gives_what_calling_it_gave(case: Case):
    plain = [latent.samples.clone() for latent in steps(case, count=4)]
    pool.configure(DEVICE)
    launch.forget()
    first = [latent.samples.clone() for latent in steps(case, count=2)]  # as written
    made = [latent.samples.clone() for latent in steps(case, count=4)]  # recorded at the first of these
    (told, *_) = launch.told()
    assert "graph" in told.seconds
    assert told.seconds["graph"] < told.seconds["eager"]
    for one, other in zip(first, made, strict=False):
        assert torch.allclose(one, other, rtol=1e-2, atol=1e-2)  # the same kernels, perhaps by another algorithm
    for one, other in zip(made, plain, strict=True):
        assert torch.allclose(one, other, rtol=0.1, atol=0.1)  # half precision against float32

"""The self-test of a card, tried on the processor, which is right; and what is kept of it."""

import json
import math
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.backend import trial
from nodes.backend.cards import Card
from nodes.backend.trial import Trial

CARD = Card("cuda", "cuda:0", "A card", 8 << 30, "sm_86", ("sm_86",))
SOUND = Trial({"float32": 0.0, "float16": 5e-4}, {"float32": 1.0, "float16": 0.5})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_seconds", lambda work, inputs: 0.001)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def counting(answer: Trial) -> tuple[list[Card], Callable[[Card], Trial]]:
    asked: list[Card] = []

    def ask(card: Card) -> Trial:
        asked.append(card)
        return answer

    return asked, ask


def test_a_card_is_tried_once_for_each_build_of_torch(data: Path):
    asked, ask = counting(SOUND)
    for build in ("torch 2.13.0+cu130 9", "torch 2.13.0+cu130 9", "torch 2.14.0+cu130 9"):
        assert trial.of(CARD, build, ask) == SOUND
    assert len(asked) == 2
    assert len(json.loads((data / "cards.json").read_text())) == 2


@pytest.mark.parametrize(("failure", "times"), [("CUDA error: no kernel image is available", 1), ("out of memory", 2)])
def test_a_failure_is_kept_when_it_stays_so(data: Path, failure: str, times: int):
    asked, ask = counting(Trial(failure=failure))
    for _ in range(2):
        assert trial.of(CARD, "torch", ask).failure == failure
    assert len(asked) == times


@pytest.mark.parametrize(
    "text",
    ["", "[]", "nonsense", '{"A card sm_86 ; torch": 7}', '{"A card sm_86 ; torch": {"errors": {"float32": "0"}}}'],
)
def test_a_damaged_file_costs_another_trial(data: Path, text: str):
    data.mkdir()
    (data / "cards.json").write_text(text)
    asked, ask = counting(SOUND)
    assert trial.of(CARD, "torch", ask) == SOUND
    assert trial.of(CARD, "torch", ask) == SOUND
    assert len(asked) == 1


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "file"))
    _, ask = counting(SOUND)
    assert trial.of(CARD, "torch", ask) == SOUND


@pytest.mark.parametrize("pieces", [1, pytest.param(None, marks=pytest.mark.slow)], ids=["one piece", "all"])
def test_the_processor_agrees_with_itself_within_what_rounding_does(
    monkeypatch: pytest.MonkeyPatch, pieces: int | None
):
    """All the pieces of work take the processor seconds in half precision."""
    work = trial._work
    monkeypatch.setattr(trial, "_work", lambda: islice(work(), pieces))
    made = trial.tried(torch.device("cpu"))
    assert made.errors["float32"] == 0.0
    # Rounding to 11 and 8 bits: a relative error of 2^-12 and 2^-9 at the most for each number, and for each result.
    assert 1e-4 < made.errors["float16"] < trial.LIMITS["float16"] / 5
    assert 1e-3 < made.errors["bfloat16"] < trial.LIMITS["bfloat16"] / 5
    assert set(made.seconds) == set(trial.DTYPES)


def work(wrong: Callable[[Tensor], Tensor]) -> Callable[[], Iterator[tuple[Any, ...]]]:
    """Two small pieces of work, of which one is done wrongly in half precision."""

    def add(x: Tensor) -> Tensor:
        return x + 1 if x.itemsize == 4 else wrong(x + 1)

    return lambda: iter([(torch.neg, torch.ones(2)), (add, torch.ones(3))])


@pytest.mark.parametrize("factor", [1.1, math.nan, math.inf])
def test_what_is_computed_otherwise_is_not_right(monkeypatch: pytest.MonkeyPatch, factor: float):
    monkeypatch.setattr(trial, "_work", work(lambda x: x * factor))
    made = trial.tried(torch.device("cpu"))
    assert made.right("float32")
    assert not made.right("float16")
    assert set(made.errors) == (set(trial.DTYPES) if factor == 1.1 else {"float32"})


def test_a_precision_without_kernels_is_left_out(monkeypatch: pytest.MonkeyPatch):
    def refused(x: Tensor) -> Tensor:
        raise RuntimeError("not implemented for 'Half'")

    monkeypatch.setattr(trial, "_work", work(refused))
    assert set(trial.tried(torch.device("cpu")).errors) == {"float32"}


def test_another_process_says_what_it_found_and_a_card_that_is_not_there_is_a_failure():
    made = trial.asked(Card("cuda", "cuda:0", "None"))
    assert made.failure
    assert "exit code" not in made.failure
    assert not made.right("float32")


def test_a_process_that_ends_or_hangs_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name, code in {"ends": "import os; os.abort()", "hangs": "import time; time.sleep(60)", "silent": ""}.items():
        script = tmp_path / name
        script.write_text(f"#!/usr/bin/env python3\n{code}\n")
        script.chmod(0o755)
        monkeypatch.setattr(trial.sys, "executable", str(script))
        monkeypatch.setattr(trial, "TIMEOUT", 0.2 if name == "hangs" else 30.0)
        wanted = {"ends": "exit code -6", "hangs": "did not finish", "silent": "nothing that can be read"}[name]
        assert wanted in trial.asked(CARD).failure

"""The script that measures a card, where there is none: its page, its models, and all of it with tiny ones."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nodes.backend import checkpoints, families, loading
from nodes.backend.parts import Part
from nodes.backend.quantised_layers import is_part
from tools.gpu_check import __main__ as script
from tools.gpu_check import correct, limits, models, ours
from tools.gpu_check.page import NARROW, PROGRAMS, page

CARD = {"section": "card", "device": "cuda:0", "title": "NVIDIA H100", "torch": "2.13.0+cu130"}
FAST = {"section": "speed", "picture": "SD1.5, 512 x 512", "program": "Denoodle", "ms a step": 10.0, "load s": 0.5}
STOCK = {"section": "speed", "picture": "SD1.5, 512 x 512", "program": "diffusers", "ms a step": 25.0}


def test_the_page_says_how_the_steps_compare_with_the_stock_pipelines():
    narrow = {"section": "speed", "picture": "SD1.5, 512 x 512", "program": NARROW, "ms a step": 5.0}
    text = page(
        [CARD, FAST, STOCK, narrow, {"section": "speed", "picture": "Flux", "program": "Denoodle", "note": "left out"}]
    )
    assert text.startswith("NVIDIA H100 (cuda:0), torch 2.13.0+cu130, Python ")
    lines = [line for line in text.splitlines() if line.startswith("| SD1.5")]
    assert [line.split(" | ")[4] for line in lines] == ["0.4", "1", "0.2"]
    assert "| Flux | Denoodle |" in text
    assert "### Little memory" not in text


def test_models_of_full_size_take_no_room_and_are_what_is_published(tmp_path: Path):
    place = models.write("sd1", tmp_path, tiny=False)
    files = list(place.rglob("*.safetensors"))
    assert sum(file.stat().st_size for file in files) > 2_000_000_000
    if sys.platform == "linux":
        assert sum(512 * file.stat().st_blocks for file in files) < 2_000_000
    settings = Part(place, families.of("sd1"), "unet").settings()
    assert (settings["block_out_channels"], settings["cross_attention_dim"]) == ([320, 640, 1280, 1280], 768)
    assert checkpoints.checkpoint(str(place)).model.network.family == "sd1"


def test_random_weights_let_numbers_through(tmp_path: Path):
    net: Any = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.LayerNorm(64), torch.nn.Conv1d(1, 4, 3))
    models.randomise(net)
    found = net(torch.ones(2, 1, 64)).detach()
    assert 0.2 < float(found.std()) < 5


def test_so_do_those_that_are_packed(tmp_path: Path):
    """Of Flux, which is measured in float8 too."""
    place = models.write("flux", tmp_path, tiny=True)
    network = checkpoints.checkpoint(str(place), "float8, fast").model.network
    module = loading.load(network, torch.device("cpu"), torch.bfloat16)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    models.randomise(module)
    assert not any(tensor.equal(before[name]) for name, tensor in module.state_dict().items() if is_part(name))
    layer = module.transformer_blocks[0].attn.to_q
    assert 0.8 < float(layer.made().float().std()) * layer.in_features**0.5 < 1.2


def test_pictures_of_other_places_are_not_compared():
    one = {("show", 0): torch.zeros(1, 3, 2, 2)}
    assert correct.levels(one, {("show", 0): torch.full((1, 3, 2, 2), 1 / 255)})["most of 255"] == pytest.approx(1)
    with pytest.raises(ValueError, match="not the same pictures"):
        correct.levels(one, {("other", 0): torch.zeros(1, 3, 2, 2)})


def test_every_shipped_workflow_but_the_one_that_trains_is_compared():
    shipped = {path.relative_to(ours.WORKFLOWS).with_suffix("").as_posix() for path in ours.WORKFLOWS.glob("*.json")}
    shipped |= {f"learn/{path.stem}" for path in (ours.WORKFLOWS / "learn").glob("*.json")}
    assert set(correct.WORKFLOWS) == shipped - {"learn/13_train_lora"}


def test_without_a_card_only_tiny_models_are_measured(capsys: pytest.CaptureFixture[str]):
    assert script.main(["--device", "cpu"]) == 2
    assert "only --tiny" in capsys.readouterr().err


def test_a_section_whose_time_is_up_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stuck = tmp_path / "stuck"
    stuck.write_text('#!/bin/sh\necho \'{"section": "card"}\'\nexec sleep 60\n')
    stuck.chmod(0o755)
    monkeypatch.setattr(script.sys, "executable", str(stuck))
    monkeypatch.setattr(script, "PATIENCE", 0.5)
    args = script._parser().parse_args(["--tiny", "--device", "cpu"])
    assert list(script._measured(args, "speed", "", 0.0)) == [
        {"section": "card"},
        {"section": "speed", "note": "its time was up"},
    ]


@pytest.mark.slow
def test_all_of_it_runs_with_tiny_models_on_a_processor(tmp_path: Path):
    code = script.main(["--tiny", "--device", "cpu", "--seconds", "900", "--skip", "compiled", "--out", str(tmp_path)])
    rows = json.loads((tmp_path / "gpu_check.json").read_text())
    assert code == 0, rows
    speed = [row for row in rows if row["section"] == "speed"]
    assert [row["program"] for row in speed] == [*PROGRAMS[:2], *PROGRAMS[:2], *PROGRAMS[:2], NARROW]
    assert all(row["run to PNG s"] > 0 for row in speed)
    right = [row for row in rows if row["section"] == "correct"]
    assert len(right) == len(correct.CASES) + 1
    # The same processor twice: every bit.
    assert all(row.get("relative", 0.0) == 0.0 and row["verdict"] == "right" for row in right)
    assert "### Little memory" in (tmp_path / "gpu_check.md").read_text()


def test_another_process_holds_memory_only_meanwhile():
    code = "import sys; print('held', flush=True); sys.stdin.read()"
    with limits.held(torch.device("cpu"), 1, code):
        pass  # it has been killed and waited for, or this would not return
    with limits.held(torch.device("cpu"), 0, "raise SystemExit('not started')"):
        pass


def test_a_process_that_cannot_hold_memory_is_said_to_be_one():
    with (
        pytest.raises(RuntimeError, match=r"could not hold 2\.0 GiB of cpu"),
        limits.held(torch.device("cpu"), 2 << 30, "raise SystemExit(1)"),
    ):
        pytest.fail("it holds nothing")

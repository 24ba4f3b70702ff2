"""Pictures are called as a person wants, in names that every system takes."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from nodegraph.formats import png
from nodegraph.node import NAMING
from nodes.naming import PLACES, complaint, example, facts, parts, write
from nodes.output import save_image
from tests.examples import each
from tests.nodes.test_output import Recorder, image

NOW = datetime(2026, 11, 28, 7, 15, 3)
WORKFLOW = json.dumps(
    {
        "version": 1,
        "nodes": {
            "checkpoint": {"type": "load.checkpoint", "params": {"path": "C:\\models\\sd15: best.safetensors"}},
            "noise": {"type": "latent.noise", "params": {"seed": 7}},
        },
    }
)


def called(template: str, name: str = "cat") -> str:
    before, after = parts(template, name, facts(WORKFLOW, 2, 512, 768), NOW)
    return f"{before}{'' if after is None else '<n>' + after}"


@each(
    ("template", "name"),
    [
        (NAMING, "cat_<n>"),
        ("%date% %time% %name%", "2026-11-28 07-15-03 cat"),
        ("%seed%-%counter%-%width%x%height%", "7-<n>-512x768"),
        ("%model%_%index%", "sd15_ best_2"),
        ("100%name%", "100cat"),
    ],
)
def test_places_are_filled_in(template: str, name: str):
    assert called(template) == name


def test_what_a_name_says_is_not_filled_in_again():
    assert called("%name%", "%counter%") == "%counter%"


def test_what_is_not_known_says_so():
    assert parts("%seed%_%model%", "a", facts("", 0, 8, 8), NOW)[0] == "none_none"


@each(
    ("template", "why"),
    [
        ("%sed%", "there is no %sed%; there are %name%, %counter%"),
        ("a/b", "'/' cannot stand in a name"),
        ("..", "must begin with something else"),
        ("  ", "must begin with something else"),
        ("50%", "has no other half"),
        ("x" * 300, "no longer than 200 bytes, got 300"),
    ],
)
def test_a_template_that_cannot_be_used_says_why(template: str, why: str):
    assert why in (complaint(template) or "")
    with pytest.raises(ValueError, match=re.escape(why)):
        example(template)


def test_the_example_has_every_place_and_no_template_of_places_is_refused():
    assert "%" not in example("-".join(f"x%{name}%" for name in PLACES))
    assert example(NAMING) == "denoodle_00001.png"


@pytest.mark.parametrize("name", ["con", "NUL", "com1.x", "Lpt9"])
def test_names_that_windows_keeps_get_a_sign_in_front(name: str):
    assert parts("%name%", name, {}, NOW)[0] == f"_{name}"


def test_a_long_name_is_cut_by_whole_characters():
    before, after = parts("%name%_%counter%_%seed%", "猫" * 66, {"seed": "9" * 19}, NOW)
    assert len((before + (after or "")).encode()) <= 200
    assert after == "_" + "9" * 19


def test_nothing_is_written_over_with_a_place_for_a_counter_and_without(tmp_path: Path):
    names = [write(tmp_path, "cat", None, b"").name for _ in range(3)]
    assert names == ["cat.png", "cat_00001.png", "cat_00002.png"]
    assert [write(tmp_path, "a_", "_b", b"").name for _ in range(2)] == ["a_00001_b.png", "a_00002_b.png"]


def test_pictures_of_a_batch_are_called_by_the_template_and_need_not_carry_their_workflow(tmp_path: Path):
    ctx = Recorder(tmp_path, WORKFLOW)
    ctx.naming, ctx.carries_workflow = "%seed%_%index%", False
    save_image(ctx, image(2), "cat")
    assert [path.name for path in ctx.paths] == ["7_0.png", "7_1.png"]
    assert png.read_text(ctx.paths[0], png.KEYWORD) is None


def test_a_template_from_elsewhere_leads_nowhere(tmp_path: Path):
    """Settings may be edited by hand."""
    ctx = Recorder(tmp_path / "out", WORKFLOW)
    ctx.naming = "x/../../%name%"
    with pytest.raises(ValueError, match="in the settings: '/' cannot stand in a name"):
        save_image(ctx, image())
    assert not (tmp_path / "cat.png").exists()

"""What a file of weights is, and for whom, is told by its table of tensors and by what lies beside it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nodegraph.program import FOLDER
from nodes.backend import families, invoke_names
from nodes.backend.families.family import Family
from nodes.backend.labels import look, parts
from nodes.stock import STOCK
from tools.bench.library import network_of, table_of, write

ADAPTED = [family.name for family in families.FAMILIES if family.roles[family.denoiser].flat_adapter_names]

ALIKE = {"klein", "flux2"}
"""Families whose transformers have layers of the same names and widths."""


@pytest.mark.parametrize("family", ADAPTED)
@pytest.mark.parametrize("attention", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_lora_is_told_to_be_for_its_family(tmp_path: Path, family: str, attention: bool):
    told = look(write(tmp_path / "a.safetensors", table_of("lora", family, 4, attention)))
    assert told is not None
    assert told.kind == "lora"
    assert family in told.families
    assert set(told.families) <= (ALIKE if family in ALIKE else {family})


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3", "flux"])
def test_a_checkpoint_is_told_by_its_tensors(tmp_path: Path, family: str):
    told = look(write(tmp_path / "a.safetensors", table_of("checkpoint", family), "BF16"))
    assert told is not None
    assert (told.kind, told.families, told.layout) == ("checkpoint", (family,), "bfloat16")


@pytest.mark.parametrize("family", [f for f in families.FAMILIES if "vae" in f.roles], ids=lambda f: f.name)
@pytest.mark.parametrize("spelling", [0, pytest.param(9, marks=pytest.mark.slow)], ids=["first", "last"])
def test_each_network_of_a_family_is_told_in_a_file_of_its_own(tmp_path: Path, family: Family, spelling: int):
    """spelling: of its names, those that are looked for first, or last."""
    kinds = {family.denoiser: "denoiser", "vae": "vae", "controlnet": "controlnet"}
    for name, role in family.roles.items():
        told = look(write(tmp_path / "a.safetensors", network_of(family, role, "", spelling), "BF16"))
        assert told is not None
        assert told.kind == kinds.get(name, "text encoder"), name
        assert family.name in told.families, name


def test_an_autoencoder_and_a_text_encoder_name_all_families_that_can_use_them(tmp_path: Path):
    vae = look(write(tmp_path / "vae.safetensors", table_of("vae", "flux")))
    t5 = look(write(tmp_path / "t5.safetensors", table_of("text encoder", "flux")))
    assert vae is not None
    assert t5 is not None
    assert {"flux", "zimage"} <= set(vae.families)
    assert "sd1" not in vae.families
    assert {"flux", "sd3"} <= set(t5.families)


def test_files_that_were_trained_alike_keep_their_own_words(tmp_path: Path):
    table = table_of("lora", "sd1")
    for word in ("snow", "rain"):
        said = {
            "modelspec.trigger_phrase": word,
            "modelspec.title": f"A {word} style",
            "ss_base_model_version": "sd_v1",
        }
        told = look(write(tmp_path / f"{word}.safetensors", table, said=said))
        assert told is not None
        assert (told.words, told.title, told.base) == ((word,), f"A {word} style", "sd_v1")


def test_a_damaged_copy_of_a_file_that_is_known_is_still_damaged(tmp_path: Path):
    table = table_of("lora", "sd1")
    look(write(tmp_path / "whole.safetensors", table))
    short = write(tmp_path / "short.safetensors", table)
    with short.open("r+b") as file:
        file.truncate(short.stat().st_size - 1)
    with pytest.raises(ValueError, match="cut short"):
        look(short)


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (".json", {"activation text": "snow, rain", "sd version": "SDXL"}),
        (".civitai.info", {"trainedWords": ["snow, rain"], "baseModel": "SDXL", "model": {"name": "Weather"}}),
        (".cm-info.json", {"TrainedWords": ["snow", "rain"], "BaseModel": "SDXL", "ModelName": "Weather"}),
        (".metadata.json", {"civitai": {"trainedWords": ["snow", "rain"]}, "base_model": "SDXL"}),
    ],
)
def test_what_other_programs_write_beside_a_file_counts(tmp_path: Path, ending: str, said: dict[str, object]):
    place = write(tmp_path / "weather.v1.safetensors", table_of("lora", "sdxl"))
    (tmp_path / f"weather.v1{ending}").write_text(json.dumps(said))
    told = look(place)
    assert told is not None
    assert (told.words, told.base) == (("snow", "rain"), "SDXL")
    assert ending in STOCK.beside


@pytest.mark.parametrize("text", ["", "[1]", '{"trainedWords": 3, "model": [], "baseModel": {}}', "\udcff", "{" * 9000])
def test_what_cannot_be_read_beside_a_file_says_nothing(tmp_path: Path, text: str):
    place = write(tmp_path / "a.safetensors", table_of("lora", "sdxl"))
    (tmp_path / "a.civitai.info").write_bytes(text.encode(errors="surrogateescape"))
    told = look(place)
    assert told is not None
    assert (told.words, told.base, told.title) == ((), "", "")


def test_pickles_and_what_is_nothing_are_refused_with_the_reason(tmp_path: Path):
    (tmp_path / "a.ckpt").write_bytes(b"\x80")
    with pytest.raises(ValueError, match="is a pickle"):
        look(tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="that this program knows"):
        look(write(tmp_path / "b.safetensors", {"x.weight": (3, 3, 3), "y": (2, 2, 2)}))


def test_the_parts_of_a_diffusers_folder_are_those_of_its_index(tmp_path: Path):
    (tmp_path / "model_index.json").write_text('{"_class_name": "X", "unet": ["diffusers", "U"], "vae": [null, null]}')
    assert parts(tmp_path) == {"model_index.json", "unet", "vae"}
    (tmp_path / "model_index.json").write_text("no json")
    assert parts(tmp_path) == {"model_index.json"}


def test_a_folder_of_the_hubs_cache_bears_the_name_of_its_model(tmp_path: Path):
    place = tmp_path / "models--people--nice-model" / "snapshots" / "c0ffee"
    shutil.copytree(FOLDER / "models" / "starter", place, ignore=shutil.ignore_patterns("lora", "pixel"))
    told = look(place)
    assert told is not None
    assert (told.kind, told.title) == ("checkpoint", "people/nice-model")


def test_a_denoiser_of_pixels_is_not_taken_for_one_of_latents():
    with pytest.raises(ValueError, match="cannot be run: it takes 3 channels"):
        look(FOLDER / "models" / "starter" / "pixel" / "unet")


def test_a_folder_that_only_has_a_config_is_not_one_thing(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "words"}')
    assert parts(tmp_path) is None


def invoke(root: Path, *configs: object) -> Path:
    """InvokeAI's database, as it leaves it: a table of JSON objects."""
    database = root / "databases" / "invokeai.db"
    database.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("CREATE TABLE models (id TEXT PRIMARY KEY, config TEXT NOT NULL)")
        opened.executemany("INSERT INTO models VALUES (?, ?)", [(str(n), text) for n, text in enumerate(configs)])
    return database


def test_what_invoke_calls_a_model_is_its_title(tmp_path: Path):
    table = {"lora_unet_x.lora_down.weight": (4, 8), "lora_unet_x.lora_up.weight": (8, 4)}
    places = [tmp_path / "models" / name / "lora.safetensors" for name in ("3f2a", "77b1", "90c0")]
    for place in places:
        place.parent.mkdir(parents=True)
        write(place, table)
    config = {"path": "3f2a/lora.safetensors", "name": "Snowy mornings", "base": "sdxl", "trigger_phrases": ["snow"]}
    absolute = {"path": str(places[1]), "name": "Elsewhere", "base": "any", "trigger_phrases": None}
    database = invoke(tmp_path, json.dumps(config), json.dumps(absolute), "{", json.dumps({"path": 3}), "[]")
    before = database.read_bytes(), sorted(database.parent.iterdir())
    found = [look(place) for place in places]
    told = [(one.title, one.base, one.words) for one in found if one]
    assert told == [("Snowy mornings", "sdxl", ("snow",)), ("Elsewhere", "", ()), ("", "", ())]
    assert (database.read_bytes(), sorted(database.parent.iterdir())) == before


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x < 0"
HUGE = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT hex(zeroblob(400000)) FROM c"


@pytest.mark.parametrize("made", [ENDLESS, HUGE], ids=["endless", "huge"])
def test_a_database_of_invoke_that_computes_holds_nothing_up(
    tmp_path: Path, made: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(invoke_names, "MOST_CHARACTERS", 1_000_000)
    with closing(sqlite3.connect(tmp_path / "invokeai.db")) as opened, opened:
        opened.execute(f"CREATE VIEW models (config) AS {made}")
    assert invoke_names.read(tmp_path / "invokeai.db") == {}


def test_a_database_of_invoke_that_nobody_may_look_at_spoils_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place, stat = tmp_path / "models" / "lora.safetensors", os.stat
    place.parent.mkdir()
    write(place, {"lora_unet_x.lora_down.weight": (4, 8), "lora_unet_x.lora_up.weight": (8, 4)})

    def refused(path: Any, **options: Any) -> os.stat_result:
        if "databases" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refused)
    assert (found := look(place))
    assert (found.kind, found.title) == ("lora", "")


def test_a_database_of_invoke_that_cannot_be_read_says_nothing(tmp_path: Path):
    place = tmp_path / "models" / "3f2a" / "lora.safetensors"
    place.parent.mkdir(parents=True)
    write(place, {"lora_unet_x.lora_down.weight": (4, 8), "lora_unet_x.lora_up.weight": (8, 4)})
    (tmp_path / "databases").mkdir()
    (tmp_path / "databases" / "invokeai.db").write_bytes(b"SQLite format 3\0 and no more")
    found = look(place)
    assert found
    assert (found.kind, found.title) == ("lora", "")

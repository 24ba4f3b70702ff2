"""`denoodle models` finds, searches, hashes and fetches without a window."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from huggingface_hub import constants

from denoodle.__main__ import main
from nodegraph import program
from tests.nodes.local_hub import LocalHub, serving
from tools.bench.library import table_of, write


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with a LoRA and a file that is nothing, which is looked in."""
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))
    folder = tmp_path / "models"
    (folder / "loras").mkdir(parents=True)
    write(folder / "loras" / "snow.safetensors", table_of("lora", "sd1"), said={"modelspec.title": "Snow"})
    (folder / "loras" / "bad.safetensors").write_bytes(b"no table")
    assert main(["models", "folders", "--add", str(folder)]) == 0
    assert main(["models", "scan"]) == 0
    capsys.readouterr()
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_files_are_found_and_searched(models: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "find", "sno", "--kind", "lora", "--json"]) == 0
    (entry,) = json.loads(said(capsys))
    assert (entry["path"], entry["families"], entry["title"]) == (
        *(str(models / "loras" / "snow.safetensors"), ["sd1"]),
        "Snow",
    )
    assert main(["models", "find"]) == 0
    text = said(capsys)
    assert "LoRAs · Stable Diffusion 1.x · float16" in text
    assert "bad.safetensors is not a safetensors file" in text


def test_a_scan_says_what_there_is(models: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "scan"]) == 0
    assert said(capsys).startswith("2 files: 2 loras; 0 looked at, 0 gone")
    assert main(["models", "scan", "--json"]) == 0
    assert json.loads(said(capsys))["counts"]["kinds"] == {"lora": 2}


def test_folders_are_added_and_taken_away(models: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "folders", "--json"]) == 0
    assert json.loads(said(capsys)) == {"folders": [str(models)], "offers": []}
    assert main(["models", "folders", "--add", str(models / "none")]) == 2
    assert main(["models", "folders", "--remove", str(models / "none")]) == 2
    assert main(["models", "folders", "--remove", str(models)]) == 0
    capsys.readouterr()
    assert main(["models", "scan"]) == 2
    assert "no folders to look in" in capsys.readouterr().err


def test_a_hash_is_that_of_the_content(models: Path, capsys: pytest.CaptureFixture[str]):
    place = models / "loras" / "bad.safetensors"
    assert main(["models", "hash", str(place)]) == 0
    assert said(capsys) == f"{sha256(b'no table').hexdigest()}  {place}\n"
    assert main(["models", "hash", str(models)]) == 2


def test_what_a_workflow_lacks_is_listed_with_what_could_be_meant(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "a.json"
    node = {"type": "adapter.lora", "params": {"path": "gone/snow.safetensors"}}
    need = {
        "what": "Snow",
        "parameter": ["style", "path"],
        "from": "https://huggingface.co/a/b/blob/main/s.safetensors",
    }
    file.write_text(json.dumps({"version": 1, "nodes": {"style": node}, "links": [], "needs": [need]}))
    assert main(["models", "missing", str(file)]) == 1
    assert said(capsys).splitlines() == [
        "style.path: Snow",
        f"    the same name: {models / 'loras' / 'snow.safetensors'}",
        "    denoodle models download https://huggingface.co/a/b/resolve/main/s.safetensors",
    ]
    file.write_text(json.dumps({"version": 1, "nodes": {}, "links": []}))
    assert main(["models", "missing", str(file), "--json"]) == 0


def test_a_file_is_fetched_into_the_folder_for_its_kind(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    content = (models / "loras" / "snow.safetensors").read_bytes()
    hub = LocalHub("people/model", {"a.safetensors": content, "b.safetensors": content})
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with serving(hub) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        assert main(["models", "download", "people/model"]) == 1
        assert "a.safetensors · of unknown kind" in said(capsys)
        assert main(["models", "download", "hf://people/model/a.safetensors"]) == 0
        assert said(capsys).strip() == str(models / "loras" / "a.safetensors")
        assert main(["models", "download", "hf://people/model/a.safetensors"]) == 2
        program.allow_network(False)
        assert main(["models", "download", "people/model", "--look"]) == 2
        assert "switched off in the settings" in capsys.readouterr().err
    assert (models / "loras" / "a.safetensors").read_bytes() == content

"""`denoodle tokenizer` keeps what files of weights do not hold, once for all models."""

from __future__ import annotations

from pathlib import Path

import pytest

from denoodle import headless
from denoodle.__main__ import main
from nodes.backend import tokenizer_files, unigram
from tests.nodes import t5_files
from tests.nodes.t5_files import write_json


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENOODLE_DATA", str(tmp_path / "data"))


def published(folder: Path) -> Path:
    """As many words as the published encoders have room for."""
    return write_json(folder, t5_files.many_pieces(tokenizer_files.ROWS - 200))


def test_a_file_that_was_chosen_is_found_from_then_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["tokenizer", str(published(tmp_path / "flux"))]) == 0
    kept = Path(capsys.readouterr().out.strip())
    assert tokenizer_files.find(None, None) == kept
    assert len(unigram.read(kept, tokenizer_files.ROWS).pieces) > tokenizer_files.ROWS - 200


def test_what_is_none_is_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "tokenizer.json").write_text("{}")
    assert headless.main(["tokenizer", str(tmp_path / "tokenizer.json")]) == 2
    assert "tokenizer.json" in capsys.readouterr().err


def test_it_is_downloaded_only_when_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(tokenizer_files, "_fetched", lambda folder, told: published(folder))
    assert headless.main(["tokenizer", "--download"]) == 0
    assert tokenizer_files.find(None, None) == Path(capsys.readouterr().out.strip())
    with pytest.raises(SystemExit):
        headless.main(["tokenizer"])

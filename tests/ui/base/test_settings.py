"""Preferences outlast the program, and a damaged file does not keep it from starting."""

import json

from hypothesis import given
from hypothesis import strategies as st

from nodegraph.formats.files import HIDDEN
from ui.base.settings import Preferences, Settings, sealed, settings_folder, unsealed


def test_what_was_chosen_is_there_at_the_next_start(tmp_path):
    path = tmp_path / "denoodle" / "settings.json"
    Settings(path).change(theme="Light", text_scale=1.4, keys={"file.new": "Ctrl+T"})
    assert Settings(path).now == Preferences(theme="Light", text_scale=1.4, keys={"file.new": "Ctrl+T"})


def test_what_a_killed_window_left_is_gone_at_the_next_start(tmp_path):
    left = tmp_path / f".settings.json.7{HIDDEN}"
    left.touch()
    Settings(tmp_path / "settings.json")
    assert not left.exists()


def test_the_file_of_another_version_keeps_what_both_know(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"theme": "High contrast", "hologram": True}))
    assert Settings(path).now == Preferences(theme="High contrast")


def test_a_file_that_cannot_be_read_is_put_aside_with_a_sentence(tmp_path):
    wrong = (
        '{"text_scale": "large"}',
        '{"text_scale": NaN}',
        '{"keys": {"file.new": 3}}',
        '{"window": "00000000 AA AA"}',
    )
    for number, text in enumerate(("{", "[1]", *wrong)):
        path = tmp_path / str(number) / "settings.json"
        path.parent.mkdir()
        path.write_text(text)
        settings = Settings(path)
        assert settings.now == Preferences()
        assert "settings.json" in settings.complaints[0]
        assert path.with_name("settings.damaged").read_text() == text
        assert not path.exists()


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_sealed_layout_is_the_same_when_it_is_opened(geometry: bytes, layout: bytes):
    assert unsealed(sealed(geometry, layout)) == (geometry, layout)


@given(st.integers(0, 200), st.characters())
def test_a_layout_that_is_not_as_it_was_sealed_is_none(at: int, wrong: str):
    text = sealed(b"geometry of the window", b"layout of the window")
    at %= len(text)
    changed = text[:at] + wrong + text[at + 1 :]
    assert (unsealed(changed) is None) == (changed != text)


def test_a_change_is_told_once(tmp_path, qtbot):
    settings = Settings()
    with qtbot.waitSignal(settings.changed):
        settings.change(live=True)
    with qtbot.assertNotEmitted(settings.changed):
        settings.change(live=True)


def test_the_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("DENOODLE_CONFIG", str(tmp_path))
    assert settings_folder() == tmp_path


def test_what_cannot_be_written_holds_and_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    settings = Settings(tmp_path / "file" / "settings.json")
    said: list[str] = []
    settings.troubled.connect(said.append)
    settings.change(theme="Light")
    assert settings.now.theme == "Light"
    assert "settings.json" in said[0]


def test_a_precision_that_nothing_computes_in_is_damage(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"theme": "Light", "precision": "int4"}')
    settings = Settings(path)
    assert settings.now == Preferences()
    assert "precision is 'int4', which it cannot be" in settings.complaints[0]
